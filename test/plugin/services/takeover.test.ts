// A client id goes from one connection to the next at the Subscription Service: orders, answers, and what comes too late.

import assert from 'node:assert/strict'
import type { AmqpConnection, LinkClosed } from '../../../plugin/host.js'
import { publishAddress } from '../../../plugin/messages/addresses.js'
import { decodeDisconnect } from '../../../plugin/messages/orders.js'
import { mqttOptions, RunningGateway } from '../../fixtures/gateway.js'
import { ServiceClient } from '../../fixtures/service-client.js'

const NOT_ALLOWED = 'amqp:not-allowed'
const QUEUE = publishAddress('x')

describe('takeover of a session at the Subscription Service', () => {
  let service: RunningGateway
  let amqp: AmqpConnection

  async function start(takeoverTimeoutMs = 60_000): Promise<void> {
    service = await RunningGateway.start({
      mqtt: mqttOptions({ services: { takeoverTimeoutMs } })
    })
    amqp = await service.space.connect('service')
  }

  afterEach(() => service.stop())

  async function client(connection: string | undefined, clientId = 'x'): Promise<ServiceClient> {
    const made = new ServiceClient(amqp, clientId, connection)
    await made.attachControl()
    return made
  }

  const filters = async (): Promise<string[]> =>
    (await service.space.routes.list(QUEUE)).map(({ filter }) => filter).sort()

  it('orders the former connection to end where its replies went, and answers when it has', async () => {
    await start()
    const [first, second] = [await client('c1'), await client('c2')]
    assert.equal(await first.list(), 'accepted')
    assert.equal(await first.subscribe('a'), 'accepted')
    const listed = second.list()
    const order = decodeDisconnect(await first.at(1))
    assert.deepEqual(order, { clientId: 'x', connection: 'c1', reason: 0x8e })
    // the same words for another client say nothing
    assert.equal(await first.answer('c1', 'y'), 'accepted')
    assert.deepEqual(second.received, [])
    assert.equal(await first.answer('c1'), 'accepted')
    assert.equal(await listed, 'accepted')
    const { applicationProperties, body } = await second.at(0)
    assert.equal(applicationProperties.get('session-present'), true)
    assert.equal(applicationProperties.get('previous-connection'), 'c1')
    assert.deepEqual(body, { type: 'value', value: new Map([['a', '1']]) })
  })

  it('knows whose connection has ended where two clients name theirs alike', async () => {
    await start()
    const olds = [await client('1'), await client('1', 'y')] as const
    const news = [await client('2'), await client('2', 'y')] as const
    for (const old of olds) await old.list()
    const listed = news.map(each => each.list())
    for (const old of olds) await old.at(1)
    assert.equal(await olds[0].answer('1'), 'accepted')
    assert.equal(await listed[0], 'accepted')
    assert.deepEqual(news[1].received, [])
    assert.equal(await olds[1].answer('1'), 'accepted')
    assert.equal(await listed[1], 'accepted')
  })

  it('serves the former connection until it has ended, and the newer one after that', async () => {
    await start()
    const [first, second] = [await client('c1'), await client('c2')]
    await first.list()
    const listed = second.list()
    await first.at(1)
    const subscribed = second.subscribe('second')
    assert.equal(await first.subscribe('first'), 'accepted')
    assert.deepEqual(await filters(), ['first'])
    await first.answer('c1')
    assert.deepEqual([await listed, await subscribed], ['accepted', 'accepted'])
    assert.deepEqual(await filters(), ['first', 'second'])
  })

  it('goes on at once where nobody is at the former control address', async () => {
    await start()
    const [first, second] = [await client('c1'), await client('c2')]
    await first.list()
    await first.detachControl()
    assert.equal(await second.list(), 'accepted')
  })

  it('closes the receivers of the queue where no answer comes in time', async () => {
    await start(50)
    const [first, second] = [await client('c1'), await client('c2')]
    await first.list()
    const closed = new Promise<LinkClosed>(resolve => {
      void amqp.openReceiver({ address: QUEUE, window: 1, onDelivery: () => undefined, onClosed: resolve })
    })
    assert.equal(await second.list(), 'accepted')
    assert.equal((await closed).error?.condition, 'amqp:resource-deleted')
    // the answer comes too late, and does no harm
    assert.equal(await first.answer('c1'), 'accepted')
    assert.equal(await second.subscribe('a'), 'accepted')
  })

  it('rejects what a former connection asks for, and changes nothing', async () => {
    await start(50)
    const [first, second] = [await client('c1'), await client('c2')]
    await first.list()
    await first.subscribe('a')
    await second.list()
    assert.deepEqual(
      [
        ...[await first.list(), await first.list(true), await first.close(), await first.subscribe('b')],
        await first.unsubscribe('a')
      ],
      [NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED]
    )
    assert.equal(await first.close({ end: true }), 'accepted')
    assert.deepEqual(await filters(), ['a'])
    assert.equal(await second.unsubscribe('a'), 'accepted')
    assert.deepEqual(second.received.length, 1)
  })

  it('remembers who is too late when it starts again', async () => {
    await start(50)
    const [first, second] = [await client('c1'), await client('c2')]
    await first.list()
    await second.list()
    await service.hooks.addressSpaceRemoved('default')
    await service.hooks.addressSpaceAdded(service.space)
    const [stale, current] = [await client('c1'), new ServiceClient(amqp, 'x', 'c2')]
    assert.equal(await stale.subscribe('stale'), NOT_ALLOWED)
    assert.equal(await stale.list(true), NOT_ALLOWED)
    assert.equal(await current.subscribe('current'), 'accepted')
    assert.deepEqual(await filters(), ['current'])
  })

  it('says again that a session is new to whoever made it, when it starts again [MQTT3-3.2.2-3]', async () => {
    await start(50)
    const [first, second] = [await client('c1'), await client('c2')]
    await first.list()
    const restart = async (): Promise<void> => {
      await service.hooks.addressSpaceRemoved('default')
      await service.hooks.addressSpaceAdded(service.space)
    }
    await restart()
    const asked = new ServiceClient(amqp, 'x', 'c1')
    assert.equal(await asked.list(), 'accepted')
    await second.list()
    await restart()
    assert.equal(await second.list(), 'accepted')
    const present = ({ received }: ServiceClient): unknown[] =>
      received
        .filter(({ properties }) => properties.subject === 'subscriptions')
        .map(({ applicationProperties }) => applicationProperties.get('session-present'))
    assert.deepEqual(
      [present(first), present(second)],
      [
        [false, false],
        [true, true]
      ]
    )
  })

  it('takes nothing over for a session that is announced again', async () => {
    await start()
    const [first, second] = [await client('c1'), await client('c2')]
    await first.list()
    assert.equal(await second.list(true), NOT_ALLOWED)
    assert.equal(await first.list(true), 'accepted')
    assert.deepEqual(
      first.received.map(({ properties }) => properties.subject),
      ['subscriptions', 'subscriptions']
    )
  })

  it('lets the last writer win among those that name no connection', async () => {
    await start()
    const [named, nameless] = [await client('c1'), await client(undefined)]
    await named.list()
    assert.equal(await nameless.list(), 'accepted')
    assert.equal(await nameless.subscribe('a'), 'accepted')
    assert.equal(await named.subscribe('b'), 'accepted')
    assert.equal(await nameless.unsubscribe('b'), 'accepted')
    assert.deepEqual(await filters(), ['a'])
    assert.deepEqual(named.received.length, 1)
  })

  it('stops while a takeover waits, and leaves the session to the one that had it', async () => {
    await start()
    const [first, second] = [await client('c1'), await client('c2')]
    await first.list()
    const listed = second.list()
    await first.at(1)
    await service.hooks.addressSpaceRemoved('default')
    assert.equal(await listed, 'released')
    await service.hooks.addressSpaceAdded(service.space)
    assert.equal(await first.subscribe('a'), 'accepted')
    const third = await client('c3')
    const again = third.list()
    await first.at(2)
    await first.answer('c1')
    assert.equal(await again, 'accepted')
    // who waited before the third came is older than the third
    assert.equal(await second.list(), NOT_ALLOWED)
  })
})
