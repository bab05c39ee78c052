// A space whose broker, in another process, goes and comes back at the same place, on the same data.
// Rule: what was under way fails by its name, and what is asked afterwards is asked of the broker that is there then.

import assert from 'node:assert/strict'
import { listenAmqp, type AmqpListener } from '../../../adapters/rhea/listener/listener.js'
import { openEmbeddedSpace, type EmbeddedSpace } from '../../../adapters/embedded/index.js'
import { openRemoteSpace, type RemoteSpace } from '../../../adapters/remote/index.js'
import { AmqpError } from '../../../plugin/errors.js'
import type { LinkClosed, Logger, ServedLink } from '../../../plugin/host.js'
import { LOG } from '../../contract/embedded.js'
import { Signal } from '../../contract/signal.js'
import { TemporaryDirectory } from '../../fixtures/program.js'
import { message } from '../rhea-client/fixture.js'

const SERVICE = { name: 'plugin', password: 'plugin secret' }
const HOST = '127.0.0.1'
const ADDRESS = '$mqtt.served'

describe('a space whose broker goes and comes back', () => {
  const directory = new TemporaryDirectory()
  let broker: EmbeddedSpace
  let listener: AmqpListener
  let space: RemoteSpace
  let lines: string[]
  let signal: Signal
  const log: Logger = {
    ...LOG,
    warn: (_fields, line) => noted(line),
    info: (_fields, line) => noted(line)
  }

  function noted(line: string): void {
    lines.push(line)
    signal.notify()
  }

  async function startBroker(port: number): Promise<void> {
    broker = await openEmbeddedSpace({
      ...{ name: 'default', directory: directory.path, anonymous: true, users: [], service: SERVICE },
      ...{ addresses: [], mqtt: undefined, log: LOG }
    })
    listener = await listenAmqp(broker, { host: HOST, port, log: LOG })
  }

  async function stopBroker(): Promise<void> {
    await listener.close()
    await broker.close()
  }

  beforeEach(async () => {
    lines = []
    signal = new Signal(5000)
    await startBroker(0)
    space = await openRemoteSpace({ host: HOST, port: listener.port, service: SERVICE, mqtt: {}, log })
  })
  afterEach(async () => {
    await space.close()
    await stopBroker()
  })
  after(() => directory.remove())

  const refused = (error: unknown): boolean =>
    error instanceof AmqpError && error.condition === 'amqp:connection:forced'

  it('answers requests again, with what was stored, and logs users in', async () => {
    const store = await space.store('records')
    await store.put('key', message('kept'))
    const { port } = listener
    await stopBroker()
    await assert.rejects(store.get('key'), refused)
    await assert.rejects(space.authenticate({ mechanism: 'ANONYMOUS' }), refused)
    await startBroker(port)
    assert.deepEqual((await store.get('key'))?.body, { type: 'value', value: 'kept' })
    const answer = await space.authenticate({ mechanism: 'ANONYMOUS' })
    assert.ok('principal' in answer)
    const connection = await space.connect(answer.principal)
    const sender = await connection.openSender({ address: 'topic' })
    await sender.close()
  })

  it('answers many requests at once after many at once failed', async () => {
    const store = await space.store('records')
    const ask = () => Promise.allSettled(Array.from({ length: 50 }, (_, i) => store.get(`${i}`)))
    const { port } = listener
    const lost = ask()
    await stopBroker()
    await lost
    for (const result of await ask()) assert.equal(result.status, 'rejected')
    await startBroker(port)
    for (const result of await ask()) assert.equal(result.status, 'fulfilled')
  })

  it('says of a source that it is lost, and gives another one', async () => {
    const closed: LinkClosed[] = []
    const received: unknown[] = []
    const options = {
      window: 10,
      onDelivery: () => undefined,
      onClosed: (how: LinkClosed) => {
        closed.push(how)
        signal.notify()
      }
    }
    await space.source('a/#', options)
    const { port } = listener
    await stopBroker()
    await signal.until(
      () => closed[0],
      () => 'the end of the source'
    )
    await startBroker(port)
    await space.source('a/#', {
      ...options,
      onDelivery: ({ message: { body }, settle }) => {
        received.push(body)
        settle({ type: 'accepted' })
        signal.notify()
      }
    })
    const connection = await space.connect('service')
    const sender = await connection.openSender({ address: 'a/b' })
    sender.send(message('after'))
    await signal.until(
      () => received[0],
      () => 'a publication'
    )
    assert.deepEqual(received, [{ type: 'value', value: 'after' }])
    assert.equal(closed.length, 1)
  })

  it('says of an address that it serves it no more, and of its links that they are orphaned; another may serve it', async () => {
    const told: unknown[] = []
    const tell = (what: unknown): void => {
      told.push(what)
      signal.notify()
    }
    const onLink = (link: ServedLink): void =>
      link.accept({ window: 10, onDelivery: ({ settle }) => settle({ type: 'accepted' }), onClosed: tell })
    await space.serve(ADDRESS, onLink, () => tell('lost'))
    const client = await broker.connect('service')
    await client.openSender({ address: ADDRESS })
    const { port } = listener
    await stopBroker()
    await signal.until(
      () => told[1],
      () => 'the end of the link and of the address'
    )
    await startBroker(port)
    await space.serve(ADDRESS, onLink)
    const again = await broker.connect('service')
    await again.openSender({ address: ADDRESS })
    assert.deepEqual(told, [{ cause: 'orphaned' }, 'lost'])
  })

  it('logs one line when the broker goes, however long that is, and one when it is there again', async () => {
    const { port } = listener
    await stopBroker()
    for (let tries = 0; tries < 5; tries++)
      await assert.rejects(space.authenticate({ mechanism: 'ANONYMOUS' }), refused)
    await startBroker(port)
    await signal.until(
      () => lines[1],
      () => 'the line that says that it is back'
    )
    assert.deepEqual(lines, ['the broker is gone; it is tried again', 'the broker is there again'])
  })
})
