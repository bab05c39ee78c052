// Readers of a broker whose server is another process, and what they see when that process or the broker goes.
// Rule: a link ends with the one that sent on it, and another process may serve after that.

import assert from 'node:assert/strict'
import { listenAmqp, type AmqpListener } from '../../../adapters/rhea/listener/listener.js'
import { openRemoteSpace, type RemoteSpace } from '../../../adapters/remote/index.js'
import type { LinkClosed, ServedReader } from '../../../plugin/host.js'
import { LOG } from '../../contract/embedded.js'
import { Signal } from '../../contract/signal.js'
import { Bench } from '../embedded/broker-fixture.js'
import { message } from '../rhea-client/fixture.js'

const SERVICE = { name: 'plugin', password: 'plugin secret' }
const HOST = '127.0.0.1'
const PREFIX = '$retain.'
const ADDRESS = '$retain.a'

describe('readers whose server is another process', () => {
  let bench: Bench
  let listener: AmqpListener
  let space: RemoteSpace
  let signal: Signal
  /** what happened, in order */
  let events: string[]

  const note = (event: string): void => {
    events.push(event)
    signal.notify()
  }
  const noteEnd =
    (who: string) =>
    ({ cause, error }: LinkClosed): void =>
      note([who, cause, error?.condition].filter(Boolean).join(' '))
  const until = (event: string): Promise<unknown> =>
    signal.until(
      () => events.includes(event) || undefined,
      () => `${event}; there was ${events.join(', ')}`
    )
  const connect = (): Promise<RemoteSpace> =>
    openRemoteSpace({ host: HOST, port: listener.port, service: SERVICE, mqtt: {}, log: LOG, maxSessions: 1 })

  async function read(name: string): Promise<void> {
    const connection = await bench.space.connect('service')
    await connection.openReceiver({
      ...{ name, address: ADDRESS, window: 10 },
      onDelivery: ({ message: { body }, settle }) => {
        settle({ type: 'accepted' })
        note(`${name} got ${body.type === 'value' ? String(body.value) : body.type}`)
      },
      onClosed: noteEnd(name)
    })
  }

  const serve = (by: RemoteSpace, who: string): ReturnType<RemoteSpace['serveReaders']> =>
    by.serveReaders(
      PREFIX,
      reader =>
        reader.accept({
          onCredit: () => reader.send(message(who)),
          onClosed: noteEnd(`${who}'s link`)
        }),
      () => note(`${who} lost`)
    )

  beforeEach(async () => {
    events = []
    signal = new Signal(5000)
    bench = await Bench.open({ service: SERVICE })
    listener = await listenAmqp(bench.space, { host: HOST, port: 0, log: LOG })
    space = await connect()
  })
  afterEach(async () => {
    await space.close()
    await listener.close()
    await bench.close()
  })

  it('end with the process that serves them, and another one may serve then', async () => {
    const first = await connect()
    await serve(first, 'first')
    await assert.rejects(serve(space, 'second'), { condition: 'amqp:resource-locked' })
    await read('ann')
    await until('ann got first')
    await first.close()
    await until('ann error amqp:link:detach-forced')
    await assert.rejects(read('bob'), { condition: 'amqp:not-found' })
    await serve(space, 'second')
    await read('bob')
    await until('bob got second')
    assert.deepEqual(events, ['ann got first', 'ann error amqp:link:detach-forced', 'bob got second'])
  })

  it('are orphaned at a server that loses its broker, which is told that it serves no more', async () => {
    await serve(space, 'server')
    await read('ann')
    await until('ann got server')
    await listener.close(0)
    await until('server lost')
    await until('ann error amqp:link:detach-forced')
    assert.deepEqual(
      events.filter(event => event.startsWith('server')),
      ["server's link orphaned", 'server lost']
    )
  })

  it('are refused when their server goes before it has decided', async () => {
    const first = await connect()
    let asked = (): void => undefined
    const asking = new Promise<void>(resolve => (asked = resolve))
    // a process that hangs: it has been told of the link, and says nothing
    const connection = await first.connect('service')
    const capable = { capabilities: ['mqtt-over-amqp:serve-readers'] }
    await connection.openReceiver({ address: PREFIX, window: 10, onDelivery: () => asked(), ...capable })
    const refused = assert.rejects(read('ann'), { condition: 'amqp:link:detach-forced' })
    await asking
    await first.close()
    await refused
  })

  it('end at their server though they went before it took them, and so do clients that send to it', async () => {
    const onClosed = noteEnd('link')
    const readers: ServedReader[] = []
    await space.serveReaders(PREFIX, reader => {
      readers.push(reader)
      reader.accept({ onCredit: () => undefined, onClosed })
    })
    await space.serve('$lwt', link => link.accept({ window: 1, onDelivery: () => undefined, onClosed }))
    for (const act of ['close', 'lose'] as const) {
      const connection = await bench.space.connect('service')
      const opening = Promise.allSettled([
        connection.openReceiver({ address: ADDRESS, window: 1, onDelivery: () => undefined }),
        connection.openSender({ address: '$lwt' })
      ])
      await connection[act]()
      for (const each of await opening) assert.equal(each.status, 'rejected')
    }
    await signal.until(
      () => events[3],
      () => `four ends; there was ${events.join(', ')}`
    )
    assert.deepEqual(events.sort(), ['link clean', 'link clean', 'link lost', 'link lost'])
    assert.equal(readers[0]?.credit, 0)
  })
})
