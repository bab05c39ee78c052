// The program beside a broker: MQTT clients of others, two gateways, and the broker going away under them.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ArtemisAdmin } from '../fixtures/artemis-admin.js'
import { SERVICE, type ArtemisBroker } from '../fixtures/artemis.js'
import { withArtemis } from '../fixtures/artemis-suite.js'
import { Program, TemporaryDirectory } from '../fixtures/program.js'
import { mosquittoPub, MosquittoSub } from '../interop/clients/mosquitto.js'
import { need } from '../interop/tools.js'

const LOGIN = ['-u', 'full', '-P', 'full secret', '-q', '1']

/** A program that uses the broker. */
class Gateway {
  readonly program: Program
  port = 0
  readonly #subscribers: MosquittoSub[] = []

  private constructor(directory: string, { port }: ArtemisBroker) {
    const file = join(directory, `artemis-${port}.json`)
    const listener = { host: '127.0.0.1', port: 0 }
    const spaces = [{ name: 'default', service: SERVICE, mqtt: { listener } }]
    writeFileSync(file, JSON.stringify({ host: { kind: 'artemis', broker: { port } }, spaces }))
    this.program = new Program(['--config', file])
  }

  static async start(directory: string, broker: ArtemisBroker): Promise<Gateway> {
    const gateway = new Gateway(directory, broker)
    const [space] = await gateway.program.ready()
    gateway.port = Number(space?.mqtt[0]?.split(':').at(-1))
    assert.ok(gateway.port > 0)
    return gateway
  }

  async publish(topic: string, payload: string, ...args: readonly string[]): Promise<void> {
    const sent = await mosquittoPub(this.port, [...LOGIN, '-t', topic, '-m', payload, ...args])
    assert.deepEqual(sent, { code: 0, stderr: '' })
  }

  async subscribe(...args: readonly string[]): Promise<MosquittoSub> {
    const sub = await MosquittoSub.start(this.port, [...LOGIN, ...args])
    this.#subscribers.push(sub)
    return sub
  }

  async kill(): Promise<void> {
    for (const sub of this.#subscribers) await sub.stop()
    await this.program.kill()
  }
}

describe('the program on ActiveMQ Artemis', function () {
  this.timeout(60_000)
  withArtemis([], broker => {
    const directory = new TemporaryDirectory()
    const running: Gateway[] = []
    const start = async (): Promise<Gateway> => {
      const gateway = await Gateway.start(directory.path, broker())
      running.push(gateway)
      return gateway
    }
    before(need('mosquitto'))
    afterEach(async () => {
      for (const gateway of running.splice(0)) await gateway.kill()
    })
    after(() => directory.remove())

    it('carries publications between clients of two gateways', async () => {
      const [one, two] = [await start(), await start()]
      const sub = await one.subscribe('-t', 'm/+/x', '-t', 'n')
      await two.publish('m/1/y', 'not for us')
      await two.publish('m/1/x', 'one')
      await one.publish('n', 'two')
      assert.deepEqual(await sub.lines.take(2), ['m/1/x 1 0 one', 'n 1 0 two'])
      await sub.stop()
    })

    it('keeps for a durable session what comes while it is away, and gives it by another gateway', async () => {
      const [one, two] = [await start(), await start()]
      const session = ['-c', '-i', 'durable', '-t', 'kept/#']
      await (await one.subscribe(...session)).stop()
      await two.publish('kept/1', 'first')
      await two.publish('kept/2', 'second')
      const again = await two.subscribe(...session)
      assert.deepEqual(await again.lines.take(2), ['kept/1 1 0 first', 'kept/2 1 0 second'])
      await again.stop()
    })

    it('keeps a retained message over a restart of the broker', async () => {
      const one = await start()
      await one.publish('retained/a', 'kept', '-r')
      const sub = await one.subscribe('-t', 'retained/#')
      assert.deepEqual(await sub.lines.take(1), ['retained/a 1 1 kept'])
      await sub.stop()
      await one.program.stop()
      await broker().stop()
      await broker().open()
      const two = await start()
      const again = await two.subscribe('-t', 'retained/#')
      assert.deepEqual(await again.lines.take(1), ['retained/a 1 1 kept'])
      await again.stop()
    })

    it('goes on with a durable session and new clients when the broker was started again', async () => {
      const one = await start()
      const sub = await one.subscribe('-c', '-i', 'stays', '-t', 'stays/#')
      await one.publish('stays/1', 'before')
      assert.deepEqual(await sub.lines.take(1), ['stays/1 1 0 before'])
      await broker().kill()
      await broker().open()
      await one.program.waitForLine('the broker is there again')
      await one.publish('stays/2', 'after')
      let [line] = await sub.lines.take(1)
      // the broker may not have heard that the first was received
      if (line === 'stays/1 1 0 before') [line] = await sub.lines.take(1)
      assert.equal(line, 'stays/2 1 0 after')
      await sub.stop()
    })

    it('refuses a client with a wrong password', async () => {
      const one = await start()
      const args = ['-u', 'full', '-P', 'wrong', '-t', 'a', '-m', 'x']
      assert.notEqual((await mosquittoPub(one.port, args)).code, 0)
    })

    it('leaves no address, queue or divert of clients that came and went', async () => {
      const one = await start()
      const admin = await ArtemisAdmin.open(broker())
      // topics in use stay, and records that say that there was something for a while
      const counts = async (): Promise<readonly number[]> => [
        (await admin.addresses()).length,
        (await admin.broker.queueNames()).length,
        (await admin.broker.divertNames()).length
      ]
      const visit = async (i: number): Promise<void> => {
        const sub = await one.subscribe('-i', `visitor-${i}`, '-t', `garbage/${i}`, '-t', 'garbage/all/#')
        await one.publish('garbage/all/x', String(i))
        await sub.lines.take(1)
        await sub.stop()
        // a durable session that its client ends
        await (await one.subscribe('-c', '-i', `durable-${i}`, '-t', `garbage/+/${i}`)).stop()
        await (await one.subscribe('-i', `durable-${i}`, '-t', 'garbage/ended')).stop()
      }
      await visit(0)
      const before = await counts()
      for (let i = 1; i <= 10; i++) await visit(i)
      await admin.until(async () => (await counts()).every((count, i) => count <= (before[i] ?? 0)))
      await admin.close()
    })

    it('leaves no queue or divert of sources behind when it ends', async () => {
      const one = await start()
      const sub = await one.subscribe('-t', 'gone/#')
      await sub.stop()
      await one.program.stop()
      const admin = await ArtemisAdmin.open(broker())
      const left = (await admin.broker.divertNames()).filter(name => name.includes('|s|'))
      await admin.close()
      assert.deepEqual(left, [])
    })
  })
})
