// What connections are counted as: CONNECTs by protocol version and outcome, ends by reason.

import assert from 'node:assert/strict'
import type { MetricName } from '../../../plugin/metrics.js'
import { RunningGateway } from '../../fixtures/gateway.js'
import { byte, connect, connect31, DISCONNECT, PINGREQ } from '../../fixtures/mqtt-bytes.js'

describe('counts of MQTT connections', () => {
  let gateway: RunningGateway
  beforeEach(async () => {
    const users = [{ name: 'ann', password: 'right', clientIds: ['ann'] }]
    gateway = await RunningGateway.start({ users, anonymous: true })
  })
  afterEach(() => gateway.stop())

  /** All series of one name, without the space. */
  const series = (name: MetricName): (string | number)[][] =>
    gateway.host.metrics
      .samples()
      .filter(sample => sample.name === name && sample.value > 0)
      .map(({ labels: { space, ...labels }, value }) => [space ?? '', ...Object.values(labels), value])

  /** Sends `bytes` and waits until the connection ended. */
  const end = async (...bytes: readonly Uint8Array[]): Promise<void> => {
    const client = await gateway.openWith(...bytes)
    await client.untilClosed()
  }

  it('have the version and outcome of each CONNECT', async () => {
    await end(connect({ clientId: 'a' }), DISCONNECT)
    await end(connect({ clientId: 'b' }), DISCONNECT)
    await end(connect31({ clientId: 'c' }), DISCONNECT)
    await end(connect({ clientId: 'd', level: 5 }))
    await end(connect({ clientId: 'e', level: 6 }))
    await end(connect({ clientId: 'ann', username: 'ann', password: 'wrong' }))
    await end(connect({ clientId: 'bob', username: 'ann', password: 'right' }))
    await end(connect({ clientId: 'f', will: { topic: 'w', payload: 'x' } }))
    assert.deepEqual(series('mqtt_connects_total'), [
      ['default', '3.1.1', 'accepted', 2],
      ['default', '3.1', 'accepted', 1],
      // a level that is not served is not read
      ['default', 'other', 'protocolVersion', 2],
      ['default', '3.1.1', 'badCredentials', 1],
      ['default', '3.1.1', 'clientIdRejected', 1],
      ['default', '3.1.1', 'notSupported', 1]
    ])
  })

  it('have each end by its reason, and no CONNECT where none came', async () => {
    await end(connect({ clientId: 'a' }), DISCONNECT)
    await end(connect({ clientId: 'a' }), byte(0xc1, 0))
    await end(PINGREQ)
    assert.deepEqual(series('mqtt_disconnects_total'), [
      ['default', 'disconnect', 1],
      ['default', 'malformedPacket', 1],
      ['default', 'protocolError', 1]
    ])
    assert.deepEqual(series('mqtt_connects_total'), [['default', '3.1.1', 'accepted', 2]])
  })
})
