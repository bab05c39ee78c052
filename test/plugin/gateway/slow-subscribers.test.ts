// Subscribers that do not keep up: bounded memory for them, and nothing at all for the others.

import assert from 'node:assert/strict'
import { mqttOptions, RunningGateway } from '../../fixtures/gateway.js'
import { PINGREQ, puback, publish } from '../../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../../fixtures/mqtt-socket.js'

const PAYLOAD = 'x'.repeat(65_000)
/** What the system keeps for a socket that is not read is less than this many payloads. */
const MANY = 1000

describe('slow subscribers', () => {
  let gateway: RunningGateway

  async function start(limits: object): Promise<void> {
    gateway = await RunningGateway.start({ mqtt: mqttOptions({ limits }) })
  }

  afterEach(() => gateway.stop())

  /** Number `index`, then a payload. */
  const numbered = (index: number): string => `${index}:${PAYLOAD}`
  const numberOf = (payload: string): number => Number(payload.slice(0, payload.indexOf(':')))

  /** Publishes one after the other until `done`; how many it were. `take` is given each one's number. */
  async function flood(
    qos: 0 | 1,
    done: () => boolean,
    take: (index: number) => Promise<void>
  ): Promise<number> {
    const publisher = await gateway.connect('publisher')
    let index = 0
    for (; !done(); index++) {
      assert.ok(index < MANY, 'nothing happens to the slow subscriber')
      if (qos === 1) await publisher.publish('flood', numbered(index))
      else publisher.send(publish('flood', numbered(index)))
      await take(index)
    }
    return index
  }

  async function assertNext(client: MqttSocket, index: number): Promise<void> {
    const { payload, packetId } = await client.nextPublish()
    assert.equal(numberOf(payload), index)
    if (packetId !== undefined) client.send(puback(packetId))
  }

  it('lose QoS 0 past their bound, counted, and stall nobody', async () => {
    await start({ bufferedBytes: 200_000 })
    const slow = await gateway.connect('slow')
    const quick = await gateway.connect('quick')
    for (const client of [slow, quick]) await client.subscribe(['flood', 0])
    slow.pauseReading()
    const dropped = (): number => gateway.metric('mqtt_publications_dropped_total', { qos: '0' })
    const sent = await flood(
      0,
      () => dropped() >= 10,
      index => assertNext(quick, index)
    )
    assert.deepEqual(await quick.untilPong(), [])
    slow.resumeReading()
    const got: number[] = []
    while (got.length < sent - dropped()) got.push(numberOf((await slow.nextPublish()).payload))
    assert.ok(
      got.every((index, place) => index > (got[place - 1] ?? -1)),
      'in their order'
    )
    // it is as quick as the others now, and gets what comes
    assert.deepEqual(await slow.untilPong(), [])
    quick.send(publish('flood', '99:again'))
    await assertNext(slow, 99)
    assert.equal(dropped(), 10)
  })

  it('of a durable session keep QoS 1 at the host, lose nothing, and stall nobody', async () => {
    await start({ bufferedBytes: 200_000, receiveMaximum: 20 })
    const slow = await gateway.connect('slow', { clean: false })
    const quick = await gateway.connect('quick')
    for (const client of [slow, quick]) await client.subscribe(['flood', 1])
    slow.pauseReading()
    let done = 0
    const sent = await flood(
      1,
      () => done === 200,
      async index => {
        await assertNext(quick, index)
        done += 1
      }
    )
    slow.resumeReading()
    for (let index = 0; index < sent; index++) await assertNext(slow, index)
    assert.deepEqual(await slow.untilPong(), [])
    assert.equal(gateway.metric('mqtt_disconnects_total'), 0)
    assert.equal(gateway.metric('mqtt_publications_dropped_total'), 0)
  })

  it('are closed for QoS 1 past their bound when they do not read, and stall nobody', async () => {
    await start({ bufferedBytes: 200_000, receiveMaximum: 65_535 })
    const slow = await gateway.connect('slow')
    const quick = await gateway.connect('quick')
    for (const client of [slow, quick]) await client.subscribe(['flood', 1])
    slow.pauseReading()
    const closed = (): boolean => gateway.metric('mqtt_disconnects_total', { reason: 'slowConsumer' }) === 1
    await flood(1, closed, index => assertNext(quick, index))
    assert.deepEqual(await quick.untilPong(), [])
    assert.equal(gateway.metric('mqtt_publications_dropped_total'), 0)
    assert.equal(gateway.take('warn').at(-1)?.fields['code'], 'slowConsumer')
    // its client id is free at once
    await gateway.connect('slow')
  })

  it('are closed for QoS 1 past their bound when they read and do not acknowledge', async () => {
    await start({ bufferedBytes: 4096, receiveMaximum: 3 })
    const slow = await gateway.connect('slow')
    await slow.subscribe(['flood', 1])
    const publisher = await gateway.connect('publisher')
    // 3 on their way; of 1000 bytes and what an entry costs 3 more fit
    for (let index = 0; index < 7; index++) await publisher.publish('flood', String(index).padEnd(1100))
    const got = await slow.untilClosed()
    assert.deepEqual(
      got.map(packet => packet.cmd === 'publish' && packet.payload.trim()),
      ['0', '1', '2']
    )
    assert.equal(gateway.take('warn').at(-1)?.fields['code'], 'slowConsumer')
  })

  it('have a place for QoS 0 beside the window of QoS 1, which they must make free', async () => {
    await start({ bufferedBytes: 4096, receiveMaximum: 1 })
    const slow = await gateway.connect('slow')
    await slow.subscribe(['flood', 1])
    const publisher = await gateway.connect('publisher')
    await publisher.publish('flood', 'first')
    await publisher.publish('flood', 'waits')
    // 30 fit behind it, for each costs 128 bytes and itself
    publisher.send(...Array.from({ length: 100 }, () => publish('flood', 'zero')))
    await publisher.untilPong()
    const { packetId = 0 } = await slow.nextPublish()
    assert.deepEqual(await slow.untilPong(), [])
    slow.send(puback(packetId))
    const rest = await slow.untilPong()
    const payloads = rest.map(packet => packet.cmd === 'publish' && packet.payload)
    const dropped = gateway.metric('mqtt_publications_dropped_total', { qos: '0' })
    assert.ok(dropped > 50 && dropped < 90, `${dropped} dropped`)
    assert.deepEqual(payloads, ['waits', ...Array<string>(100 - dropped).fill('zero')])
  })

  it('are not read from when they ask much and do not read the answers', async () => {
    await start({})
    const asking = await gateway.connect('asking')
    const other = await gateway.connect('other')
    asking.pauseReading()
    const many = Buffer.concat(Array<Buffer>(32_768).fill(PINGREQ))
    asking.sendInTurn(Array<Buffer>(500).fill(many))
    let steady = 0
    for (let unsent = -1; steady < 50; unsent = asking.unsentBytes) {
      assert.deepEqual(await other.untilPong(), [])
      steady = unsent === asking.unsentBytes ? steady + 1 : 0
    }
    assert.ok(asking.unsentBytes > 0, 'all was read')
    assert.equal(asking.closed, false)
  })
})
