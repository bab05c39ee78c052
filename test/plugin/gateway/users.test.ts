// Users of MQTT clients: who gets in as whom, and what they may publish and subscribe to.

import assert from 'node:assert/strict'
import { mqttOptions, changedSpace, gatewayForSuite, RunningGateway } from '../../fixtures/gateway.js'
import { connect, publish } from '../../fixtures/mqtt-bytes.js'
import type { MqttSocket } from '../../fixtures/mqtt-socket.js'

const LIMITED = { username: 'limited', password: 'pass w\u00f6rd' }
const FULL = { username: 'full', password: 'secret' }
const USERS = [
  { name: FULL.username, password: FULL.password },
  {
    name: LIMITED.username,
    password: LIMITED.password,
    send: ['mine/#', 'common'],
    receive: ['mine/#', '+/shared'],
    clientIds: ['limited-*', 'one']
  }
]

describe('users of MQTT clients', () => {
  const gateway = gatewayForSuite({ users: USERS, anonymous: false })

  /** The return code of CONNACK, and the codes of the log lines that say why. */
  async function outcome(fields: Parameters<typeof connect>[0]): Promise<[number, unknown[]]> {
    gateway().take('warn')
    const client = await gateway().openWith(connect(fields))
    const answer = await client.next()
    assert.ok(answer.cmd === 'connack')
    if (answer.returnCode > 0) assert.deepEqual(await client.untilClosed(), [])
    else await client.disconnect()
    return [
      answer.returnCode,
      gateway()
        .take('warn')
        .map(({ fields }) => fields['code'])
    ]
  }

  it('get in with the right name and password', async () => {
    assert.deepEqual(await outcome({ clientId: 'any', ...FULL }), [0, []])
    assert.deepEqual(await outcome({ clientId: 'one', ...LIMITED }), [0, []])
  })

  it('are refused with 4 for a wrong name or password, with 5 without a name; the log says why', async () => {
    assert.deepEqual(await outcome({ ...FULL, password: 'wrong' }), [4, ['badCredentials']])
    assert.deepEqual(await outcome({ ...FULL, username: 'nobody' }), [4, ['badCredentials']])
    assert.deepEqual(await outcome({}), [5, ['notAuthorized']])
  })

  it('are refused with 2 for a client id that is not theirs', async () => {
    assert.deepEqual(await outcome({ clientId: 'limited-1', ...LIMITED }), [0, []])
    for (const clientId of ['limited', 'two', 'one ', 'On\u00e9', ''])
      assert.deepEqual(await outcome({ clientId, ...LIMITED }), [2, ['clientIdRejected']])
  })

  it('cannot end the client of another one whose id they may not use', async () => {
    const victim = await gateway().connect('victim', FULL)
    assert.deepEqual(await outcome({ clientId: 'victim', ...LIMITED }), [2, ['clientIdRejected']])
    assert.deepEqual(await outcome({ clientId: 'victim', ...FULL, password: 'wrong' }), [
      4,
      ['badCredentials']
    ])
    assert.deepEqual(await victim.untilPong(), [])
  })

  it('never have their password in the log', async () => {
    const secret = 'do-not-log-me'
    const client = await gateway().openWith(connect({ username: 'nobody', password: secret }))
    assert.equal((await client.untilClosed()).length, 1)
    const written = gateway().lines.map(({ fields, message }) => message + JSON.stringify(fields))
    assert.ok(written.some(line => line.includes('badCredentials')))
    assert.ok(written.every(line => !line.includes(secret)))
  })

  describe('with limited rights', () => {
    let witness: MqttSocket
    let client: MqttSocket

    beforeEach(async () => {
      witness = await gateway().connect('witness', FULL)
      await witness.subscribe(['#', 1])
      client = await gateway().connect('limited-1', LIMITED)
      gateway().take('warn')
    })
    afterEach(() => witness.disconnect())

    it('publish where they may', async () => {
      for (const topic of ['mine', 'mine/a', 'common']) {
        await client.publish(topic, topic)
        assert.equal((await witness.nextPublish()).topic, topic)
      }
    })

    it('are closed for a QoS 1 publication to another topic, and the log says so [MQTT3-3.3.5-2]', async () => {
      client.send(publish('other', 'ghost', { packetId: 1 }))
      assert.deepEqual(await client.untilClosed(), [])
      const [warned, ...more] = gateway().take('warn')
      assert.deepEqual(
        [warned?.fields['code'], warned?.fields['clientId'], more],
        ['notAuthorized', 'limited-1', []]
      )
      assert.deepEqual(await witness.untilPong(), [])
    })

    it('lose a QoS 0 publication to another topic [MQTT3-3.3.5-2]', async () => {
      client.send(publish('other', 'ghost'))
      await client.publish('mine', 'after')
      assert.equal((await witness.nextPublish()).payload, 'after')
    })

    it('have each lost QoS 0 publication counted, and the first one logged', async () => {
      const rejected = (qos: string): number => gateway().metric('mqtt_publications_rejected_total', { qos })
      const [before, beforeAtOne] = [rejected('0'), rejected('1')]
      for (const topic of ['other', 'another', 'other']) client.send(publish(topic, 'ghost'))
      await client.publish('mine', 'taken')
      assert.equal((await witness.nextPublish()).payload, 'taken')
      assert.deepEqual([rejected('0') - before, rejected('1') - beforeAtOne], [3, 0])
      const [warned, ...more] = gateway().take('warn')
      const { clientId, user, condition } = warned?.fields ?? {}
      assert.deepEqual(
        [clientId, user, condition, more],
        ['limited-1', LIMITED.username, 'amqp:unauthorized-access', []]
      )
      client.send(publish('other', 'ghost', { packetId: 1 }))
      await client.untilClosed()
      assert.deepEqual([rejected('0') - before, rejected('1') - beforeAtOne], [3, 1])
    })

    it('are told 0x80 for each filter that they may not receive all of, and granted the others', async () => {
      const asked = ['mine/#', 'other', '#', 'mine', 'x/shared', '+/shared', '+/x', 'mine/+/y'] as const
      const codes = await client.subscribe(...asked.map(filter => [filter, 1] as const))
      assert.deepEqual(codes, [1, 0x80, 0x80, 1, 1, 1, 0x80, 1])
      const refused = gateway()
        .take('warn')
        .map(({ fields }) => fields['filter'])
      assert.deepEqual(refused.sort(), ['#', '+/x', 'other'])
      witness.send(publish('other', 'not for them'), publish('mine/1', 'theirs'))
      assert.equal((await client.nextPublish()).payload, 'theirs')
      assert.deepEqual(await client.untilPong(), [])
    })
  })
})

