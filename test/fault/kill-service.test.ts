// kill -9 of the active Subscription Service while clients of two gateways subscribe and unsubscribe.
// Rule: the one that stands by becomes active, no client loses its connection, and each request is answered as if nothing had
// happened; publications that flow meanwhile do not notice.

import assert from 'node:assert/strict'
import { connect, publish } from '../fixtures/mqtt-bytes.js'
import { MqttSocket } from '../fixtures/mqtt-socket.js'
import { Cluster, type Member } from './cluster.js'
import { drain, publishEnd } from './drained.js'
import { flowUntil } from './flow.js'
import { Publisher } from './publisher.js'
import { rounds } from './random.js'
import { storedBefore } from './verdict.js'

const QUEUE = 'ledger'
/** acknowledgements before the fault */
const MOST = 800
const ACTIVE = 'the subscription service is active now'
const STANDS_BY = 'another subscription service is active: this one stands by'

/** A client that subscribes and unsubscribes, one request after the other. */
class Churner {
  readonly #client: MqttSocket
  readonly #name: string
  #stopped = false
  #ended: Promise<void> = Promise.resolve()
  requests = 0

  private constructor(client: MqttSocket, name: string) {
    this.#client = client
    this.#name = name
  }

  static async start(port: number, name: string, onAnswer: () => void): Promise<Churner> {
    const client = await MqttSocket.open(port)
    client.send(connect({ clientId: name }))
    assert.deepEqual(await client.next(), { cmd: 'connack', sessionPresent: false, returnCode: 0 })
    assert.deepEqual(await client.subscribe([`${name}/stays`, 1]), [1])
    const churner = new Churner(client, name)
    churner.#ended = churner.#run(onAnswer)
    churner.#ended.catch(() => undefined) // stop() tells
    return churner
  }

  /** Throws where a request was not answered as it should; what it has now is what it asked for. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#ended
    await this.#client.publish(`${this.#name}/goes`)
    const own = this.#client.nextPublish()
    this.#client.send(publish(`${this.#name}/stays`, ''))
    assert.equal((await own).topic, `${this.#name}/stays`)
    await this.#client.disconnect()
  }

  async #run(onAnswer: () => void): Promise<void> {
    while (!this.#stopped) {
      assert.deepEqual(await this.#client.subscribe([`${this.#name}/goes`, 1]), [1])
      await this.#client.unsubscribe(`${this.#name}/goes`)
      this.requests += 2
      onAnswer()
    }
  }
}

describe('kill -9 of the active Subscription Service, of two', () => {
  let cluster: Cluster
  let active: Member
  let standby: Member

  before(async () => {
    cluster = await Cluster.open({ timeoutMs: 5000, takeoverTimeoutMs: 2000 })
    ;[active, standby] = cluster.services
    const amqp = await cluster.amqp()
    await amqp.subscribe(QUEUE, { 'fault/#': '1' })
    await amqp.close()
  })
  after(() => cluster.close())

  for (const { name, random } of rounds(5, 0.5)) {
    it(`has the other take its place; clients go on (${name}) [MQTT3-3.8.4-1] [MQTT3-3.10.4-4]`, async () => {
      const wanted = random.between(1, 60)
      let reached: (() => void) | undefined
      const instant = new Promise<void>(resolve => (reached = resolve))
      const churners: Churner[] = []
      const onAnswer = (): void => {
        if (churners.reduce((sum, { requests }) => sum + requests, 0) >= wanted) reached?.()
      }
      for (const [i, { port }] of [...cluster.gateways, ...cluster.gateways].entries())
        churners.push(await Churner.start(port, `churns-${i}`, onAnswer))
      const publishers = cluster.gateways.map((_, i) => new Publisher(`p${i}`, `fault/flow/${i}`))
      await Promise.all([instant, flowUntil(publishers, i => cluster.gateways[i]?.port ?? 0, random, MOST)])
      await active.kill()
      await standby.program.waitForLine(ACTIVE)
      await Promise.all(churners.map(churner => churner.stop()))
      await Promise.all(publishers.map(publisher => publisher.stop()))
      await publishEnd(cluster.gateways[0].port)
      const amqp = await cluster.amqp()
      // the next one has the sessions, too
      await amqp.subscribe(QUEUE, { [`more/${wanted}`]: '1' })
      storedBefore(await drain(amqp, QUEUE), new Map(publishers.map(p => [p.name, p.count])))
      await amqp.close()
      await active.start()
      await active.program.waitForLine(STANDS_BY)
      ;[active, standby] = [standby, active]
    })
  }
})
