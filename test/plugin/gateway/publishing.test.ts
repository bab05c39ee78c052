// Publications of MQTT clients on their way to the host: what is acknowledged when, what is tried again, and what waits for credit.

import assert from 'node:assert/strict'
import { CONDITIONS } from '../../../plugin/errors.js'
import { UID } from '../../../plugin/messages/publish.js'
import { mqttOptions, RunningGateway, type GatewayOptions } from '../../fixtures/gateway.js'
import { HeldPublications, rejected, RELEASED } from '../../fixtures/held-publications.js'
import { DISCONNECT, PINGREQ, publish } from '../../fixtures/mqtt-bytes.js'

describe('publications to the host', () => {
  let gateway: RunningGateway
  let host: HeldPublications

  async function start(options: GatewayOptions = {}, credit?: number): Promise<void> {
    host = new HeldPublications(credit)
    gateway = await RunningGateway.start({ ...options, wrap: host.wrap })
  }

  afterEach(() => gateway.stop())

  it('are acknowledged when the host has accepted them, not before [MQTT3-4.3.2-2]', async () => {
    await start()
    const client = await gateway.connect('publisher')
    client.send(publish('t', 'one', { packetId: 1 }))
    const first = await host.at(0)
    assert.deepEqual([first.topic, first.payload], ['t', 'one'])
    assert.deepEqual(await client.untilPong(), [])
    first.accept()
    assert.deepEqual(await client.next(), { cmd: 'puback', packetId: 1 })
  })

  it('are acknowledged in their order, whatever the order of the outcomes [MQTT3-4.6.0-2]', async () => {
    await start()
    const client = await gateway.connect('publisher')
    const ids = [7, 3, 9, 1]
    client.send(...ids.map(packetId => publish('t', String(packetId), { packetId })))
    await host.at(3)
    for (const late of [3, 1, 2]) {
      host.held[late]?.accept()
      assert.deepEqual(await client.untilPong(), [])
    }
    host.held[0]?.accept()
    assert.deepEqual(
      await client.take(4),
      ids.map(packetId => ({ cmd: 'puback', packetId }))
    )
  })

  it('wait for nothing with QoS 0, and are not lost when DISCONNECT and FIN follow at once', async () => {
    await start()
    const client = await gateway.connect('publisher')
    client.finish(
      publish('t', 'zero'),
      publish('t', 'one', { packetId: 1 }),
      publish('t', 'last'),
      DISCONNECT
    )
    await client.untilClosed()
    await host.at(2)
    assert.deepEqual(
      host.held.map(({ payload }) => payload),
      ['zero', 'one', 'last']
    )
  })

  it('are tried again when the host gives them back, under the same uid', async () => {
    await start()
    const client = await gateway.connect('publisher')
    client.send(publish('t', 'again', { packetId: 5 }))
    ;(await host.at(0)).settle(RELEASED)
    ;(await host.at(1)).settle({ type: 'modified', deliveryFailed: true, undeliverableHere: false })
    const third = await host.at(2)
    assert.deepEqual(await client.untilPong(), [])
    third.accept()
    assert.deepEqual(await client.next(), { cmd: 'puback', packetId: 5 })
    const uids = host.held.map(({ message }) => message.annotations.get(UID))
    assert.ok(uids[0] instanceof Uint8Array)
    assert.deepEqual(uids, [uids[0], uids[0], uids[0]])
  })

  it('close their client when the host gives them back too often [MQTT3-4.8.0-2]', async () => {
    await start({ mqtt: mqttOptions({ publish: { retries: 2 } }) })
    const client = await gateway.connect('publisher')
    client.send(publish('t', 'never', { packetId: 5 }))
    for (let sends = 0; sends < 3; sends++) (await host.at(sends)).settle(RELEASED)
    assert.deepEqual(await client.untilClosed(), [])
    assert.equal(host.held.length, 3)
    assert.equal(gateway.take('warn')[0]?.fields['code'], 'publishRejected')
  })

  it('close their client when the host rejects them [MQTT3-3.3.5-2] [MQTT3-4.8.0-2]', async () => {
    await start()
    for (const condition of [CONDITIONS.resourceLimit, CONDITIONS.messageSize, 'vendor:odd']) {
      const client = await gateway.connect('publisher')
      client.send(publish('t', 'no', { packetId: 5 }))
      ;(await host.at(host.held.length)).settle(rejected(condition))
      assert.deepEqual(await client.untilClosed(), [])
      const [warned] = gateway.take('warn')
      assert.equal(warned?.fields['code'], 'publishRejected')
      assert.match(String(warned?.fields['detail']), new RegExp(condition))
    }
  })

  it('are sent again over a new link when theirs is lost', async () => {
    await start()
    const client = await gateway.connect('publisher')
    client.send(publish('t', 'one', { packetId: 1 }), publish('t', 'two', { packetId: 2 }))
    await host.at(1)
    host.lose()
    ;(await host.at(2)).accept()
    ;(await host.at(3)).accept()
    assert.deepEqual(
      await client.take(2),
      [1, 2].map(packetId => ({ cmd: 'puback', packetId }))
    )
    assert.deepEqual(
      host.held.map(({ payload }) => payload),
      ['one', 'two', 'one', 'two']
    )
  })

  it('are sent again over a new connection when that of their user is gone', async () => {
    await start()
    const client = await gateway.connect('publisher')
    host.refuseNext(CONDITIONS.connectionForced)
    client.send(publish('t', 'one', { packetId: 1 }))
    ;(await host.at(0)).accept()
    assert.deepEqual(await client.next(), { cmd: 'puback', packetId: 1 })
    assert.equal(host.connections, 2)
  })

  it('wait for credit: the gateway reads no further, and goes on when it comes', async () => {
    await start({}, 2)
    const other = await gateway.connect('other')
    const client = await gateway.connect('publisher')
    const payload = 'x'.repeat(65_536)
    const total = 300
    client.sendInTurn(
      Array.from({ length: total }, (_, index) => publish(`t/${index}`, payload, { packetId: index + 1 }))
    )
    // the client's system takes no more: while others are served, nothing of it moves
    let steady = 0
    for (let unsent = -1; steady < 50; unsent = client.unsentBytes) {
      assert.deepEqual(await other.untilPong(), [])
      steady = unsent === client.unsentBytes ? steady + 1 : 0
    }
    assert.ok(client.unsentBytes > 0.5 * total * payload.length, `${client.unsentBytes} bytes are not sent`)
    assert.equal(host.held.length, 2)
    for (let done = 0; done < total; done++) {
      const held = await host.at(done)
      assert.equal(held.topic, `t/${done}`)
      held.accept()
      assert.deepEqual(await client.next(), { cmd: 'puback', packetId: done + 1 })
      host.give(1)
    }
    assert.equal(client.unsentBytes, 0)
  })

  it('are read no further while thousands wait behind one without an outcome', async () => {
    await start({}, 10_000)
    const [client, other] = [await gateway.connect('publisher'), await gateway.connect('other')]
    const total = 2500
    client.send(...Array.from({ length: total }, (_, index) => publish('t', '', { packetId: index + 1 })))
    await host.at(1999)
    for (const held of host.held.slice(1)) held.accept()
    await other.untilPong()
    assert.equal(host.held.length, 2000)
    host.held[0]?.accept()
    for (let index = 2000; index < total; index++) (await host.at(index)).accept()
    const acknowledged = await client.take(total)
    assert.deepEqual(
      acknowledged.map(packet => 'packetId' in packet && packet.packetId),
      Array.from({ length: total }, (_, index) => index + 1)
    )
  })

  it('keep what came before the end of the connection until there is credit', async () => {
    await start({}, 1)
    const client = await gateway.connect('publisher')
    client.finish(...['1', '2', '3'].map(payload => publish('t', payload)), PINGREQ)
    for (const index of [0, 1, 2]) {
      ;(await host.at(index)).accept()
      host.give(1)
    }
    await client.untilClosed()
    assert.deepEqual(
      host.held.map(({ payload }) => payload),
      ['1', '2', '3']
    )
  })

  it('keep what was received before the connection was lost until there is credit', async () => {
    await start({}, 1)
    const [client, other] = [await gateway.connect('publisher'), await gateway.connect('other')]
    client.send(...['1', '2', '3'].map(payload => publish('t', payload)))
    const first = await host.at(0)
    client.reset()
    await other.untilPong() // the gateway has seen it by now
    await other.untilPong()
    first.accept()
    host.give(2)
    await host.at(2)
    assert.deepEqual(
      host.held.map(({ payload }) => payload),
      ['1', '2', '3']
    )
  })

  it('do not count as silence of a client whose socket is not read', async () => {
    await start({}, 1)
    const client = await gateway.connect('publisher', { keepAliveS: 1 })
    const silent = await gateway.connect('silent', { keepAliveS: 1 })
    client.send(publish('t', '1'), publish('t', '2'), PINGREQ)
    await host.at(0)
    await silent.untilClosed() // 1.5 s later
    assert.equal(client.closed, false)
    host.give(2)
    assert.deepEqual(await client.next(), { cmd: 'pingresp' })
  })
})