describe('a host that cannot check users', () => {
  it('has its clients refused with 3, whether it says so or throws', async () => {
    const answers = [
      () => Promise.resolve({ refused: 'unavailable', description: 'down' } as const),
      () => Promise.reject(new Error('no route to the directory'))
    ]
    const gateway = await RunningGateway.start({
      wrap: space => changedSpace(space, { authenticate: () => (answers.shift() ?? assert.fail())() })
    })
    for (let tries = 0; tries < 2; tries++) {
      const client = await gateway.openWith(connect())
      assert.deepEqual(await client.untilClosed(), [{ cmd: 'connack', sessionPresent: false, returnCode: 3 }])
    }
    assert.deepEqual(
      gateway.take('warn').map(({ fields }) => fields['code']),
      ['serverUnavailable', 'serverUnavailable']
    )
    await gateway.stop()
  })

  it('has its clients refused with 3 after the time-out where it says nothing', async () => {
    let answer: (() => void) | undefined
    const gateway = await RunningGateway.start({
      mqtt: mqttOptions({ limits: { connectTimeoutMs: 50 } }),
      wrap: space =>
        changedSpace(space, {
          authenticate: async credentials => {
            await new Promise<void>(resolve => (answer = resolve))
            return space.authenticate(credentials)
          }
        })
    })
    const client = await gateway.openWith(connect(), publish('a', 'ghost'))
    assert.deepEqual(await client.untilClosed(), [{ cmd: 'connack', sessionPresent: false, returnCode: 3 }])
    answer?.()
    await gateway.stop()
  })
})
