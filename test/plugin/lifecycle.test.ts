// One address space's life in the plugin, as the host's hooks drive it: flags, faults, changes, the end.

import assert from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { AmqpError } from '../../plugin/errors.js'
import type { AddressSpace, SpaceStatus } from '../../plugin/host.js'
import { SUBSCRIPTION_SERVICE_ADDRESSES } from '../../plugin/messages/addresses.js'
import { METRICS, type MetricName } from '../../plugin/metrics.js'
import { changedSpace, mqttOptions, RunningGateway } from '../fixtures/gateway.js'
import { connect, publish } from '../fixtures/mqtt-bytes.js'
import { MqttSocket } from '../fixtures/mqtt-socket.js'

describe('the life of an address space', () => {
  let gateway: RunningGateway

  afterEach(() => gateway.stop())

  const failure = (status: SpaceStatus | undefined): SpaceStatus & { state: 'failed' } => {
    assert.ok(status?.state === 'failed', JSON.stringify(status))
    return status
  }

  async function assertServesNothing(space: AddressSpace): Promise<void> {
    const connection = await space.connect('service')
    for (const address of SUBSCRIPTION_SERVICE_ADDRESSES)
      await assert.rejects(connection.openSender({ address }), { condition: 'amqp:not-found' })
    await connection.close()
  }

  it('begins with a listener where the status says', async () => {
    gateway = await RunningGateway.start()
    const status = gateway.status()
    assert.ok(status?.state === 'ready')
    assert.deepEqual(status.listeners, [{ host: '127.0.0.1', port: gateway.port }])
    await (await gateway.connect('client')).disconnect()
  })

  for (const [what, mqtt] of [
    ['no configuration', undefined],
    ['null for a configuration', null],
    ['the flag off', mqttOptions({ enabled: false })]
  ] as const) {
    it(`is off with ${what}: nothing listens, nothing is served`, async () => {
      gateway = await RunningGateway.start({ mqtt })
      assert.deepEqual(gateway.status(), { state: 'off' })
      await assertServesNothing(gateway.space)
      assert.deepEqual(gateway.host.metrics.samples(), [])
    })
  }

  it('fails with each fault of its configuration, and leaves other spaces alone', async () => {
    const mqtt = { listener: { port: '1883' }, limits: { packetBytes: 1 }, typo: true }
    gateway = await RunningGateway.start({ mqtt })
    const { reason, errors } = failure(gateway.status())
    assert.equal(reason, 'the configuration is not valid')
    assert.deepEqual(errors.map(({ path }) => path).sort(), [
      '/limits/packetBytes',
      '/listener/port',
      '/typo'
    ])
    await assertServesNothing(gateway.space)
    await gateway.addSpace('other')
    const client = await gateway.open(gateway.portOf('other'))
    client.send(connect())
    assert.deepEqual(await client.next(), { cmd: 'connack', sessionPresent: false, returnCode: 0 })
    assert.equal(gateway.status()?.state, 'failed')
  })

  it('fails with the port where that is in use, and serves nothing', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    try {
      gateway = await RunningGateway.start({ mqtt: { listener: { port } } })
      assert.match(failure(gateway.status()).reason, new RegExp(`127\\.0\\.0\\.1:${port}.*in use`))
      await assertServesNothing(gateway.space)
    } finally {
      server.close()
    }
  })

  it('can begin again after a failure', async () => {
    gateway = await RunningGateway.start({ mqtt: { typo: 1 } })
    await gateway.hooks.addressSpaceChanged(changedSpace(gateway.space, { mqtt: mqttOptions() }))
    await (await gateway.connect('client')).disconnect()
  })

  it('gives back what it had when it cannot have all, and says what it lacked', async () => {
    gateway = await RunningGateway.start({
      wrap: space =>
        changedSpace(space, {
          serve: (address, onLink) =>
            address === SUBSCRIPTION_SERVICE_ADDRESSES[1]
              ? Promise.reject(new AmqpError('amqp:unauthorized-access', 'as the test wants'))
              : space.serve(address, onLink)
        })
    })
    assert.match(failure(gateway.status()).reason, /amqp:unauthorized-access/)
    await assertServesNothing(gateway.space)
    // a counter stays for good
    const left = gateway.host.metrics.samples().map(({ name }) => name)
    assert.deepEqual(
      left.filter(name => METRICS[name as MetricName].type === 'gauge'),
      []
    )
    await gateway.hooks.addressSpaceChanged(gateway.space)
    await gateway.connect('client')
  })

  it('keeps its clients when it is announced again with nothing changed', async () => {
    gateway = await RunningGateway.start()
    const client = await gateway.connect('client')
    await client.subscribe(['kept', 1])
    const { port } = gateway
    await gateway.hooks.addressSpaceChanged(gateway.space)
    await gateway.hooks.addressSpaceAdded(gateway.space)
    await gateway.hooks.addressSpaceChanged(changedSpace(gateway.space, { mqtt: mqttOptions() }))
    client.send(publish('kept', 'x'))
    assert.equal((await client.nextPublish()).payload, 'x')
    assert.equal(gateway.port, port)
  })

  it('goes on as it was when a changed configuration is not valid, and says what is wrong', async () => {
    gateway = await RunningGateway.start()
    const client = await gateway.connect('client')
    const { port } = gateway
    const mqtt = mqttOptions({ limits: { topicLevels: 0 } })
    await gateway.hooks.addressSpaceChanged(changedSpace(gateway.space, { mqtt }))
    assert.deepEqual(failure(gateway.status()), {
      state: 'failed',
      reason: 'the configuration is not valid',
      errors: [{ path: '/limits/topicLevels', message: 'must be >= 1, not 0' }],
      listeners: [{ host: '127.0.0.1', port }]
    })
    assert.deepEqual(await client.subscribe(['a/b', 0]), [0])
    await gateway.hooks.addressSpaceChanged(gateway.space)
    assert.equal(gateway.port, port)
    assert.deepEqual(await client.untilPong(), [])
  })

  it('ends when its flag is turned off, and begins when it is turned on', async () => {
    gateway = await RunningGateway.start()
    const client = await gateway.connect('client')
    const { port } = gateway
    await gateway.hooks.addressSpaceChanged(
      changedSpace(gateway.space, { mqtt: mqttOptions({ enabled: false }) })
    )
    await client.untilClosed()
    await assert.rejects(MqttSocket.open(port), { code: 'ECONNREFUSED' })
    assert.deepEqual(gateway.status(), { state: 'off' })
    await assertServesNothing(gateway.space)
    await gateway.hooks.addressSpaceChanged(gateway.space)
    await gateway.connect('client')
  })

  it('ends when the space is removed; a space of this name can come again', async () => {
    gateway = await RunningGateway.start()
    const client = await gateway.connect('client')
    const { port } = gateway
    await gateway.hooks.addressSpaceRemoved('default')
    await client.untilClosed()
    await assert.rejects(MqttSocket.open(port), { code: 'ECONNREFUSED' })
    assert.deepEqual(gateway.status(), { state: 'stopped' })
    await gateway.hooks.addressSpaceRemoved('never there')
    await gateway.hooks.addressSpaceAdded(gateway.space)
    await gateway.connect('client')
  })

  it('begins again when its space is added while it is being removed', async () => {
    gateway = await RunningGateway.start()
    const { hooks, space, port } = gateway
    await gateway.connect('client')
    const mqtt = mqttOptions({ listener: { port } })
    await Promise.all([
      hooks.addressSpaceRemoved('default'),
      hooks.addressSpaceAdded(changedSpace(space, { mqtt }))
    ])
    assert.equal(gateway.port, port)
    await gateway.connect('client')
    assert.equal(gateway.metric('mqtt_connections'), 1)
  })

  it('takes hooks that come at once one after the other', async () => {
    gateway = await RunningGateway.start()
    const { hooks, space } = gateway
    const off = changedSpace(space, { mqtt: mqttOptions({ enabled: false }) })
    await Promise.all([
      hooks.addressSpaceChanged(off),
      hooks.addressSpaceAdded(space),
      hooks.addressSpaceChanged(off),
      hooks.addressSpaceChanged(space)
    ])
    await gateway.connect('client')
    assert.equal(gateway.metric('mqtt_connections'), 1)
  })

  it('keeps spaces apart: topics, client ids and ends', async () => {
    gateway = await RunningGateway.start()
    await gateway.addSpace('other')
    const here = await gateway.connect('same')
    await here.subscribe(['t', 1])
    const there = await gateway.open(gateway.portOf('other'))
    there.send(connect({ clientId: 'same' }), publish('t', 'there'))
    assert.equal((await there.next()).cmd, 'connack')
    await there.untilPong()
    here.send(publish('t', 'here'))
    assert.equal((await here.nextPublish()).payload, 'here')
    await gateway.hooks.addressSpaceRemoved('other')
    await there.untilClosed()
    assert.deepEqual(await here.untilPong(), [])
  })
})
