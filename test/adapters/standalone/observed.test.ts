// The program as somebody who watches it sees it: /metrics, /healthz and /readyz, from the start to the end.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { connect, DISCONNECT, publish } from '../../fixtures/mqtt-bytes.js'
import { MqttSocket } from '../../fixtures/mqtt-socket.js'
import { Program, RunningProgram, TemporaryDirectory } from '../../fixtures/program.js'
import { RheaClient } from '../../interop/clients/rhea.js'

const read = async (address: string, path: string): Promise<readonly [status: number, text: string]> => {
  const response = await fetch(`http://${address}${path}`)
  return [response.status, await response.text()]
}

describe('the program that is watched', () => {
  const server = new RunningProgram()
  let address = ''
  let amqp: RheaClient | undefined

  before(async () => {
    await server.start('--http-port', '0')
    address = (await server.program.waitForLine('ready')).http ?? assert.fail('no HTTP listener')
  })
  after(async () => {
    await server.end()
    await amqp?.thawToEnd()
  })

  const get = (path: string) => read(address, path)

  it('listens where it says, lives, and is ready', async () => {
    assert.match(address, /^127\.0\.0\.1:\d+$/)
    assert.deepEqual(await get('/healthz'), [200, 'alive\n'])
    assert.deepEqual(await get('/readyz'), [200, 'ready\n'])
  })

  it('counts what clients do', async () => {
    const client = await MqttSocket.open(server.mqttPort)
    client.send(connect({ clientId: 'counted' }))
    await client.next()
    assert.deepEqual(await client.subscribe(['counted', 1]), [1])
    client.send(publish('counted', 'payload', { qos: 1, packetId: 1 }))
    await client.nextPublish()
    amqp = await RheaClient.connect(server.amqpPort)
    const [status, text] = await get('/metrics')
    assert.equal(status, 200)
    const lines = text.split('\n')
    for (const line of [
      '# HELP mqtt_publications_inbound_total publications from MQTT clients by QoS',
      'mqtt_connects_total{space="default",protocol="3.1.1",outcome="accepted"} 1',
      'mqtt_connections{space="default"} 1',
      'mqtt_publications_inbound_total{space="default",qos="1"} 1',
      'mqtt_publications_outbound_total{space="default",qos="1"} 1',
      'mqtt_publications_dropped_total{space="default",qos="0"} 0',
      'mqtt_inbox_sources{space="default"} 1',
      'amqp_connections{space="default"} 1'
    ]) {
      assert.ok(lines.includes(line), `${line} is not in\n${text}`)
    }
    assert.match(text, /^embedded_store_syncs_total\{space="default"\} [1-9]\d*$/m)
    client.send(DISCONNECT)
    await client.untilClosed()
  })

  it('is not ready from the first moment of its end to the last, lives, and then ends with 0', async () => {
    // who answers nothing holds up the end for a while
    amqp?.freeze()
    server.program.signal('SIGTERM')
    let readiness = await get('/readyz')
    while (readiness[0] === 200) readiness = await get('/readyz')
    assert.deepEqual(readiness, [503, 'the program is stopping\n'])
    assert.deepEqual(await get('/healthz'), [200, 'alive\n'])
    assert.deepEqual(await server.program.exited, { code: 0, signal: null })
    await assert.rejects(get('/healthz'), /fetch failed/)
  })
})

describe('the program with a space that failed', () => {
  const directory = new TemporaryDirectory()
  const file = join(directory.path, 'config.json')
  let program: Program | undefined
  after(async () => {
    await program?.kill()
    directory.remove()
  })

  it('lives, is not ready, and says which space and why', async () => {
    const http = { port: 0 }
    const good = { name: 'good', amqp: { port: 0 }, mqtt: { listener: { port: 0 } } }
    const bad = {
      name: 'bad',
      amqp: { port: 0 },
      mqtt: { listener: { port: 0 }, limits: { topicLevels: 0 } }
    }
    const host = { dataDirectory: join(directory.path, 'data') }
    writeFileSync(file, JSON.stringify({ host, http, spaces: [good, bad] }))
    program = new Program(['--config', file])
    const address = (await program.waitForLine('ready')).http ?? assert.fail('no HTTP listener')
    assert.deepEqual(await read(address, '/healthz'), [200, 'alive\n'])
    const [status, text] = await read(address, '/readyz')
    assert.equal(status, 503)
    assert.match(text, /^space bad: .*\/spaces\/1\/mqtt\/limits\/topicLevels: must be >= 1, not 0\n$/)
  })
})
