// The names of session queues after `services.peer` has changed, and with it how ids that need encoding are written: what waits in a
// queue of the former name goes to the one of the new name.
// Rule: this is done before anybody is served. Nothing is taken from a queue before the other one has accepted it, and what is
// published meanwhile goes to one of them at least; what was cut off is done again. So a message may come twice, and none is lost.

import { AmqpError, CONDITIONS } from '../errors.js'
import type { AddressSpace, AmqpConnection, Delivery, KeyedStore, Logger, Message } from '../host.js'
import { SESSION_QUEUES } from '../messages/addresses.js'
import { decodeAwayMark } from '../messages/away-mark.js'
import { spellingOf, type Peer } from '../messages/peer.js'
import { PacedSender } from './paced-sender.js'

/** In the store of the subscriptions: the peer for which all queues have their names; none: ours. */
const KEY = 'peer'
const MOVING = 'moving'
/** Messages that are taken from the former queue at once. */
const WINDOW = 100

export interface QueueNamesOptions {
  readonly space: AddressSpace
  readonly connection: AmqpConnection
  /** of the subscriptions */
  readonly store: KeyedStore
  readonly log: Logger
}

/** Queues and routes have the names that `peer` writes when this resolves. Rejects with AmqpError. */
export async function nameQueues(options: QueueNamesOptions, peer: Peer): Promise<void> {
  const { space, store, log } = options
  if ((await namedFor(store)) === peer) return
  await store.put(KEY, record(MOVING))
  const [before, now] = [spellingOf(peer === 'ours' ? 'original' : 'ours'), spellingOf(peer)]
  let count = 0
  for (const queue of await space.queues.list(SESSION_QUEUES)) {
    const clientId = before.clientOf(queue)
    if (clientId === undefined || now.publish(clientId) === queue) continue
    await move(options, queue, now.publish(clientId))
    count += 1
  }
  await store.put(KEY, record(peer))
  log.info(
    { peer, queues: count },
    'the queues of sessions have the names that the other parts of the space write'
  )
}

async function namedFor(store: KeyedStore): Promise<string> {
  const known = await store.get(KEY)
  if (known === undefined) return 'ours'
  return known.body.type === 'value' && typeof known.body.value === 'string' ? known.body.value : MOVING
}

const record = (value: string): Message => ({
  ...{ durable: true, deliveryCount: 0, annotations: new Map(), properties: {} },
  applicationProperties: new Map(),
  body: { type: 'value', value }
})

async function move(options: QueueNamesOptions, from: string, to: string): Promise<void> {
  const { queues, routes } = options.space
  await queues.closeConsumers(from)
  await queues.create(to)
  // what waits comes before what is published from now on
  await pour(options.connection, from, to)
  for (const route of await routes.list(from)) {
    await routes.add({ ...route, queue: to })
    await routes.remove(route)
  }
  await pour(options.connection, from, to)
  await queues.delete(from)
}

/** All that is there. */
async function pour(connection: AmqpConnection, from: string, to: string): Promise<void> {
  const sender = await PacedSender.open(connection, to, WINDOW)
  try {
    let taken: Delivery[] = []
    let failure: AmqpError | undefined
    const receiver = await connection.openReceiver({
      ...{ address: from, kind: 'queue', window: 0, exclusive: true },
      onDelivery: delivery => void taken.push(delivery),
      onClosed: ({ error }) => {
        const condition = error?.condition ?? CONDITIONS.detachForced
        failure = new AmqpError(condition, error?.description ?? `${from} is gone`)
      }
    })
    try {
      do {
        taken = []
        receiver.addCredit(WINDOW)
        await receiver.drain()
        if (failure !== undefined) throw failure
        await forward(sender, taken, from)
      } while (taken.length > 0)
    } finally {
      await receiver.close()
    }
  } finally {
    await sender.close()
  }
}

async function forward(sender: PacedSender, deliveries: readonly Delivery[], from: string): Promise<void> {
  for (const { message } of deliveries) {
    if (decodeAwayMark(message, from) !== undefined) continue // of a connection that is over
    await sender.ready()
    sender.send(message)
  }
  await sender.flushed()
  for (const delivery of deliveries) delivery.settle({ type: 'accepted' })
}
