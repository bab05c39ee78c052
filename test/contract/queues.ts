// The plugin's queues and the host's own: made, listed, deleted, shared by competing consumers or held by one.
// Rule: a queue keeps what it was given until a consumer ends it or the queue is deleted.

import assert from 'node:assert/strict'
import type { ContractCase } from './fixture.js'
import { ACCEPTED, RELEASED, textOf } from './inbox.js'
import { durable, numbers, series, text } from './messages.js'
import { Peer, refused } from './peer.js'

const QUEUE = '$mqtt.to.c1.publish'
const OTHER = '$mqtt.to.c2.publish'

export const queues: readonly ContractCase[] = [
  {
    title: 'keeps messages while nobody receives, and delivers them in order',
    part: 'queues',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      await (await peer.sender(QUEUE)).accepted(...series(20))
      const { inbox, receiver } = await peer.receive(QUEUE, { kind: 'queue', window: 3 })
      assert.equal(receiver.address, QUEUE)
      assert.deepEqual(await inbox.texts(20), numbers(20))
    }
  },
  {
    title: 'keeps messages that are not durable in a queue as well',
    part: 'queues',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      await (await peer.sender(QUEUE)).accepted(text('1'), durable('2'), text('3'))
      assert.deepEqual(await peer.empty(QUEUE), ['1', '2', '3'])
    }
  },
  {
    title: 'knows a new queue as soon as create resolves, and knows no other',
    part: 'queues',
    async run(t) {
      const peer = await Peer.open(t)
      await refused(peer.receive(QUEUE), 'amqp:not-found', 'a receiver before the queue')
      await refused(peer.sender(QUEUE), 'amqp:not-found', 'a sender before the queue')
      await t.space.queues.create(QUEUE)
      await peer.receive(QUEUE)
      await (await peer.sender(QUEUE)).accepted(durable('1'))
      await refused(peer.receive(OTHER), 'amqp:not-found', 'a receiver of another name')
    }
  },
  {
    title: 'changes nothing when a queue is created that is there',
    part: 'queues',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      await (await peer.sender(QUEUE)).accepted(...series(2))
      await Promise.all([t.space.queues.create(QUEUE), t.space.queues.create(QUEUE)])
      assert.deepEqual(await peer.empty(QUEUE), ['1', '2'])
      assert.deepEqual(await t.space.queues.list(QUEUE), [QUEUE])
    }
  },
  {
    title: 'lists the queues whose names start with a prefix',
    part: 'queues',
    async run(t) {
      const names = [QUEUE, OTHER, '$mqtt.c1.pubrel', '$mqtt.to.c%2E1.publish']
      for (const name of names) await t.space.queues.create(name)
      const list = async (prefix: string): Promise<string[]> =>
        [...(await t.space.queues.list(prefix))].sort()
      assert.deepEqual(await list('$mqtt.to.'), [QUEUE, OTHER, '$mqtt.to.c%2E1.publish'].sort())
      assert.deepEqual(await list('$mqtt.c1'), ['$mqtt.c1.pubrel'])
      assert.deepEqual(await list('$mqtt.c2'), [])
    }
  },
  {
    title: 'deletes a queue with its messages, and nothing happens if it is not there',
    part: 'queues',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.delete(QUEUE)
      await t.space.queues.create(QUEUE)
      await t.space.queues.create(OTHER)
      await (await peer.sender(QUEUE)).accepted(...series(2))
      await (await peer.sender(OTHER)).accepted(...series(1))
      await t.space.queues.delete(QUEUE)
      assert.deepEqual(await t.space.queues.list('$mqtt.to.'), [OTHER])
      await refused(peer.receive(QUEUE), 'amqp:not-found', 'a receiver of a deleted queue')
      await t.space.queues.create(QUEUE)
      await (await peer.sender(QUEUE)).accepted(durable('new'))
      assert.deepEqual(await peer.empty(QUEUE), ['new'])
      assert.deepEqual(await peer.empty(OTHER), ['1'])
    }
  },
  {
    title: 'closes the consumers of a queue that is deleted',
    part: 'queues',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      const window = 1
      const consumers = [
        await peer.receive(QUEUE, { window }),
        await (await Peer.open(t)).receive(QUEUE, { window })
      ]
      await (await peer.sender(QUEUE)).accepted(durable('held'), durable('too'))
      const held = await consumers[0]?.inbox.next()
      await t.space.queues.delete(QUEUE)
      held?.settle(ACCEPTED)
      for (const { inbox } of consumers) {
        const { cause, error } = await inbox.closed()
        assert.deepEqual([cause, error?.condition], ['error', 'amqp:resource-deleted'])
      }
    }
  },
  {
    title: 'keeps a queue and its messages when its consumers come and go',
    part: 'queues',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      await (await peer.sender(QUEUE)).accepted(...series(3))
      for (let round = 0; round < 3; round++) {
        const { inbox, receiver } = await peer.receive(QUEUE, { window: 2 })
        const [first] = await inbox.take(2)
        first?.settle(round === 1 ? ACCEPTED : RELEASED)
        await receiver.close()
      }
      assert.deepEqual(await peer.empty(QUEUE), ['2', '3'])
    }
  },
  {
    title: 'serves a queue of its own by its name, and lists its address',
    part: 'queues',
    async run(t) {
      assert.ok(t.space.addresses.some(({ name, type }) => name === t.queue && type === 'queue'))
      const peer = await Peer.open(t)
      await (await peer.sender(t.queue)).accepted(...series(4))
      const one = await peer.receive(t.queue, { window: 2 })
      const two = await peer.receive(t.queue, { kind: 'queue', window: 2 })
      const held = [...(await one.inbox.take(2)), ...(await two.inbox.take(2))]
      assert.deepEqual(held.map(each => textOf(each.message.body)).sort(), numbers(4))
    }
  },
  {
    title: 'refuses a topic where a queue was asked for',
    part: 'queues',
    async run(t) {
      const peer = await Peer.open(t)
      await refused(peer.receive('no/queue', { kind: 'queue' }), 'amqp:not-found', 'a topic as a queue')
    }
  },
  {
    title: 'keeps the order of a queue that is longer than memory should hold',
    part: 'queues',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      await (await peer.sender(QUEUE)).accepted(...series(2500))
      const slow = await peer.receive(QUEUE, { window: 20 })
      for (const delivery of (await slow.inbox.take(20)).reverse()) delivery.settle(RELEASED)
      await slow.receiver.close()
      await (await peer.sender(QUEUE)).accepted(...series(500, 'new '))
      await t.restart()
      const { inbox } = await (await Peer.open(t)).receive(QUEUE, { window: 300 })
      assert.deepEqual(await inbox.texts(3000), [...numbers(2500), ...numbers(500, 'new ')])
    }
  }
]
