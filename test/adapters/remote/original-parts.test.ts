// Our gateway and Subscription Service with gateways of the original, all of them on a broker in another process: ids as they are go
// through AMQP and its management as what they are.

import assert from 'node:assert/strict'
import { listenAmqp, type AmqpListener } from '../../../adapters/rhea/listener/listener.js'
import { openEmbeddedSpace, type EmbeddedSpace } from '../../../adapters/embedded/index.js'
import { openRemoteSpace, type RemoteSpace } from '../../../adapters/remote/index.js'
import { StandaloneHost } from '../../../adapters/standalone/host.js'
import { plugin } from '../../../plugin/index.js'
import { LOG } from '../../contract/embedded.js'
import { mqttOptions } from '../../fixtures/gateway.js'
import { connect } from '../../fixtures/mqtt-bytes.js'
import { MqttSocket } from '../../fixtures/mqtt-socket.js'
import { OriginalClient } from '../../fixtures/original-gateway.js'
import { TemporaryDirectory } from '../../fixtures/program.js'

const SERVICE = { name: 'plugin', password: 'plugin secret' }
const HOST = '127.0.0.1'
const IDS = ['plain', 'a/b c', '100%.ü', "o'c?&=:"]

describe('original parts on a broker in another process', () => {
  const directory = new TemporaryDirectory()
  const host = new StandaloneHost(LOG)
  const spaces: RemoteSpace[] = []
  const sockets: MqttSocket[] = []
  let broker: EmbeddedSpace
  let listener: AmqpListener

  async function open(): Promise<RemoteSpace> {
    const mqtt = mqttOptions({ services: { peer: 'original' } })
    const space = await openRemoteSpace({ host: HOST, port: listener.port, service: SERVICE, mqtt, log: LOG })
    spaces.push(space)
    return space
  }

  before(async () => {
    broker = await openEmbeddedSpace({
      ...{ name: 'default', directory: directory.path, anonymous: true, users: [], service: SERVICE },
      ...{ addresses: [], mqtt: undefined, log: LOG }
    })
    listener = await listenAmqp(broker, { host: HOST, port: 0, log: LOG })
    plugin.register(host)
    await host.addSpace(await open())
  })
  after(async () => {
    for (const socket of sockets) socket.destroy()
    await host.close(Date.now() + 3000)
    for (const space of spaces) await space.close()
    await listener.close()
    await broker.close()
    await directory.remove()
  })

  async function come(clientId: string, clean: boolean, sessionPresent: boolean): Promise<MqttSocket> {
    const status = host.status('default')
    assert.ok(status?.state === 'ready')
    const client = await MqttSocket.open(status.listeners[0]?.port ?? assert.fail('no listener'))
    sockets.push(client)
    client.send(connect({ clientId, clean }))
    assert.deepEqual(await client.next(), { cmd: 'connack', sessionPresent, returnCode: 0 })
    return client
  }

  for (const clientId of IDS) {
    it(`hand the session of client ${JSON.stringify(clientId)} to ours and take it back`, async () => {
      const elsewhere = await open()
      const publisher = await come('publisher', true, false)
      const first = await OriginalClient.connect(elsewhere, clientId)
      assert.deepEqual(await first.listed(), {})
      assert.equal(await first.subscribe({ 't/#': '1' }), 'accepted')
      await publisher.publish('t/x', 'for the first')
      assert.equal((await first.next()).payload, 'for the first')
      const ours = await come(clientId, false, true)
      assert.equal(await first.isExpelled(), 'amqp:resource-deleted')
      await first.disconnect()
      await publisher.publish('t/x', 'for ours')
      assert.equal((await ours.nextPublish()).payload, 'for ours')
      const last = await OriginalClient.connect(elsewhere, clientId)
      assert.deepEqual(await last.listed(), { 't/#': '1' })
      assert.deepEqual(await ours.untilClosed(), [])
      assert.equal((await last.next()).payload, 'for ours')
      await last.disconnect()
      assert.ok((await broker.queues.list('$mqtt.to.')).includes(`$mqtt.to.${clientId}.publish`))
    })
  }
})
