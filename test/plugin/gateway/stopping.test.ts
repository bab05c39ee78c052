// The end of a gateway: what it took is answered, what it did not take is left to the client, and nothing stays behind.

import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import { changedSpace, RunningGateway, type GatewayOptions } from '../../fixtures/gateway.js'
import { HeldPublications } from '../../fixtures/held-publications.js'
import { connect, publish, subscribe } from '../../fixtures/mqtt-bytes.js'
import { MqttSocket } from '../../fixtures/mqtt-socket.js'

describe('a gateway that stops', () => {
  let gateway: RunningGateway

  async function start(options: GatewayOptions = {}): Promise<void> {
    gateway = await RunningGateway.start(options)
  }

  afterEach(() => gateway.stop())

  it('answers the PUBLISHes that it took, then closes their client', async () => {
    const host = new HeldPublications()
    await start({ wrap: host.wrap })
    const client = await gateway.connect('publisher')
    const idle = await gateway.connect('idle')
    client.send(...[1, 2, 3].map(packetId => publish('t', 'x', { packetId })))
    await host.at(2)
    const stopped = gateway.closeHost()
    // who waits for nothing is closed at once
    assert.deepEqual(await idle.untilClosed(), [])
    assert.equal(client.closed, false)
    for (const index of [2, 0, 1]) host.held[index]?.accept()
    assert.deepEqual(
      await client.untilClosed(),
      [1, 2, 3].map(packetId => ({ cmd: 'puback', packetId }))
    )
    await stopped
  })

  it('answers the SUBSCRIBE that it took', async () => {
    let open: (() => void) | undefined
    await start({
      wrap: space =>
        changedSpace(space, {
          source: async (filter, options) => {
            await new Promise<void>(resolve => (open = resolve))
            return space.source(filter, options)
          }
        })
    })
    const client = await gateway.connect('subscriber')
    client.send(subscribe(9, ['t', 1]))
    while (open === undefined) await client.untilPong()
    const stopped = gateway.closeHost()
    open()
    assert.deepEqual(await client.untilClosed(), [{ cmd: 'suback', packetId: 9, codes: [1] }])
    await stopped
  })

  it('reads nothing more, so that what comes late is not taken without an answer', async () => {
    const host = new HeldPublications()
    await start({ wrap: host.wrap })
    const [client, other] = [await gateway.connect('publisher'), await gateway.connect('other')]
    client.send(publish('t', 'first', { packetId: 1 }))
    const first = await host.at(0)
    const stopped = gateway.closeHost()
    client.send(publish('t', 'late', { packetId: 2 }))
    await other.untilClosed()
    first.accept()
    assert.deepEqual(await client.untilClosed(), [{ cmd: 'puback', packetId: 1 }])
    await stopped
    assert.equal(host.held.length, 1)
  })

  it('lets nobody in', async () => {
    const host = new HeldPublications()
    await start({ wrap: host.wrap })
    const { port } = gateway
    const client = await gateway.connect('publisher')
    const fresh = await gateway.open()
    client.send(publish('t', 'x', { packetId: 1 }))
    const held = await host.at(0)
    const stopped = gateway.closeHost()
    fresh.send(connect({ clientId: 'late' }))
    assert.deepEqual(await fresh.untilClosed(), [])
    await assert.rejects(MqttSocket.open(port), { code: 'ECONNREFUSED' })
    held.accept()
    await stopped
    await assert.rejects(MqttSocket.open(port), { code: 'ECONNREFUSED' })
  })

  it('waits for the host no longer than its deadline', async () => {
    const host = new HeldPublications()
    await start({ wrap: host.wrap })
    const client = await gateway.connect('publisher')
    client.send(publish('t', 'x', { packetId: 1 }))
    await host.at(0)
    const begin = performance.now()
    await gateway.closeHost(Date.now() + 100)
    assert.ok(performance.now() - begin < 1000)
    assert.deepEqual(await client.untilClosed(), [])
  })

  it('waits no longer than its deadline for a host that does not answer a CONNECT', async () => {
    let answer: (() => void) | undefined
    await start({
      wrap: space =>
        changedSpace(space, {
          authenticate: async credentials => {
            await new Promise<void>(resolve => (answer = resolve))
            return space.authenticate(credentials)
          }
        })
    })
    const client = await gateway.openWith(connect())
    while (answer === undefined) await new Promise(resolve => setImmediate(resolve))
    const begin = performance.now()
    await gateway.closeHost(Date.now() + 100)
    assert.ok(performance.now() - begin < 1000)
    assert.deepEqual(await client.untilClosed(), [{ cmd: 'connack', sessionPresent: false, returnCode: 3 }])
    answer()
  })

  it('says nothing to who has not said CONNECT', async () => {
    await start()
    const silent = await gateway.open()
    const connected = await gateway.connect('connected')
    const stopped = gateway.closeHost()
    assert.deepEqual(await silent.untilClosed(), [])
    assert.deepEqual(await connected.untilClosed(), [])
    await stopped
  })

  it('closes clients that do not read what it has for them', async () => {
    await start()
    const slow = await gateway.connect('slow')
    await slow.subscribe(['flood', 0])
    slow.pauseReading()
    const publisher = await gateway.connect('publisher')
    for (let index = 0; index < 100; index++) publisher.send(publish('flood', 'x'.repeat(65_000)))
    await publisher.untilPong()
    const begin = performance.now()
    const sockets = (): number =>
      process.getActiveResourcesInfo().filter(name => name === 'TCPSocketWrap').length
    const before = sockets()
    await gateway.closeHost(Date.now() + 100)
    assert.equal(gateway.metric('mqtt_connections'), 0)
    await publisher.untilClosed()
    // a handle is gone some turns of the event loop after its socket, a lingering one after seconds
    while (sockets() > before - 3 && performance.now() - begin < 1000)
      await new Promise(resolve => setImmediate(resolve))
    // of both ends of two connections only the slow client's own is left
    assert.equal(sockets(), before - 3)
    assert.ok(performance.now() - begin < 1000)
  })

  it('says of each metric of its own that there is no such thing any more', async () => {
    await start()
    await gateway.connect('client')
    assert.equal(gateway.metric('mqtt_connections'), 1)
    await gateway.closeHost()
    const gauges = gateway.host.metrics.samples().filter(({ name }) => !name.endsWith('_total'))
    assert.deepEqual(gauges, [])
    assert.deepEqual(gateway.status(), { state: 'stopped' })
  })
})

describe('the fixture of the gateway', () => {
  it('leaves no handle open', async () => {
    const handles = (): string[] =>
      process.getActiveResourcesInfo().filter(name => /TCP|Timeout|Immediate/.test(name))
    await new Promise(resolve => setImmediate(resolve)) // mocha has set its own timer by now
    const before = handles()
    const gateway = await RunningGateway.start()
    const client = await gateway.connect('client', { keepAliveS: 60 })
    await client.subscribe(['a', 1])
    await client.untilPong()
    await gateway.open()
    await gateway.stop()
    assert.deepEqual(handles(), before)
  })

  it('fails where the plugin logged an error that no test took', async () => {
    const gateway = await RunningGateway.start()
    gateway.host.log.error({}, 'a bug')
    await assert.rejects(gateway.stop(), /the plugin logged errors/)
  })
})
