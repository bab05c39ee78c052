import assert from 'node:assert/strict'
import fc from 'fast-check'
import { encodeMessage } from '../../../adapters/rhea/message.js'
import { message } from '../../fixtures/amqp-messages.js'
import { FakeCore } from '../../fixtures/fake-core.js'
import {
  ACCEPTED,
  AMQP_HEADER,
  attachReceiver,
  attachSender,
  begin,
  detach,
  disposition,
  flow,
  frame,
  SASL_HEADER,
  symbol,
  transfer
} from '../../fixtures/amqp-frames.js'
import { RawAmqp } from '../../fixtures/raw-amqp.js'

const { bytes } = encodeMessage(
  message({ properties: { to: 'a' }, annotations: new Map([['x-opt-mqtt-qos', 1]]) })
)

const LOGIN = [SASL_HEADER, frame('saslInit', 0, [symbol('ANONYMOUS')]), AMQP_HEADER]
/** Everything a client does in its life, in an order that it may have. */
const LIFE = [
  frame('open', 0, ['fuzz']),
  begin(0),
  attachSender('a', { handle: 0 }),
  attachReceiver('b', { handle: 1 }),
  flow(10, { handle: 1 }),
  transfer(bytes, { more: true }),
  transfer(bytes),
  transfer(bytes, { id: 1, settled: true }),
  disposition(0, ACCEPTED, { last: 3 }),
  flow(10, { handle: 1, drain: true, echo: true }),
  detach(1),
  frame('end', 0, []),
  frame('close', 0, [])
]

describe('an AMQP listener under clients that send anything', () => {
  let core: FakeCore
  let port: number

  beforeEach(async () => {
    core = new FakeCore()
    port = await core.listen()
  })

  afterEach(() => core.close())

  /** Sends it, and waits for the end of it all. */
  const send = async (input: Buffer): Promise<void> => {
    const client = new RawAmqp(port)
    client.socket.end(input)
    await client.ended
    for (const connection of core.connections)
      await core.until(() => connection.ended, 'the end of the connection')
    core.connections.length = 0
  }

  const serves = async (): Promise<void> => {
    const client = await core.client(port)
    client.write(attachSender('a'))
    await client.next('flow')
    client.close()
    assert.ok(core.log.every(({ level }) => level === 'warn'))
  }

  it('serves the next one after frames in any order', async () => {
    const frames = fc.array(fc.constantFrom(...LIFE), { maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(frames, order => send(Buffer.concat([...LOGIN, LIFE[0] ?? bytes, ...order]))),
      { numRuns: 100 }
    )
    await serves()
  })

  it('serves the next one after bytes that were changed, cut or doubled', async () => {
    const whole = Buffer.concat([...LOGIN, ...LIFE])
    const change = fc.tuple(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 0, max: 255 }))
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 5 }),
        fc.nat({ max: whole.length }),
        async (changes, cut) => {
          const input = Buffer.from(whole)
          for (const [at, byte] of changes) input[at] = byte
          await send(Buffer.concat([input.subarray(0, cut), input.subarray(cut % 7 === 0 ? cut / 2 : cut)]))
        }
      ),
      { numRuns: 200 }
    )
    await serves()
  })
})
