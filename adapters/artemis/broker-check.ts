// Whether the broker is set up as the plugin needs it.
// Rule: what counts is what it does, so it is tried; what is missing is named with the lines to add to broker.xml.

import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { AmqpConnection, Message, Outcome } from '../../plugin/host.js'
import { withDuplicateId } from '../rhea/duplicate-property.js'
import { translating } from './broker-errors.js'
import { Subscription, type SubscriptionParts } from './subscriptions.js'

/** Begins addresses that no filter of a client reaches. */
const PROBE = '$mqtt.%/probe/'
/** For a message that comes, or does not, ms. */
const PATIENCE_MS = 5000

const WILDCARDS =
  'topics with wildcards do not work as in MQTT; expected in <core> of broker.xml: <wildcard-addresses>' +
  '<routing-enabled>true</routing-enabled><delimiter>/</delimiter><any-words>#</any-words><single-word>+</single-word></wildcard-addresses>'
const DUPLICATES =
  'duplicate ids are not detected; expected at the end of the URL of the AMQP <acceptor> in broker.xml: amqpDuplicateDetection=true'

const bare: Message = {
  durable: false,
  deliveryCount: 0,
  annotations: new Map(),
  properties: {},
  applicationProperties: new Map(),
  body: { type: 'none' }
}

/** Rejects `amqp:precondition-failed` with what is missing. Takes the connection. */
export async function checkBroker(connection: AmqpConnection, parts: SubscriptionParts): Promise<void> {
  const topic = `${PROBE}${randomUUID()}`
  let came = 0
  let onMessage: () => void = () => undefined
  const message = new Promise<true>(resolve => (onMessage = () => resolve(true)))
  const onDelivery: Parameters<AmqpConnection['openReceiver']>[0]['onDelivery'] = ({ settle }) => {
    came++
    settle({ type: 'accepted' })
    onMessage()
  }
  try {
    const subscription = await Subscription.open(
      connection,
      `${topic}/+/#`,
      { window: 10, onDelivery },
      parts
    )
    const sent = await sendTwice(connection, `${topic}/a`)
    const arrived = await Promise.race([message, sleep(PATIENCE_MS, false, { ref: false })])
    await subscription.drain()
    await subscription.close()
    if (!arrived || !sent) throw new AmqpError(CONDITIONS.preconditionFailed, WILDCARDS)
    if (came > 1) throw new AmqpError(CONDITIONS.preconditionFailed, DUPLICATES)
  } finally {
    await connection.close()
  }
}

/** One message under one id; true when both were accepted. */
async function sendTwice(connection: AmqpConnection, address: string): Promise<boolean> {
  let ready: () => void = () => undefined
  const credit = new Promise<void>(resolve => (ready = resolve))
  const sender = await translating(
    connection.openSender({ address, kind: 'topic', onCredit: () => ready(), onClosed: () => ready() })
  )
  if (sender.credit === 0) await credit
  const probe = withDuplicateId(bare, Buffer.from(randomUUID()))
  const outcomes = [1, 2].map(
    () =>
      new Promise<Outcome>(resolve =>
        sender.credit > 0 ? sender.send(probe, resolve) : resolve({ type: 'released' })
      )
  )
  const types = (await Promise.all(outcomes)).map(({ type }) => type)
  await sender.close()
  return types.every(type => type === 'accepted')
}
