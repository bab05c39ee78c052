// Copies of retained messages that come to an MQTT client by its session's queue, after what came live meanwhile.

import assert from 'node:assert/strict'
import type { AmqpConnection } from '../../../plugin/host.js'
import { publishAddress } from '../../../plugin/messages/addresses.js'
import type { Publication } from '../../../plugin/messages/publication.js'
import { QueueReplays } from '../../../plugin/gateway/queue-replays.js'
import { HeldCopy } from '../../fixtures/held-copy.js'
import type { MqttSocket } from '../../fixtures/mqtt-socket.js'
import { DurableScene } from './durable-scene.js'

const QUEUE = publishAddress('x')

describe('copies in the queue of an MQTT client', () => {
  const scene = new DurableScene()
  let held: HeldCopy
  let amqp: AmqpConnection
  let client: MqttSocket
  let publisher: MqttSocket

  beforeEach(async () => {
    const gateway = await scene.start({ roles: ['gateway'] })
    held = new HeldCopy(QUEUE)
    await scene.start({ roles: ['subscription'], wrap: held.wrap })
    amqp = await gateway.space.connect('service')
    publisher = await gateway.connect('publisher')
    await publisher.publish('t/x', 'old', { retain: true })
    client = await scene.come(gateway, false)
  })

  afterEach(() => scene.stop())

  /** Payloads of what comes, up to the one that is the last. */
  async function payloadsUntil(last: string): Promise<string[]> {
    const payloads: string[] = []
    while (payloads.at(-1) !== last) {
      const { payload, retain } = await client.nextPublish()
      payloads.push(retain ? `${payload} retained` : payload)
    }
    return payloads
  }

  it('are dropped where a publication without RETAIN came live since the SUBSCRIBE', async () => {
    assert.deepEqual(await client.subscribe(['t/#', 1]), [1])
    await held.sent()
    await publisher.publish('t/x', 'live')
    await held.arrive(amqp, true)
    await publisher.publish('t/end', 'end')
    assert.deepEqual(await payloadsUntil('end'), ['live', 'end'])
  })

  it('come again with the next SUBSCRIBE, whatever came live before that', async () => {
    assert.deepEqual(await client.subscribe(['t/#', 1]), [1])
    await held.sent()
    await publisher.publish('t/x', 'live')
    await held.arrive(amqp, true)
    assert.deepEqual(await payloadsUntil('live'), ['live'])
    assert.deepEqual(await client.subscribe(['t/x', 1]), [1])
    assert.deepEqual(await payloadsUntil('old retained'), ['old retained'])
  })

  it('come where nothing came live, and the marker after them does not', async () => {
    assert.deepEqual(await client.subscribe(['t/#', 1]), [1])
    await held.sent()
    await held.arrive(amqp, true)
    assert.deepEqual(await payloadsUntil('old retained'), ['old retained'])
    await publisher.publish('t/x', 'live')
    assert.deepEqual(await payloadsUntil('live'), ['live'])
    assert.deepEqual(await client.subscribe(['t/#', 1]), [1])
    assert.deepEqual(await payloadsUntil('old retained'), ['old retained'])
  })
})

describe('what is known of the copies that a queue brings', () => {
  const of = (topic: string, retained: boolean): Publication => ({
    ...{ topic, payload: new Uint8Array(), qos: 1, retain: retained, retained, dup: false }
  })
  let replays: QueueReplays

  beforeEach(() => {
    replays = new QueueReplays('connection')
  })

  it('begins with a SUBSCRIBE, and ends with its marker alone', () => {
    assert.equal(replays.isOld(of('a', false)), false)
    const first = replays.begin(['a'])
    assert.equal(replays.isOld(of('a', true)), false)
    replays.isOld(of('a', false))
    assert.equal(replays.isOld(of('a', true)), true)
    replays.filled(new Map([['a', 'another/1']]))
    assert.equal(replays.isOld(of('a', true)), true)
    replays.filled(new Map([['a', first]]))
    assert.equal(replays.isOld(of('a', true)), false)
  })

  it('is of the last SUBSCRIBE that asked for a topic, and others go on', () => {
    const first = replays.begin(['a', 'b/#'])
    replays.isOld(of('a', false))
    replays.isOld(of('b', false))
    const second = replays.begin(['a'])
    replays.filled(new Map([['a', first]]))
    assert.equal(replays.isOld(of('a', true)), false)
    assert.equal(replays.isOld(of('b', true)), true)
    replays.isOld(of('a', false))
    assert.equal(replays.isOld(of('a', true)), true)
    replays.left('b/#')
    assert.equal(replays.isOld(of('b', true)), false)
    replays.filled(new Map([['a', second]]))
    assert.equal(replays.isOld(of('a', true)), false)
  })
})
