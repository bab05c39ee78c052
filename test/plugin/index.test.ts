// The plugin as a platform registers it: which hosts it takes, what it takes of them, and what it leaves alone while it is off.

import assert from 'node:assert/strict'
import type { AddressSpace } from '../../plugin/host.js'
import { OWNED_PREFIXES, plugin } from '../../plugin/index.js'
import { changedSpace, mqttOptions, RunningGateway } from '../fixtures/gateway.js'
import { puback } from '../fixtures/mqtt-bytes.js'
import { MqttSocket } from '../fixtures/mqtt-socket.js'
import { RecordedHost, RecordedSpace } from '../fixtures/recorded-space.js'

/** A space that nobody may touch. */
function untouchable(mqtt: unknown): AddressSpace {
  const touched = (): never => assert.fail('the plugin touched a space where it is off')
  const nothing = {
    ...{ create: touched, delete: touched, closeConsumers: touched, list: touched },
    ...{ unattended: touched, limit: touched, dropped: touched }
  }
  return {
    ...{ name: 'off', type: 'brokered', mqtt, addresses: [], queues: nothing },
    get capabilities() {
      return touched()
    },
    authenticate: touched,
    connect: touched,
    serve: touched,
    serveReaders: touched,
    source: touched,
    routes: { add: touched, remove: touched, list: touched },
    store: touched
  }
}

const listeningSockets = (): number =>
  process.getActiveResourcesInfo().filter(name => name === 'TCPServerWrap').length

describe('the plugin', () => {
  for (const apiVersion of [0, 2, 1.5]) {
    it(`refuses a host of api version ${apiVersion} by name, and takes nothing of it`, () => {
      const host = new RecordedHost('a platform', apiVersion)
      assert.throws(() => plugin.register(host), {
        name: 'RangeError',
        message: `mqtt-over-amqp needs host api version 1; a platform has ${apiVersion}`
      })
      assert.deepEqual([host.taken, host.calls, host.reports], [[], [], []])
    })
  }

  it('does nothing when it is registered', () => {
    const host = new RecordedHost()
    plugin.register(host)
    assert.deepEqual([host.calls, host.reports], [[], []])
  })

  for (const [what, mqtt] of [
    ['no configuration', undefined],
    ['null for a configuration', null],
    ['its flag off', { enabled: false }]
  ] as const) {
    it(`asks a space with ${what} for nothing: no address, no store, no connection, no socket, no metric`, async () => {
      const host = new RecordedHost()
      plugin.register(host)
      const before = listeningSockets()
      const space = untouchable(mqtt)
      await host.hooks.addressSpaceAdded?.(space)
      await host.hooks.addressSpaceChanged?.(space)
      assert.deepEqual(host.reports, [{ space: 'off', status: { state: 'off' } }])
      assert.equal(listeningSockets(), before)
      await host.hooks.addressSpaceRemoved?.('off')
      await host.hooks.closing?.(Date.now())
      assert.deepEqual(host.calls, [])
    })
  }

  it('ignores spaces that come after the host said that it closes', async () => {
    const host = new RecordedHost()
    plugin.register(host)
    await host.hooks.closing?.(Date.now())
    await host.hooks.addressSpaceAdded?.(untouchable(mqttOptions()))
    assert.deepEqual(host.reports, [])
  })
})

describe('the plugin in a space', () => {
  let gateway: RunningGateway
  const start = async (): Promise<RecordedSpace> => {
    const recorded = new RecordedSpace()
    gateway = await RunningGateway.start({ wrap: recorded.wrap })
    return recorded
  }

  afterEach(() => gateway.stop())

  async function use(): Promise<void> {
    const client = await gateway.connect('client')
    await client.subscribe(['t', 1], ['u/#', 0])
    await (await gateway.connect('publisher')).publish('t', 'x')
    await client.nextPublish()
  }

  it('gives back all that it opened when its flag is turned off', async () => {
    const recorded = await start()
    await use()
    assert.ok(recorded.open.length > 3)
    const { port } = gateway
    await gateway.hooks.addressSpaceChanged(changedSpace(gateway.space, { mqtt: { enabled: false } }))
    assert.deepEqual(recorded.open, [])
    assert.deepEqual(gateway.host.metrics.samples().filter(isGauge), [])
    await assert.rejects(MqttSocket.open(port), { code: 'ECONNREFUSED' })
  })

  it('serves and makes nothing outside the prefixes that it owns', async () => {
    const recorded = await start()
    await use()
    const addresses = ['serve', 'create', 'queues'].flatMap(word => recorded.named(word))
    assert.ok(recorded.named('serve').length > 0)
    for (const address of addresses) {
      assert.ok(
        OWNED_PREFIXES.some(prefix => address.startsWith(prefix)),
        address
      )
    }
  })

  it('asks for nothing more when it is told again with nothing changed', async () => {
    const recorded = await start()
    const before = [...recorded.calls]
    await gateway.hooks.addressSpaceAdded(recorded.wrap(gateway.space))
    await gateway.hooks.addressSpaceChanged(recorded.wrap(gateway.space))
    await gateway.hooks.addressSpaceChanged(
      changedSpace(gateway.space, { mqtt: mqttOptions({ limits: {} }) })
    )
    assert.deepEqual(recorded.calls, before)
  })

  it('does not notice that another space comes, fails and goes while its messages flow', async () => {
    await start()
    await gateway.addSpace('other')
    const clients = {
      default: await gateway.connect('same'),
      other: await gateway.open(gateway.portOf('other'))
    }
    const publisher = await gateway.connect('publisher')
    await clients.default.subscribe(['t', 1])
    const received: string[] = []
    const flow = async (count: number): Promise<void> => {
      for (let sent = 0; sent < count; sent++) {
        await publisher.publish('t', String(received.length))
        const { payload, packetId = 0 } = await clients.default.nextPublish()
        received.push(payload)
        clients.default.send(puback(packetId))
      }
    }
    await flow(50)
    await Promise.all([flow(100), gateway.hooks.addressSpaceRemoved('other'), clients.other.untilClosed()])
    await Promise.all([flow(50), gateway.addSpace('broken', { mqtt: { typo: 1 } })])
    assert.equal(gateway.status('broken')?.state, 'failed')
    assert.deepEqual(
      received,
      Array.from({ length: 200 }, (_, index) => String(index))
    )
    assert.equal(gateway.metric('mqtt_disconnects_total', { space: 'default' }), 0)
  })
})

const isGauge = ({ name }: { readonly name: string }): boolean => !name.endsWith('_total')
