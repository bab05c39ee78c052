// `$retain.<topic>`: an AMQP client reads the retained message of one topic.

import assert from 'node:assert/strict'
import { AmqpError } from '../../../plugin/errors.js'
import type { AmqpConnection } from '../../../plugin/host.js'
import { RunningGateway } from '../../fixtures/gateway.js'
import type { MqttSocket } from '../../fixtures/mqtt-socket.js'
import { ReceivedPublications } from '../../fixtures/publications-of-a-queue.js'

const USERS = [
  { name: 'reader', password: 'r', send: [], receive: ['open/#'], clientIds: [] },
  { name: 'writer', password: 'w', send: ['#'], receive: [], clientIds: ['*'] }
]

describe('an address of a retained message', () => {
  let service: RunningGateway
  let publisher: MqttSocket
  let amqp: AmqpConnection

  beforeEach(async () => {
    service = await RunningGateway.start({ users: USERS })
    publisher = await service.connect('publisher', { username: 'writer', password: 'w' })
    const credentials = { mechanism: 'PLAIN', username: 'reader', password: Buffer.from('r') } as const
    const login = await service.space.authenticate(credentials)
    assert.ok('principal' in login)
    amqp = await service.space.connect(login.principal)
  })
  afterEach(() => service.stop())

  const retain = (topic: string, payload: string): Promise<void> =>
    publisher.publish(topic, payload, { retain: true })

  const attach = (topic: string, window = 10): Promise<ReceivedPublications> =>
    ReceivedPublications.attach(amqp, `$retain.${topic}`, window)

  it('gives what was accepted before, once each time somebody attaches, and keeps it', async () => {
    await retain('open/a', 'old')
    await retain('open/a', 'new')
    for (const _time of [1, 2]) {
      const reader = await attach('open/a')
      await reader.count(1)
      await retain('open/other', 'of another topic')
      await reader.drain()
      assert.deepEqual(reader.texts, ['open/a=new retained'])
      await reader.close()
    }
  })

  it('says no more on a drain where nothing is there, and waits for credit where something is', async () => {
    const none = await attach('open/none', 0)
    none.allow(1)
    await none.drain()
    assert.deepEqual(none.texts, [])
    await retain('open/a', '1')
    const one = await attach('open/a', 0)
    one.allow(5)
    await one.drain()
    assert.deepEqual(one.texts, ['open/a=1 retained'])
    await retain('open/a', '')
    const removed = await attach('open/a', 0)
    removed.allow(1)
    await removed.drain()
    assert.deepEqual(removed.texts, [])
  })

  it('is refused without the right to receive the topic, and where that is no topic', async () => {
    await retain('secret', '1')
    const refused = async (topic: string): Promise<string> => {
      try {
        return await (await attach(topic)).closed()
      } catch (error) {
        assert.ok(error instanceof AmqpError)
        return error.condition
      }
    }
    assert.equal(await refused('secret'), 'amqp:unauthorized-access')
    assert.equal(await refused('open/#'), 'amqp:not-found')
    assert.equal(await refused(''), 'amqp:not-found')
    assert.equal(await refused('$mqtt.to.x.publish'), 'amqp:not-found')
  })
})
