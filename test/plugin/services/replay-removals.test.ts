// Replays into a session's queue while retained messages are removed: what is removed is not the last that the session hears of.

import assert from 'node:assert/strict'
import type { Sender } from '../../../plugin/host.js'
import { publishAddress } from '../../../plugin/messages/addresses.js'
import { encodePublication } from '../../../plugin/messages/publish.js'
import { RunningGateway } from '../../fixtures/gateway.js'
import { ReceivedPublications } from '../../fixtures/publications-of-a-queue.js'
import { ServiceClient } from '../../fixtures/service-client.js'

const TOPICS = Array.from({ length: 300 }, (_, index) => `t/${index}`)
const ROUNDS = 5

describe('replays of retained messages that are removed meanwhile', () => {
  let gateway: RunningGateway
  let sender: Sender

  beforeEach(async () => {
    gateway = await RunningGateway.start()
    const amqp = await gateway.space.connect('service')
    sender = await amqp.openSender({ address: undefined })
  })

  afterEach(() => gateway.stop())

  const retain = (topic: string, payload: string): Promise<unknown> =>
    new Promise(resolve => {
      const publication = { topic, payload: Buffer.from(payload), qos: 1, retain: true, dup: false } as const
      sender.send(encodePublication(publication), resolve)
    })

  it('leave the removal as the last message of its topic in the queue', async () => {
    const amqp = await gateway.space.connect('service')
    for (let round = 0; round < ROUNDS; round++) {
      await Promise.all(TOPICS.map(topic => retain(topic, `round ${round}`)))
      const clientId = `x${round}`
      const subscriber = new ServiceClient(amqp, clientId, undefined)
      const subscribed = subscriber.subscribe('t/#')
      // one by one, while the copies are read and sent
      for (const topic of TOPICS) await retain(topic, '')
      assert.equal(await subscribed, 'accepted')
      const store = await gateway.space.store('subscriptions')
      for (let owed = true; owed;) {
        const { body } = (await store.get(`filter/${clientId}/t/#`)) ?? assert.fail()
        owed = body.type === 'value' && body.value instanceof Map && body.value.has('owed')
      }
      await retain('t/end', 'end')
      const received = await ReceivedPublications.attach(amqp, publishAddress(clientId), 1000)
      await received.until(() => received.texts.at(-1)?.startsWith('t/end=') === true, 'the end')
      const last = new Map(
        received.publications.map(({ topic, payload }) => [topic, Buffer.from(payload).toString()])
      )
      last.delete('t/end')
      assert.deepEqual(
        [...last].filter(([, payload]) => payload !== ''),
        []
      )
      await received.close()
      await subscriber.close()
      await retain('t/end', '')
    }
  })
})
