// The names of session queues after a change of `services.peer`, where much waits and a start before this one was cut off.

import assert from 'node:assert/strict'
import type { AmqpConnection, KeyedStore, Message } from '../../../plugin/host.js'
import { nameQueues } from '../../../plugin/services/queue-names.js'
import { SUBSCRIPTION_STORE } from '../../../plugin/services/subscription-records.js'
import { RunningGateway } from '../../fixtures/gateway.js'
import { ReceivedPublications } from '../../fixtures/publications-of-a-queue.js'

const [ENCODED, RAW] = ['$mqtt.to.a%2Fb.publish', '$mqtt.to.a/b.publish']

const message = (text: string): Message => ({
  ...{ durable: true, deliveryCount: 0, annotations: new Map(), properties: {} },
  applicationProperties: new Map(),
  body: { type: 'data', sections: [Buffer.from(text)] }
})

const texts = (count: number, word = 'm'): string[] =>
  Array.from({ length: count }, (_, index) => `${word}${index}`)

describe('the names of session queues', () => {
  let host: RunningGateway
  let connection: AmqpConnection
  let store: KeyedStore

  beforeEach(async () => {
    host = await RunningGateway.start({ mqtt: undefined })
    connection = await host.space.connect('service')
    store = await host.space.store(SUBSCRIPTION_STORE)
  })
  afterEach(async () => {
    await connection.close()
    await host.stop()
  })

  async function fill(queue: string, payloads: readonly string[]): Promise<void> {
    await host.space.queues.create(queue)
    const sender = await connection.openSender({ address: queue })
    for (const payload of payloads) {
      const outcome = await new Promise<{ readonly type: string }>(resolve =>
        sender.send(message(payload), resolve)
      )
      assert.equal(outcome.type, 'accepted')
    }
    await sender.close()
  }

  /** All that is in the queue, which it loses. */
  async function drained(queue: string): Promise<string[]> {
    const received = await ReceivedPublications.attach(connection, queue, 0)
    received.allow(1000)
    await received.drain()
    await received.close()
    return received.publications.map(({ payload }) => Buffer.from(payload).toString('utf8'))
  }

  const name = (peer: 'ours' | 'original'): Promise<void> =>
    nameQueues({ space: host.space, connection, store, log: host.host.log }, peer)

  it('change with all that waits, in its order, and with their routes', async () => {
    await fill(ENCODED, texts(250))
    await host.space.routes.add({ filter: 't/#', queue: ENCODED })
    await name('original')
    assert.deepEqual(await host.space.queues.list('$mqtt.to.'), [RAW])
    assert.deepEqual(await host.space.routes.list(), [{ filter: 't/#', queue: RAW }])
    assert.deepEqual(await drained(RAW), texts(250))
  })

  it('change where a start before was cut off, whatever was wanted then', async () => {
    await name('original')
    await fill(RAW, texts(3, 'first'))
    // as a start for ours leaves it that was killed
    await store.put('peer', { ...message(''), body: { type: 'value', value: 'moving' } })
    await fill(ENCODED, texts(2, 'second'))
    await name('original')
    assert.deepEqual(await host.space.queues.list('$mqtt.to.'), [RAW])
    assert.deepEqual(await drained(RAW), [...texts(3, 'first'), ...texts(2, 'second')])
  })

  it('stay where ids need no encoding, and where an id as it is would be another one encoded', async () => {
    const queues = ['$mqtt.to.a%252Fb.publish', '$mqtt.to.plain.publish', '$mqtt.to.%23.publish']
    for (const queue of queues) await host.space.queues.create(queue)
    await name('original')
    assert.deepEqual([...(await host.space.queues.list('$mqtt.to.'))].sort(), [...queues].sort())
  })
})
