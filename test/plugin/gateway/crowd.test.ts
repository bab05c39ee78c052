// The limit on connections: those over it are closed at once, counted, and told in few lines.

import assert from 'node:assert/strict'
import { Crowd } from '../../../plugin/gateway/crowd.js'
import { gatewayForSuite, mqttOptions } from '../../fixtures/gateway.js'

describe('MQTT connections over the limit', () => {
  const gateway = gatewayForSuite({ mqtt: mqttOptions({ limits: { connections: 3 } }) })

  it('are closed at once and counted, one line says so, and nobody else notices', async () => {
    const clients = [await gateway().connect('a'), await gateway().connect('b'), await gateway().open()]
    for (let i = 0; i < 20; i++) assert.deepEqual(await (await gateway().open()).untilClosed(), [])
    assert.equal(gateway().metric('mqtt_connections_refused_total'), 20)
    assert.equal(gateway().metric('mqtt_connections'), 3)
    assert.deepEqual(
      gateway()
        .take('warn')
        .map(({ message, fields }) => [message, fields]),
      [['too many MQTT connections: new ones are closed', { space: 'default', connections: 3, refused: 1 }]]
    )
    for (const client of clients.slice(0, 2)) assert.deepEqual(await client.untilPong(), [])
    await clients[0]?.disconnect()
    // the server has seen the end of that socket before it answers what was sent after it
    for (let i = 0; i < 2; i++) await clients[1]?.untilPong()
    const next = await gateway().connect('c')
    assert.deepEqual(await next.untilPong(), [])
  })

  it('are told of again after a while, with how many there were', () => {
    const lines: object[] = []
    const no = (): void => assert.fail('no such line')
    const warn = (fields: object): number => lines.push(fields)
    let counted = 0
    const crowd = new Crowd({ debug: no, info: no, error: no, warn }, { add: value => (counted += value) })
    const socket = {
      destroy: () => socket,
      on: () => socket
    } as unknown as Parameters<Crowd['refuse']>[0]
    for (let now = 0; now <= 25_000; now += 100) crowd.refuse(socket, 7, now)
    assert.deepEqual(
      lines.map(line => ({ ...line })),
      [
        { connections: 7, refused: 1 },
        { connections: 7, refused: 100 },
        { connections: 7, refused: 100 }
      ]
    )
    assert.equal(counted, 251)
  })
})
