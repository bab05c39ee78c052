// What outlives the host's process: durable messages that were accepted, queues, routes, identities.
// Rule: accepted means safe; what was settled before an orderly stop does not come back.

import assert from 'node:assert/strict'
import type { ContractCase } from './fixture.js'
import { ACCEPTED, FAILED, RELEASED, textOf } from './inbox.js'
import { durable, numbers, series, text } from './messages.js'
import { Peer } from './peer.js'
import type { Sent } from './peer.js'

const QUEUE = '$mqtt.to.c1.publish'
const OTHER = '$mqtt.to.c2.publish'

export const durability: readonly ContractCase[] = [
  {
    title: 'has a durable message of a queue on disk when it is accepted',
    part: 'durability',
    requires: 'crash',
    async run(t) {
      await t.space.queues.create(QUEUE)
      const sender = await (await Peer.open(t)).sender(QUEUE)
      await sender.accepted(durable('1'), durable('2'))
      await sender.accepted(durable('3'))
      assert.ok(t.crash)
      await t.crash()
      assert.deepEqual(await (await Peer.open(t)).empty(QUEUE), ['1', '2', '3'])
    }
  },
  {
    title: 'has a durable publication on disk in each queue it was routed to when it is accepted',
    part: 'durability',
    requires: 'crash',
    async run(t) {
      for (const queue of [QUEUE, OTHER]) {
        await t.space.queues.create(queue)
        await t.space.routes.add({ filter: 'a/#', queue })
      }
      await (
        await (await Peer.open(t)).sender('a/b')
      ).accepted(durable('1'), text('lost or not'), durable('2'))
      assert.ok(t.crash)
      await t.crash()
      const peer = await Peer.open(t)
      for (const queue of [QUEUE, OTHER]) {
        const texts = await peer.empty(queue)
        assert.deepEqual(
          texts.filter(body => body !== 'lost or not'),
          ['1', '2']
        )
      }
    }
  },
  {
    title: 'has a durable message in a queue of its own on disk when it is accepted',
    part: 'durability',
    requires: 'crash',
    async run(t) {
      await (await (await Peer.open(t)).sender(t.queue)).accepted(...series(3))
      assert.ok(t.crash)
      await t.crash()
      assert.deepEqual(await (await Peer.open(t)).empty(t.queue), ['1', '2', '3'])
    }
  },
  {
    title: 'has queues and routes on disk when they are made, and their ends when they are removed',
    part: 'durability',
    requires: 'crash',
    async run(t) {
      const { queues, routes } = t.space
      await queues.create(QUEUE)
      await queues.create(OTHER)
      await routes.add({ filter: 'a', queue: QUEUE })
      await routes.add({ filter: 'b', queue: QUEUE })
      await routes.remove({ filter: 'a', queue: QUEUE })
      await queues.delete(OTHER)
      assert.ok(t.crash)
      await t.crash()
      assert.deepEqual(await t.space.queues.list('$mqtt.to.'), [QUEUE])
      assert.deepEqual(await t.space.routes.list(), [{ filter: 'b', queue: QUEUE }])
    }
  },
  {
    title: 'keeps every one of many messages that were accepted before a crash',
    part: 'durability',
    requires: 'crash',
    async run(t) {
      await t.space.queues.create(QUEUE)
      const sender = await (await Peer.open(t)).sender(QUEUE)
      const sent: Sent[] = []
      for (const message of series(60)) sent.push(await sender.start(message))
      await sent[0]?.outcome()
      assert.ok(t.crash)
      const crashed = t.crash()
      const known = numbers(60).filter((_, i) => sent[i]?.outcomes[0]?.type === 'accepted')
      await crashed
      const found = new Set(await (await Peer.open(t)).empty(QUEUE))
      assert.ok(known.length > 0)
      assert.deepEqual(
        known.filter(body => !found.has(body)),
        []
      )
    }
  },
  {
    title: 'keeps durable messages and their order over a restart',
    part: 'durability',
    async run(t) {
      await t.space.queues.create(QUEUE)
      await (await (await Peer.open(t)).sender(QUEUE)).accepted(...series(200))
      await t.restart()
      const peer = await Peer.open(t)
      await (await peer.sender(QUEUE)).accepted(durable('after'))
      const { inbox } = await peer.receive(QUEUE, { window: 10 })
      assert.deepEqual(await inbox.texts(201), [...numbers(200), 'after'])
    }
  },
  {
    title: 'keeps routes over a restart, and copies over them at once',
    part: 'durability',
    async run(t) {
      await t.space.queues.create(QUEUE)
      await t.space.routes.add({ filter: 'a/+', queue: QUEUE })
      await t.space.routes.add({ filter: 'b', queue: QUEUE })
      await t.space.routes.add({ filter: 'c', queue: QUEUE })
      await t.space.routes.remove({ filter: 'c', queue: QUEUE })
      await t.restart()
      const peer = await Peer.open(t)
      for (const topic of ['a/x', 'c', 'b']) await (await peer.sender(topic)).accepted(durable(topic))
      assert.deepEqual(await peer.empty(QUEUE), ['a/x', 'b'])
      const filters = (await t.space.routes.list(QUEUE)).map(({ filter }) => filter)
      assert.deepEqual(filters.sort(), ['a/+', 'b'])
    }
  },
  {
    title: 'knows its queues after a restart',
    part: 'durability',
    async run(t) {
      for (const queue of [QUEUE, OTHER]) await t.space.queues.create(queue)
      await (await (await Peer.open(t)).sender(OTHER)).accepted(durable('gone'))
      await t.space.queues.delete(OTHER)
      await t.restart()
      assert.deepEqual(await t.space.queues.list('$mqtt.to.'), [QUEUE])
      await t.space.queues.create(OTHER)
      assert.deepEqual(await (await Peer.open(t)).empty(OTHER), [])
    }
  },
  {
    title: 'does not deliver again after a restart what was settled before it',
    part: 'durability',
    async run(t) {
      await t.space.queues.create(QUEUE)
      const peer = await Peer.open(t)
      await (await peer.sender(QUEUE)).accepted(...series(8))
      const { inbox, receiver } = await peer.receive(QUEUE)
      const held = await inbox.take(8)
      for (const index of [0, 2, 3, 6]) held[index]?.settle(ACCEPTED)
      held[4]?.settle({ type: 'rejected', condition: 'amqp:not-allowed', description: 'no' })
      await receiver.close()
      await t.restart()
      assert.deepEqual(await (await Peer.open(t)).empty(QUEUE), ['2', '6', '8'])
    }
  },
  {
    title: 'delivers again after a restart what was delivered and not settled, in order',
    part: 'durability',
    async run(t) {
      await t.space.queues.create(QUEUE)
      const peer = await Peer.open(t)
      await (await peer.sender(QUEUE)).accepted(...series(5))
      const { inbox } = await peer.receive(QUEUE, { window: 3 })
      const [first, second] = await inbox.take(3)
      first?.settle(RELEASED)
      second?.settle(FAILED)
      await t.restart()
      assert.deepEqual(await (await Peer.open(t)).empty(QUEUE), numbers(5))
    }
  },
  {
    title: 'counts a delivery that a crash cut off, and none of what was not delivered',
    part: 'durability',
    requires: 'crash',
    async run(t) {
      await t.space.queues.create(QUEUE)
      const peer = await Peer.open(t)
      const { inbox } = await peer.receive(QUEUE, { window: 3 })
      const sender = await peer.sender(QUEUE)
      for (const message of series(5)) await sender.start(message)
      const held = await inbox.take(3)
      assert.ok(t.crash)
      await t.crash()
      assert.deepEqual(
        held.map(({ deliveryCount }) => deliveryCount),
        [0, 0, 0]
      )
      const again = await (await Peer.open(t)).receive(QUEUE)
      // 4 and 5 were not accepted perhaps
      await (await (await Peer.open(t)).sender(QUEUE)).accepted(durable('last'))
      const deliveries = []
      for (let text = ''; text !== 'last';) {
        const delivery = await again.inbox.next()
        deliveries.push(delivery)
        text = textOf(delivery.message.body)
      }
      const counts = deliveries.map(({ deliveryCount }) => deliveryCount)
      assert.deepEqual(counts.slice(0, 3), [1, 1, 1])
      assert.ok(counts.slice(3).every(count => count === 0))
    }
  },
  {
    title: 'gives a message the same id after a restart, and no other message that id',
    part: 'durability',
    async run(t) {
      await t.space.queues.create(QUEUE)
      const before = await Peer.open(t)
      await (await before.sender(QUEUE)).accepted(...series(3))
      const one = await before.receive(QUEUE)
      const ids = (await one.inbox.take(3)).map(({ id }) => id)
      await one.receiver.close()
      await t.restart()
      const after = await Peer.open(t)
      await (await after.sender(QUEUE)).accepted(durable('4'), durable('5'))
      const two = await after.receive(QUEUE)
      const again = await two.inbox.take(5)
      assert.deepEqual(
        again.slice(0, 3).map(({ id }) => id),
        ids
      )
      const known = again.map(({ id }) => id).filter(id => id !== undefined)
      assert.equal(new Set(known).size, known.length)
    }
  },
  {
    title: 'gives the id of a message that is gone to no message after a restart',
    part: 'durability',
    async run(t) {
      await t.space.queues.create(QUEUE)
      const ids: (string | undefined)[] = []
      for (const body of numbers(3)) {
        const peer = await Peer.open(t)
        await (await peer.sender(QUEUE)).accepted(durable(body))
        const { inbox, receiver } = await peer.receive(QUEUE)
        const delivery = await inbox.next()
        assert.equal(textOf(delivery.message.body), body)
        ids.push(delivery.id)
        delivery.settle(ACCEPTED)
        await receiver.close()
        await t.restart()
      }
      const known = ids.filter(id => id !== undefined)
      assert.equal(new Set(known).size, known.length)
    }
  },
  {
    title: 'knows its users after a restart, and starts twice in a row',
    part: 'durability',
    async run(t) {
      await t.restart()
      await t.restart()
      const peer = await Peer.open(t, 'limited')
      await (await peer.sender('allowed/a')).accepted(durable('1'))
    }
  },
  {
    title: 'tells links that they are lost when the host stops',
    part: 'durability',
    async run(t) {
      const peer = await Peer.open(t)
      const { inbox } = await peer.receive('a')
      const sender = await peer.sender('a')
      await t.restart()
      assert.equal((await inbox.closed()).cause, 'lost')
      assert.equal((await sender.closed()).cause, 'lost')
    }
  }
]
