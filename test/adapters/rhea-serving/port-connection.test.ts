import assert from 'node:assert/strict'
import type { Receiver } from '../../../plugin/host.js'
import {
  AMQP_HEADER,
  attachReceiver,
  attachSender,
  flow,
  frame,
  SASL_HEADER,
  symbol
} from '../../fixtures/amqp-frames.js'
import { RawAmqp } from '../../fixtures/raw-amqp.js'
import { message, textOf } from '../embedded/broker-fixture.js'
import { refusalOf, Scene, SERVICE } from './scene.js'

const QUEUE = '$mqtt.to.c1.publish'

describe('AMQP clients of a listener beside a host, and the host', () => {
  let scene: Scene

  beforeEach(async () => {
    scene = await Scene.open()
  })

  afterEach(() => scene.close())

  it('leave what they had not settled when they vanished, as delivered in vain', async () => {
    await scene.bench.space.queues.create(QUEUE)
    const service = await scene.space.connect('service')
    const sender = await service.openSender({ address: QUEUE })
    for (const text of ['1', '2']) {
      await new Promise(resolve => sender.send(message(text), resolve))
    }
    const client = await scene.connect()
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
        scene.signal.notify()
      }
    })
    await scene.until(() => (got.length < 2 ? undefined : got), 'both messages')
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
    const client = await scene.connect()
    client.write(attachReceiver('work'), flow(5), flow(0, { echo: true }))
    await client.next('flow')
    const service = await scene.space.connect('service')
    const sender = await service.openSender({ address: 'work' })
    await new Promise(resolve => sender.send(message('1'), resolve))
    const other = await scene.connect()
    other.write(attachReceiver('work'), flow(1))
    await other.next('transfer')
    client.write(flow(0, { echo: true }))
    await client.next('flow')
    assert.equal(client.frames.filter(({ name }) => name === 'transfer').length, 0)
  })

  it('have the receivers that they asked for when they send, however long those take to open', async () => {
    const { texts } = await scene.serve()
    let open: (nothing: void) => void = () => undefined
    scene.host.receiving = new Promise(resolve => (open = resolve))
    const client = await scene.connect()
    client.write(
      attachReceiver('a/b', { name: 'r' }),
      flow(5),
      attachSender(SERVICE, { name: 's', handle: 1 })
    )
    const other = await scene.connect()
    other.write(attachSender(SERVICE, { name: 'other' }))
    await other.next('flow')
    assert.equal(client.frames.filter(({ name }) => name === 'attach').length, 0)
    open()
    const names = [(await client.next('attach')).fields[0], (await client.next('attach')).fields[0]]
    assert.deepEqual(names, ['r', 's'])
    assert.deepEqual(texts, [])
  })

  it('are let go when the host is gone, for they may come back to one that is not', async () => {
    const client = await scene.connect()
    client.write(attachReceiver('a/b'), flow(5))
    await client.next('attach')
    scene.host.fail()
    const [, , error] = (await client.next('detach')).fields
    assert.equal((error as unknown[])[0], 'amqp:connection:forced')
    client.write(attachReceiver('c', { name: 'next', handle: 1 }))
    const [closing] = (await client.next('close')).fields
    assert.equal((closing as unknown[])[0], 'amqp:connection:forced')
    await client.ended
  })

  it('keep their connection when a server in another process does not answer', async () => {
    scene.host.down = true
    const client = await scene.connect()
    client.write(attachSender(SERVICE))
    assert.equal(await refusalOf(client), 'amqp:link:detach-forced')
    client.write(attachReceiver('$retain.a', { name: 'r', handle: 1 }))
    assert.equal(await refusalOf(client), 'amqp:link:detach-forced')
    client.write(flow(0, { handle: null, echo: true }))
    await client.next('flow')
  })

  it('are offered ANONYMOUS as the host has answered a while ago', async () => {
    for (let i = 0; i < 3; i++) await scene.connect()
    const asked = scene.host.logins.length
    assert.equal(asked, 1)
    // a name is asked for each time
    const client = scene.keep(new RawAmqp(scene.listener.port))
    client.write(
      SASL_HEADER,
      frame('saslInit', 0, [symbol('PLAIN'), Buffer.from('\0nobody\0x')]),
      AMQP_HEADER
    )
    await client.ended
    assert.deepEqual(scene.host.logins.slice(asked), ['PLAIN'])
  })

  it('have their connections closed when it closes', async () => {
    const client = await scene.connect()
    await scene.listener.close()
    const [error] = (await client.next('close')).fields
    assert.equal((error as unknown[])[0], 'amqp:connection:forced')
    assert.deepEqual(
      scene.lines.filter(({ level }) => level === 'warn' || level === 'error'),
      []
    )
  })
})
