import assert from 'node:assert/strict'
import type { AmqpListener } from '../../../adapters/rhea/listener/listener.js'
import { ServedSpace } from '../../../adapters/rhea/serving/served-space.js'
import type { LinkClosed, Receiver, ServedLink, ServedReader } from '../../../plugin/host.js'
import { refused } from '../../contract/peer.js'
import { Signal } from '../../contract/signal.js'
import {
  AMQP_HEADER,
  amqpError,
  attachReceiver,
  attachSender,
  detach,
  flow,
  frame,
  SASL_HEADER,
  symbol,
  transfer
} from '../../fixtures/amqp-frames.js'
import { bytes, subjectOf } from '../../fixtures/amqp-links.js'
import { RawAmqp } from '../../fixtures/raw-amqp.js'
import { Bench, message, recordingLog, textOf, type LogLine } from '../embedded/broker-fixture.js'
import { WatchedHost } from './watched-host.js'

const SERVICE = '$mqtt.subscriptionservice'
const QUEUE = '$mqtt.to.c1.publish'

describe('AMQP clients of a listener beside a host', () => {
  let bench: Bench
  let host: WatchedHost
  let space: ServedSpace
  let listener: AmqpListener
  let lines: LogLine[]
  let signal: Signal
  const clients: RawAmqp[] = []

  const until = <T>(read: () => T | undefined, what: string): Promise<T> => signal.until(read, () => what)
  const connect = async (): Promise<RawAmqp> => {
    const client = await RawAmqp.open(listener.port)
    clients.push(client)
    return client
  }
  /** A null terminus, and the condition of the detach that follows. */
  const refusalOf = async (client: RawAmqp): Promise<unknown> => {
    await client.next('attach')
    const [, , error] = (await client.next('detach')).fields
    return (error as unknown[] | null)?.[0]
  }
  /** Takes every link, and shows it and its end. */
  async function serve(): Promise<{
    links: ServedLink[]
    texts: string[]
    closed: LinkClosed[]
    lost: number[]
  }> {
    const seen = {
      links: [] as ServedLink[],
      texts: [] as string[],
      closed: [] as LinkClosed[],
      lost: [] as number[]
    }
    await space.serve(
      SERVICE,
      link => {
        seen.links.push(link)
        link.accept({
          window: 10,
          onDelivery: ({ message: { properties }, settle }) => {
            seen.texts.push(properties.subject ?? '')
            settle({ type: 'accepted' })
            signal.notify()
          },
          onClosed: closed => {
            seen.closed.push(closed)
            signal.notify()
          }
        })
        signal.notify()
      },
      () => {
        seen.lost.push(seen.closed.length)
        signal.notify()
      }
    )
    return seen
  }

  beforeEach(async () => {
    signal = new Signal(5000)
    lines = []
    bench = await Bench.open()
    host = new WatchedHost(bench.space)
    space = new ServedSpace(host.space)
    listener = await space.listen({ host: '127.0.0.1', port: 0, log: recordingLog(lines) })
  })

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close()
    await listener.close()
    await bench.close()
  })

  it('reach a server in this process without a connection to the host', async () => {
    const { links, texts } = await serve()
    const client = await connect()
    client.write(attachSender(SERVICE, { name: 'mine' }))
    await client.next('flow')
    client.write(transfer(bytes('request')))
    await client.next('disposition')
    assert.deepEqual(texts, ['request'])
    const [link] = links
    assert.ok(link !== undefined && link.user !== 'service')
    assert.deepEqual([link.name, link.address, link.user.name], ['mine', SERVICE, 'anonymous'])
    assert.equal(host.connections.length, 0)
  })

  it('are told apart by a server: who detached, who said why, and who vanished', async () => {
    const { closed } = await serve()
    for (const end of [detach(0), detach(0, { error: amqpError('amqp:link:detach-forced') }), undefined]) {
      const client = await connect()
      client.write(attachSender(SERVICE))
      await client.next('flow')
      const known = closed.length
      if (end === undefined) client.close()
      else client.write(end)
      await until(() => closed[known], 'the end of the link')
    }
    assert.deepEqual(
      closed.map(({ cause, error }) => [cause, error?.condition]),
      [
        ['clean', undefined],
        ['error', 'amqp:link:detach-forced'],
        ['lost', undefined]
      ]
    )
  })

  it('lose their links when the server loses its place, which hears of it once, after its links', async () => {
    const { closed, lost } = await serve()
    const client = await connect()
    client.write(attachSender(SERVICE))
    await client.next('flow')
    const inProcess = await space.connect('service')
    const ends: LinkClosed[] = []
    await inProcess.openSender({ address: SERVICE, onClosed: end => void ends.push(end) })
    for (const takeAway of host.places) takeAway()
    const [, , error] = (await client.next('detach')).fields
    assert.equal((error as unknown[])[0], 'amqp:link:detach-forced')
    assert.deepEqual(
      closed.map(({ cause }) => cause),
      ['orphaned', 'orphaned']
    )
    assert.deepEqual(lost, [2])
    assert.deepEqual(
      ends.map(({ cause }) => cause),
      ['error']
    )
    await refused(inProcess.openSender({ address: SERVICE }), 'amqp:not-found', 'an attach without a server')
    await serve() // another may have the place
  })

  it('read what is served to them, and the server learns of a place it lost', async () => {
    const closed: LinkClosed[] = []
    let reader: ServedReader | undefined
    await space.serveReaders('$retain.', offered => {
      reader = offered
      const pump = (): void => offered.send(message('kept', { properties: { subject: offered.address } }))
      offered.accept({ onCredit: pump, onClosed: end => void closed.push(end) })
    })
    const client = await connect()
    client.write(attachReceiver('$retain.a'), flow(1))
    assert.equal(subjectOf((await client.next('transfer')).payload), '$retain.a')
    assert.equal(reader?.address, '$retain.a')
    for (const takeAway of host.places) takeAway()
    await client.next('detach')
    assert.deepEqual(
      closed.map(({ cause }) => cause),
      ['orphaned']
    )
  })

  it('leave what they had not settled when they vanished, as delivered in vain', async () => {
    await bench.space.queues.create(QUEUE)
    const service = await space.connect('service')
    const sender = await service.openSender({ address: QUEUE })
    for (const text of ['1', '2']) {
      await new Promise(resolve => sender.send(message(text), resolve))
    }
    const client = await connect()
    client.write(attachReceiver(QUEUE), flow(1))
    await client.next('transfer')
    client.close()
    const got: [string, number][] = []
    const receiver: Receiver = await service.openReceiver({
      address: QUEUE,
      window: 10,
      onDelivery: delivery => {
        got.push([textOf(delivery.message), delivery.deliveryCount])
        delivery.settle({ type: 'accepted' })
        signal.notify()
      }
    })
    await until(() => (got.length < 2 ? undefined : got), 'both messages')
    assert.deepEqual(
      got.sort(([a], [b]) => a.localeCompare(b)),
      [
        ['1', 1],
        ['2', 0]
      ]
    )
    await receiver.close()
  })

  it('get nothing for credit that they took back, and it is there for the next', async () => {
    const client = await connect()
    client.write(attachReceiver('work'), flow(5), flow(0, { echo: true }))
    await client.next('flow')
    const service = await space.connect('service')
    const sender = await service.openSender({ address: 'work' })
    await new Promise(resolve => sender.send(message('1'), resolve))
    const other = await connect()
    other.write(attachReceiver('work'), flow(1))
    await other.next('transfer')
    client.write(flow(0, { echo: true }))
    await client.next('flow')
    assert.equal(client.frames.filter(({ name }) => name === 'transfer').length, 0)
  })

  it('have the receivers that they asked for when they send, however long those take to open', async () => {
    const { texts } = await serve()
    let open: (nothing: void) => void = () => undefined
    host.receiving = new Promise(resolve => (open = resolve))
    const client = await connect()
    client.write(
      attachReceiver('a/b', { name: 'r' }),
      flow(5),
      attachSender(SERVICE, { name: 's', handle: 1 })
    )
    const other = await connect()
    other.write(attachSender(SERVICE, { name: 'other' }))
    await other.next('flow')
    assert.equal(client.frames.filter(({ name }) => name === 'attach').length, 0)
    open()
    const names = [(await client.next('attach')).fields[0], (await client.next('attach')).fields[0]]
    assert.deepEqual(names, ['r', 's'])
    assert.deepEqual(texts, [])
  })

  it('are let go when the host is gone, for they may come back to one that is not', async () => {
    const client = await connect()
    client.write(attachReceiver('a/b'), flow(5))
    await client.next('attach')
    host.fail()
    const [, , error] = (await client.next('detach')).fields
    assert.equal((error as unknown[])[0], 'amqp:connection:forced')
    client.write(attachReceiver('c', { name: 'next', handle: 1 }))
    const [closing] = (await client.next('close')).fields
    assert.equal((closing as unknown[])[0], 'amqp:connection:forced')
    await client.ended
  })

  it('get the reason for what they may not use', async () => {
    await serve()
    const client = await connect()
    client.write(attachSender('$mqtt.nothing'))
    assert.equal(await refusalOf(client), 'amqp:unauthorized-access')
    client.write(attachReceiver(SERVICE, { name: 'r', handle: 1 }))
    assert.notEqual(await refusalOf(client), undefined)
    client.write(attachReceiver('$retain.a', { name: 'unserved', handle: 2 }))
    assert.equal(await refusalOf(client), 'amqp:not-found')
    client.write(attachSender('$mqtt.gw.0.control', { name: 'order', handle: 3 }))
    assert.equal(await refusalOf(client), 'amqp:unauthorized-access')
  })

  it('are offered ANONYMOUS as the host has answered a while ago', async () => {
    for (let i = 0; i < 3; i++) await connect()
    const asked = host.logins.length
    assert.equal(asked, 1)
    // a name is asked for each time
    const client = new RawAmqp(listener.port)
    clients.push(client)
    client.write(
      SASL_HEADER,
      frame('saslInit', 0, [symbol('PLAIN'), Buffer.from('\0nobody\0x')]),
      AMQP_HEADER
    )
    await client.ended
    assert.deepEqual(host.logins.slice(asked), ['PLAIN'])
  })

  it('have their connections closed when it closes', async () => {
    const client = await connect()
    await listener.close()
    const [error] = (await client.next('close')).fields
    assert.equal((error as unknown[])[0], 'amqp:connection:forced')
    assert.deepEqual(
      lines.filter(({ level }) => level === 'warn' || level === 'error'),
      []
    )
  })
})
