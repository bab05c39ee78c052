import assert from 'node:assert/strict'
import fc from 'fast-check'
import { attachSender } from '../../fixtures/amqp-frames.js'
import { LIFE, LOGIN } from '../../fixtures/amqp-life.js'
import { FakeCore } from '../../fixtures/fake-core.js'
import { RawAmqp } from '../../fixtures/raw-amqp.js'

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
      fc.asyncProperty(frames, order =>
        send(Buffer.concat([...LOGIN, LIFE[0] ?? Buffer.alloc(0), ...order]))
      ),
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
