// A listener beside a host that a test takes things away from, with clients of it and a server that takes every link.
// Rule: what a test opens here is closed after it.

import type { AmqpListener } from '../../../adapters/rhea/listener/listener.js'
import { ServedSpace } from '../../../adapters/rhea/serving/served-space.js'
import type { LinkClosed, ServedLink } from '../../../plugin/host.js'
import { Signal } from '../../contract/signal.js'
import { RawAmqp } from '../../fixtures/raw-amqp.js'
import { Bench, recordingLog, type LogLine } from '../embedded/broker-fixture.js'
import { WatchedHost } from './watched-host.js'

export const SERVICE = '$mqtt.subscriptionservice'

/** What a server saw. */
export interface Seen {
  readonly links: ServedLink[]
  /** subjects of messages */
  readonly texts: string[]
  readonly closed: LinkClosed[]
  /** how many links had closed each time it was told that it lost its place */
  readonly lost: number[]
}

export class Scene {
  readonly bench: Bench
  readonly host: WatchedHost
  readonly space: ServedSpace
  readonly lines: LogLine[] = []
  readonly signal = new Signal(5000)
  readonly #clients: RawAmqp[] = []
  #listener: AmqpListener | undefined

  private constructor(bench: Bench) {
    this.bench = bench
    this.host = new WatchedHost(bench.space)
    this.space = new ServedSpace(this.host.space)
  }

  static async open(): Promise<Scene> {
    const scene = new Scene(await Bench.open())
    const log = recordingLog(scene.lines)
    scene.#listener = await scene.space.listen({ host: '127.0.0.1', port: 0, log })
    return scene
  }

  get listener(): AmqpListener {
    if (this.#listener === undefined) throw new Error('not open')
    return this.#listener
  }

  until<T>(read: () => T | undefined, what: string): Promise<T> {
    return this.signal.until(read, () => what)
  }

  /** Logged in as nobody. */
  async connect(): Promise<RawAmqp> {
    return this.keep(await RawAmqp.open(this.listener.port))
  }

  keep(client: RawAmqp): RawAmqp {
    this.#clients.push(client)
    return client
  }

  async serve(): Promise<Seen> {
    const seen: Seen = { links: [], texts: [], closed: [], lost: [] }
    const noted = <T>(list: T[], what: T): void => {
      list.push(what)
      this.signal.notify()
    }
    await this.space.serve(
      SERVICE,
      link => {
        link.accept({
          window: 10,
          onDelivery: delivery => {
            delivery.settle({ type: 'accepted' })
            noted(seen.texts, delivery.message.properties.subject ?? '')
          },
          onClosed: closed => noted(seen.closed, closed)
        })
        noted(seen.links, link)
      },
      () => noted(seen.lost, seen.closed.length)
    )
    return seen
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close()
    await this.listener.close()
    await this.bench.close()
  }
}

/** The condition of the detach that follows a null terminus. */
export async function refusalOf(client: RawAmqp): Promise<unknown> {
  await client.next('attach')
  const [, , error] = (await client.next('detach')).fields
  return (error as unknown[] | null)?.[0]
}
