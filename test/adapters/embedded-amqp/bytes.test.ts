import assert from 'node:assert/strict'
import { listenAmqp, type AmqpListener } from '../../../adapters/rhea/listener/listener.js'
import { EncodedMessage, withAnnotation } from '../../../adapters/rhea/message.js'
import { ENCODINGS, messageWith } from '../../fixtures/amqp-encodings.js'
import {
  ACCEPTED,
  attachReceiver,
  attachSender,
  detach,
  disposition,
  flow,
  transfer
} from '../../fixtures/amqp-frames.js'
import { RawAmqp } from '../../fixtures/raw-amqp.js'
import { Bench, recordingLog } from '../embedded/broker-fixture.js'

const MESSAGES = Object.entries(ENCODINGS).flatMap(([name, encoding]) =>
  (['value', 'sequence', 'data'] as const).map(body => ({
    name: `${name} in ${body}`,
    bytes: messageWith(encoding, body)
  }))
)

describe('bytes of messages through the embedded host', () => {
  let bench: Bench
  let listener: AmqpListener
  let client: RawAmqp

  before(async () => {
    bench = await Bench.open()
    const { space } = bench
    listener = await listenAmqp(space, { host: '127.0.0.1', port: 0, log: recordingLog(bench.lines) })
    client = await RawAmqp.open(listener.port)
  })

  after(async () => {
    client.close()
    await listener.close()
    await bench.close()
  })

  it('are samples that can be read', () => {
    for (const { name, bytes } of MESSAGES) {
      const { annotations, applicationProperties, properties, body } = new EncodedMessage(bytes)
      assert.ok(annotations.has('x') && applicationProperties.has('x'), name)
      assert.ok(properties.messageId === 'i' && body.type !== 'none', name)
    }
  })

  /** What comes of all samples, sent to an address and received from it on links of their own. */
  const through = async (from: string, to: string, firstId: number): Promise<Buffer[]> => {
    client.write(attachReceiver(from))
    await client.next('attach')
    client.write(flow(1000, { nextIncomingId: firstId }), attachSender(to, { handle: 1 }))
    await client.next('attach')
    await client.next('flow')
    const received: Buffer[] = []
    for (const [i, { bytes }] of MESSAGES.entries()) {
      client.write(transfer(bytes, { handle: 1, id: firstId + i }))
      received.push((await client.next('transfer')).payload)
      client.write(disposition(firstId + i, ACCEPTED))
    }
    client.write(detach(0), detach(1))
    for (let i = 0; i < 2; i++) await client.next('detach')
    return received
  }

  it('leave a queue as they came, each type and each encoding of it', async () => {
    const received = await through('work', 'work', 0)
    for (const [i, { name, bytes }] of MESSAGES.entries())
      assert.equal(received[i]?.toString('hex'), bytes.toString('hex'), name)
  })

  it('come to a subscriber of their topic of exactly their topic as they came', async () => {
    const received = await through('any/topic', 'any/topic', MESSAGES.length)
    for (const [i, { name, bytes }] of MESSAGES.entries()) {
      assert.equal(received[i]?.toString('hex'), bytes.toString('hex'), name)
    }
  })

  it('come to other subscribers of their topic with one annotation more', async () => {
    const received = await through('any/+', 'any/topic', MESSAGES.length * 2)
    for (const [i, { name, bytes }] of MESSAGES.entries()) {
      const expected = withAnnotation(new EncodedMessage(bytes), 'x-opt-ORIG-ADDRESS', 'any/topic')
      assert.ok(expected instanceof EncodedMessage)
      assert.equal(received[i]?.toString('hex'), expected.bytes.toString('hex'), name)
    }
  })

  it('come out of the store after a restart as they came', async () => {
    const durable = MESSAGES.map(({ bytes }) => {
      const copy = Buffer.from(bytes)
      copy[7] = 1 // the header's first field
      return copy
    })
    client.write(attachSender('work', { handle: 9 }))
    await client.next('flow')
    const first = MESSAGES.length * 3
    for (const [i, bytes] of durable.entries()) client.write(transfer(bytes, { handle: 9, id: first + i }))
    for (let last = 0; last < first + durable.length - 1;) {
      const { fields } = await client.next('disposition')
      last = Number(fields[2] ?? fields[1])
    }
    await listener.close()
    const space = await bench.restart()
    listener = await listenAmqp(space, { host: '127.0.0.1', port: 0, log: recordingLog(bench.lines) })
    client = await RawAmqp.open(listener.port)
    client.write(attachReceiver('work'), flow(1000))
    for (const bytes of durable) {
      const { payload } = await client.next('transfer')
      assert.equal(payload.toString('hex'), bytes.toString('hex'))
    }
  })
})
