// One active Subscription Service and others that stand by: the place of one that stops, or is killed at any step, is taken.

import assert from 'node:assert/strict'
import { publishAddress } from '../../../plugin/messages/addresses.js'
import { changedSpace, mqttOptions, RunningGateway, type GatewayOptions } from '../../fixtures/gateway.js'
import { Killable } from '../../fixtures/killable.js'
import { connect, publish } from '../../fixtures/mqtt-bytes.js'
import { ServiceClient } from '../../fixtures/service-client.js'

const CONNACK = { cmd: 'connack', sessionPresent: false, returnCode: 0 }
const ACTIVE = 'the subscription service is active now'

describe('a Subscription Service that stands by', () => {
  const running: RunningGateway[] = []

  async function start(options: GatewayOptions): Promise<RunningGateway> {
    const on = running[0]?.space
    const gateway = await RunningGateway.start(on === undefined ? options : { on, ...options })
    running.push(gateway)
    return gateway
  }

  /** The process that has the space, and does nothing else that counts here. */
  const startHost = (): Promise<RunningGateway> => start({ mqtt: undefined })
  const startGateway = (options: GatewayOptions = {}): Promise<RunningGateway> =>
    start({ roles: ['gateway'], ...options })
  const startService = (options: GatewayOptions = {}): Promise<RunningGateway> =>
    start({ roles: ['subscription'], ...options })

  afterEach(async () => {
    // what a killed process still tries is refused, and it says so
    for (const gateway of running.splice(0).reverse()) {
      gateway.take('error')
      await gateway.stop()
    }
  })

  const isActive = (service: RunningGateway): boolean =>
    service.lines.some(({ message }) => message === ACTIVE)

  it('waits while another one is active, and takes its place when that stops', async () => {
    await startHost()
    const first = await startService()
    const second = await startService()
    assert.equal(second.status()?.state, 'ready')
    const gateway = await startGateway()
    const before = await gateway.connect('before')
    assert.equal(isActive(second), false)
    await first.closeHost()
    const after = await gateway.connect('after')
    assert.equal(isActive(second), true)
    assert.deepEqual(await before.subscribe(['a', 1]), [1])
    assert.deepEqual(await after.subscribe(['a', 1]), [1])
  })

  it('steps back when the host lets another one serve its addresses, though no client has a link there', async () => {
    await startHost()
    let lose = (): void => undefined
    const first = await startService({
      wrap: space =>
        changedSpace(space, {
          serve: async (address, onLink, onLost) => {
            const [before, served] = [lose, await space.serve(address, onLink)]
            lose = () => {
              before()
              void served.close()
              onLost?.()
            }
            return served
          }
        })
    })
    const second = await startService()
    lose()
    assert.deepEqual(
      first.take('warn').map(({ message }) => message),
      ['the host lost the subscription service: it starts again']
    )
    const gateway = await startGateway()
    assert.deepEqual(await (await gateway.connect('client')).subscribe(['a', 1]), [1])
    // one of them: whoever was first
    assert.deepEqual([first, second].map(isActive).sort(), [false, true])
  })

  it('lets clients wait while there is none, for as long as a request may take', async () => {
    await startHost()
    const gateway = await startGateway()
    const early = await gateway.openWith(connect({ clientId: 'early' }))
    await startService()
    assert.deepEqual(await early.next(), CONNACK)
    const short = mqttOptions({ services: { timeoutMs: 50 } })
    const killed = new Killable()
    const other = await startGateway({ mqtt: short, wrap: killed.wrap })
    await running[2]?.closeHost()
    const late = await other.openWith(connect({ clientId: 'late' }))
    assert.deepEqual(await late.untilClosed(), [{ ...CONNACK, returnCode: 3 }])
  })

  it('learns of clients and their filters from their gateways, and drops nobody', async () => {
    await startHost()
    const killed = new Killable()
    const mqtt = mqttOptions({ limits: { filtersPerClient: 3 } })
    await startService({ wrap: killed.wrap, mqtt })
    const second = await startService({ mqtt })
    const gateways = [await startGateway({ mqtt }), await startGateway({ mqtt })]
    const clients = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        (gateways[index % 2] ?? assert.fail()).connect(`client-${index}`)
      )
    )
    for (const client of clients) assert.deepEqual(await client.subscribe(['a', 1], ['b', 0]), [1, 0])
    killed.kill()
    const codes = await Promise.all(clients.map(client => client.subscribe(['c', 1], ['d', 1])))
    assert.deepEqual(
      codes,
      clients.map(() => [1, 0x80])
    )
    assert.ok(isActive(second))
    clients[0]?.send(publish('a', 'to all'))
    for (const client of clients) assert.equal((await client.nextPublish()).payload, 'to all')
  })

  it('takes a client over that it knows from its gateway alone', async () => {
    await startHost()
    const killed = new Killable()
    await startService({ wrap: killed.wrap })
    await startService()
    const [a, b] = [await startGateway(), await startGateway()]
    const first = await a.connect('same')
    killed.kill()
    assert.deepEqual(await first.subscribe(['a', 1]), [1])
    const second = await b.connect('same')
    assert.deepEqual(await first.untilClosed(), [])
    assert.deepEqual(await second.subscribe(['a', 1]), [1])
  })

  it('leaves one connection wherever in a takeover the active one is killed', async () => {
    await startHost()
    let killed = true
    let step = 0
    for (; killed; step++) {
      const killable = new Killable()
      const service = await startService({ wrap: killable.wrap })
      const standby = await startService()
      const [a, b] = [await startGateway(), await startGateway()]
      const first = await a.connect('same')
      await first.subscribe(['a', 1])
      let done = 0
      killable.onStep = () => {
        if (done++ === step) killable.kill()
      }
      const second = await b.openWith(connect({ clientId: 'same' }))
      assert.deepEqual(await second.next(), CONNACK)
      assert.deepEqual(await first.untilClosed(), [])
      assert.deepEqual(await second.subscribe(['b', 1]), [1])
      // until there are no more steps
      killed = done > step
      for (const each of [b, a, standby, service]) {
        each.take('error')
        await each.stop()
        running.splice(running.indexOf(each), 1)
      }
    }
    // at least: the request, the order, the end, its answer, the answer to the order, the outcome
    assert.ok(step > 6, `${step} steps`)
  })

  it('gives a durable session to its newer connection wherever in the takeover the active one is killed', async () => {
    const host = await startHost()
    const amqp = await host.space.connect('service')
    let killed = true
    let step = 0
    for (; killed; step++) {
      const killable = new Killable()
      const service = await startService({ wrap: killable.wrap })
      const standby = await startService()
      const [first, second] = ['c1', 'c2'].map(connection => {
        return new ServiceClient(amqp, `client-${step}`, connection, true)
      })
      assert.ok(first && second)
      await first.attachControl()
      await second.attachControl()
      assert.deepEqual([await first.list(), await first.subscribe('a')], ['accepted', 'accepted'])
      first.obeys = true
      let done = 0
      killable.onStep = () => {
        if (done++ === step) killable.kill()
      }
      assert.equal(await second.list(), 'accepted')
      const { body } = second.received.at(-1) ?? assert.fail('no reply')
      assert.deepEqual(body, { type: 'value', value: new Map([['a', '1']]) })
      assert.equal(await first.subscribe('b'), 'amqp:not-allowed')
      assert.equal(await second.subscribe('c'), 'accepted')
      const queue = publishAddress(second.clientId)
      const filters = (await host.space.routes.list(queue)).map(({ filter }) => filter)
      assert.deepEqual(filters.sort(), ['a', 'c'])
      // until there are no more steps
      killed = done > step
      for (const client of [first, second]) await client.end()
      for (const each of [standby, service]) {
        each.take('error')
        await each.stop()
        running.splice(running.indexOf(each), 1)
      }
    }
    // the request, the record, the order, its answer, the outcome of that, the record, the reply, queue and routes, the outcome
    assert.ok(step > 9, `${step} steps`)
  })

  it('ends a client whose id was taken while its gateway was cut off, and the newer one stays', async () => {
    await startHost()
    await startService()
    const cut = new Killable()
    const [a, b] = [await startGateway({ wrap: cut.wrap }), await startGateway()]
    const first = await a.connect('same')
    const other = await a.connect('other')
    const second = await b.openWith(connect({ clientId: 'same' }))
    cut.loseConnections()
    assert.deepEqual(await second.next(), CONNACK)
    assert.deepEqual(await first.untilClosed(), [])
    assert.deepEqual(await second.subscribe(['a', 1]), [1])
    // the others are there as before, and can be taken over
    assert.deepEqual(await other.subscribe(['a', 1]), [1])
    const third = await b.connect('other')
    assert.deepEqual(await other.untilClosed(), [])
    assert.deepEqual(await third.untilPong(), [])
  })
})
