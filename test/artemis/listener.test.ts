import assert from 'node:assert/strict'
import { openArtemisSpace, type ArtemisSpace } from '../../adapters/artemis/index.js'
import { ConnectionPool } from '../../adapters/rhea/connection-pool.js'
import type { AmqpListener } from '../../adapters/rhea/listener/listener.js'
import { ServedSpace } from '../../adapters/rhea/serving/served-space.js'
import type { LinkClosed } from '../../plugin/host.js'
import { artemis, QUEUE } from '../contract/artemis.js'
import { describeContract } from '../contract/describe.js'
import { LOG } from '../contract/embedded.js'
import { durable } from '../contract/messages.js'
import { refused } from '../contract/peer.js'
import { beside } from '../contract/served.js'
import { Signal } from '../contract/signal.js'
import { SERVICE, type ArtemisBroker } from '../fixtures/artemis.js'
import { withArtemis } from '../fixtures/artemis-suite.js'

/** A listener beside the broker, and a user of it. */
class Scene {
  readonly signal = new Signal(20_000)
  readonly #artemis: ArtemisSpace
  readonly #listener: AmqpListener
  readonly #pool: ConnectionPool
  readonly space: ServedSpace

  private constructor(artemis: ArtemisSpace, space: ServedSpace, listener: AmqpListener) {
    this.#artemis = artemis
    this.space = space
    this.#listener = listener
    this.#pool = new ConnectionPool({
      ...{ host: listener.host, port: listener.port, containerId: 'a client', maxSessions: 1, idleMs: 1 },
      ...{ connectTimeoutMs: 5000, attachTimeoutMs: 10_000, idleTimeOutMs: 30_000 }
    })
  }

  static async open({ host, port }: ArtemisBroker): Promise<Scene> {
    const queue = { name: QUEUE, type: 'queue' } as const
    const options = { name: 'default', host, port, service: SERVICE, addresses: [queue], mqtt: {}, log: LOG }
    const artemis = await openArtemisSpace(options)
    const space = new ServedSpace(artemis)
    return new Scene(artemis, space, await space.listen({ host: '127.0.0.1', port: 0, log: LOG }))
  }

  connect(): ReturnType<ConnectionPool['connect']> {
    return this.#pool.connect({ username: 'full', password: Buffer.from('full secret') })
  }

  async close(): Promise<void> {
    await this.#pool.close()
    await this.#listener.close()
    await this.#artemis.close()
  }
}

describe('the listener beside ActiveMQ Artemis', () => {
  withArtemis([QUEUE], broker => {
    describeContract(beside(artemis(broker), 'one'), ['served-links', 'served-readers'])
    describeContract(beside(artemis(broker), 'listener'), [
      ...(['served-links', 'served-readers', 'links', 'users', 'reply-nodes', 'control-addresses'] as const)
    ])

    it('lets its clients go when the broker is killed, and serves them when it is there again', async () => {
      const scene = await Scene.open(broker())
      try {
        const client = await scene.connect()
        const sender = await client.openSender({ address: QUEUE })
        await scene.signal.until(
          () => (sender.credit > 0 ? true : undefined),
          () => 'credit'
        )
        await new Promise(resolve => sender.send(durable('kept'), resolve))
        const closed: LinkClosed[] = []
        const held: string[] = []
        await client.openReceiver({
          address: QUEUE,
          window: 1,
          onDelivery: ({ message }) => {
            held.push(JSON.stringify(message.body))
            scene.signal.notify()
          },
          onClosed: end => {
            closed.push(end)
            scene.signal.notify()
          }
        })
        await scene.signal.until(
          () => held[0],
          () => 'the message'
        )
        await broker().kill()
        const { cause } = await scene.signal.until(
          () => closed[0],
          () => 'the end of the link'
        )
        assert.notEqual(cause, 'clean')
        await refused(
          client.openSender({ address: 'a' }),
          'amqp:connection:forced',
          'a link without a broker'
        )
        await client.ended
        await assert.rejects(scene.connect())
        await broker().open()
        const again = await scene.connect()
        const got: number[] = []
        await again.openReceiver({
          address: QUEUE,
          window: 1,
          onDelivery: delivery => {
            delivery.settle({ type: 'accepted' })
            got.push(delivery.deliveryCount)
            scene.signal.notify()
          }
        })
        await scene.signal.until(
          () => (got.length > 0 ? true : undefined),
          () => 'the message again'
        )
        const service = await scene.space.connect('service')
        await (await service.openSender({ address: 'a' })).close()
      } finally {
        await scene.close()
      }
    })
  })
})
