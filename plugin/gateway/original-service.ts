// AMQP_LIST to an original Subscription Service. It knows a client and no connections: its reply comes to the client's own control
// address, and it ends nobody.
// Rule: the control address is attached for as long as the reply takes. A former gateway that is still attached there may take the
// reply, so the service is asked again; whoever received from the session's queue is sent away.

import { AmqpError, BridgeError } from '../errors.js'
import type { AmqpConnection } from '../host.js'
import { spellingOf } from '../messages/peer.js'
import { decodeSubscriptions } from '../messages/subscriptions.js'
import type { ClientIdentity } from './client-subscriptions.js'
import type { GatewayParts } from './gateway-parts.js'
import { NAMELESS } from './in-flight-list.js'
import type { ListReply } from './list-replies.js'
import { within } from './within.js'

/** How often it is asked in `services.timeoutMs`. */
const ASKS = 5
const WINDOW = 10

/** The session as the service has it, and its queue for this connection alone. Rejects with BridgeError. */
export async function listOfOriginal(parts: GatewayParts, identity: ClientIdentity): Promise<ListReply> {
  const { space, peer } = parts
  const queue = spellingOf(peer).publish(identity.clientId)
  try {
    const connection = await space.connect('service')
    try {
      const reply = await list(parts, identity, connection)
      // it makes the queue with the first subscription, perhaps
      await space.queues.create(queue)
      await space.queues.closeConsumers(queue)
      return { ...reply, previousConnection: NAMELESS }
    } finally {
      await connection.close()
    }
  } catch (error) {
    if (!(error instanceof AmqpError)) throw error
    throw new BridgeError('serverUnavailable', `the session of the client: ${error.message}`)
  }
}

async function list(
  { requests, config, peer, space }: GatewayParts,
  { clientId, connection, principal }: ClientIdentity,
  amqp: AmqpConnection
): Promise<ListReply> {
  const spelling = spellingOf(peer)
  const [replyTo, correlationId] = [spelling.control(clientId), spelling.publish(clientId)]
  let reply: ListReply | undefined
  let onReply: (() => void) | undefined
  const came = new Promise<void>(resolve => (onReply = resolve))
  await amqp.openReceiver({
    ...{ address: replyTo, window: WINDOW },
    onDelivery: delivery => {
      const decoded = decodeSubscriptions(delivery.message, peer)
      if (decoded?.clientId === clientId) {
        reply ??= decoded
        onReply?.()
      }
      delivery.settle({ type: 'accepted' })
    }
  })
  const waitMs = config().services.timeoutMs / ASKS
  for (let asked = 0; asked < ASKS; asked++) {
    const outcome = await requests.send({
      ...{ type: 'list', clientId, connection, user: principal.name },
      ...{ replyTo, correlationId, resume: false }
    })
    if (outcome.type !== 'accepted') {
      const why = outcome.type === 'rejected' ? `${outcome.condition}: ${outcome.description}` : outcome.type
      throw new BridgeError('serverUnavailable', `the subscription service of ${space.name}: ${why}`)
    }
    await within(waitMs, came)
    if (reply !== undefined) return reply
  }
  throw new BridgeError('serverUnavailable', `no reply of the subscription service at ${replyTo}`)
}
