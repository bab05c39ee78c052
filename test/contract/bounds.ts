// What a queue may hold: what comes over it is dropped from that queue alone, and who receives from none of it is known.
// Rule: the publisher's message is accepted all the same; nothing that a queue has is taken away by a bound.

import assert from 'node:assert/strict'
import type { ContractCase, ContractFixture } from './fixture.js'
import { durable, numbers, series, text } from './messages.js'
import { Peer } from './peer.js'

const QUEUE = '$mqtt.to.c1.publish'
const OTHER = '$mqtt.to.c2.publish'
const ELSEWHERE = '$mqtt.c1.pubrel'
const QUEUES = [QUEUE, OTHER, ELSEWHERE]
const MANY = 1e12

const limit = (t: ContractFixture, maxMessages: number, maxBytes = MANY, prefix = QUEUE): Promise<void> =>
  t.space.queues.limit(prefix, { maxMessages, maxBytes })

/** A peer, and QUEUES with a route from `a` to each. */
async function routed(t: ContractFixture): Promise<Peer> {
  for (const queue of QUEUES) {
    await t.space.queues.create(queue)
    await t.space.routes.add({ filter: 'a', queue })
  }
  return Peer.open(t)
}

const kilobytes = (count: number, of: number): ReturnType<typeof durable>[] =>
  numbers(count).map(number => durable(number.padEnd(of * 1000)))

/** `limit` counts when the host knows what is in the queue, which may be a while after a start: until then the queue takes messages. */
async function dropping(t: ContractFixture, peer: Peer, prefix: string): Promise<number> {
  const outlet = await peer.sender(prefix)
  let sent = 0
  const dropped = async (): Promise<boolean> => {
    await outlet.accepted(durable(`over ${++sent}`))
    return (await t.space.queues.dropped(prefix)) > 0
  }
  const end = Date.now() + t.patienceMs
  while (!(await dropped())) assert.ok(Date.now() < end, 'waited for the first message that is dropped')
  return sent - 1
}

export const bounds: readonly ContractCase[] = [
  {
    title: 'drops the newest over the bound of messages of a queue from that queue alone, and accepts it',
    part: 'queues',
    async run(t) {
      const peer = await routed(t)
      await limit(t, 3)
      await (await peer.sender('a')).accepted(...series(4), text('5'), durable('6'))
      assert.deepEqual(await peer.empty(QUEUE), ['1', '2', '3'])
      assert.deepEqual(await peer.empty(OTHER), numbers(6))
      assert.deepEqual(await peer.empty(ELSEWHERE), numbers(6))
      const counts = await Promise.all(
        [QUEUE, OTHER, '$mqtt.', '$mqtt.c1'].map(p => t.space.queues.dropped(p))
      )
      assert.deepEqual(counts, [3, 0, 3, 0])
    }
  },
  {
    title: 'drops over the bound of a queue what is sent to the queue itself, durable or not',
    part: 'queues',
    async run(t) {
      await t.space.queues.create(QUEUE)
      const peer = await Peer.open(t)
      await limit(t, 2)
      await (await peer.sender(QUEUE)).accepted(text('1'), durable('2'), text('3'), durable('4'))
      assert.deepEqual(await peer.empty(QUEUE), ['1', '2'])
      assert.equal(await t.space.queues.dropped(QUEUE), 2)
    }
  },
  {
    title: 'drops over the bound of bytes of a queue what is too large, and takes what has room',
    part: 'queues',
    async run(t) {
      await t.space.queues.create(QUEUE)
      const peer = await Peer.open(t)
      await limit(t, MANY, 100_000)
      const sender = await peer.sender(QUEUE)
      await sender.accepted(...kilobytes(3, 30), durable('large'.padEnd(30_000)), durable('small'))
      assert.deepEqual(
        (await peer.empty(QUEUE)).map(body => body.trim()),
        ['1', '2', '3', 'small']
      )
      assert.equal(await t.space.queues.dropped(QUEUE), 1)
    }
  },
  {
    title:
      'takes messages again when a full queue has room, and counts what is delivered until it is settled',
    part: 'queues',
    async run(t) {
      await t.space.queues.create(QUEUE)
      const peer = await Peer.open(t)
      await limit(t, 2)
      const sender = await peer.sender(QUEUE)
      await sender.accepted(...series(2))
      const { inbox, receiver } = await peer.receive(QUEUE, { window: 2 })
      const held = await inbox.take(2)
      await sender.accepted(durable('dropped'))
      held[0]?.settle({ type: 'accepted' })
      held[1]?.settle({ type: 'modified', deliveryFailed: true, undeliverableHere: false })
      await receiver.close()
      await sender.accepted(durable('3'), durable('dropped'))
      assert.deepEqual(await peer.empty(QUEUE), ['2', '3'])
      await sender.accepted(...series(2))
      assert.deepEqual(await peer.empty(QUEUE), ['1', '2'])
    }
  },
  {
    title: 'leaves what is in a queue over a bound that was lowered',
    part: 'queues',
    async run(t) {
      await t.space.queues.create(QUEUE)
      const peer = await Peer.open(t)
      await limit(t, 10)
      const sender = await peer.sender(QUEUE)
      await sender.accepted(...series(5))
      await limit(t, 2)
      await sender.accepted(durable('dropped'))
      await limit(t, 6)
      await sender.accepted(durable('6'), durable('dropped'))
      assert.deepEqual(await peer.empty(QUEUE), numbers(6))
    }
  },
  {
    title: 'has the bound of a prefix for a queue that is made later, and for one that is made again',
    part: 'queues',
    async run(t) {
      await limit(t, 1, MANY, '$mqtt.to.')
      const peer = await routed(t)
      for (let round = 1; round <= 2; round++) {
        await (await peer.sender('a')).accepted(...series(3))
        assert.deepEqual(await peer.empty(OTHER), ['1'])
        assert.deepEqual(await peer.empty(ELSEWHERE), numbers(3))
        assert.equal(await t.space.queues.dropped('$mqtt.to.'), round * 4)
        for (const queue of QUEUES) await t.space.queues.delete(queue)
        await routed(t)
      }
      assert.equal(await t.space.queues.dropped('$mqtt.'), 8)
    }
  },
  {
    title: 'counts what a queue had before a restart towards its bounds',
    part: 'durability',
    async run(t) {
      for (const queue of [QUEUE, OTHER]) await t.space.queues.create(queue)
      const before = await Peer.open(t)
      await (await before.sender(QUEUE)).accepted(...kilobytes(20, 1))
      await (await before.sender(OTHER)).accepted(text('1'), durable('2'), text('3'))
      const { inbox, receiver } = await before.receive(QUEUE, { window: 5 })
      assert.equal((await inbox.texts(5)).length, 5)
      await receiver.close()
      await t.restart()
      const peer = await Peer.open(t)
      await limit(t, MANY, 25_000)
      await limit(t, 4, MANY, OTHER)
      await (await peer.sender(OTHER)).accepted(durable('4'), durable('5'), text('6'))
      assert.deepEqual(await peer.empty(OTHER), numbers(4))
      await (await peer.sender(QUEUE)).accepted(...kilobytes(20, 1))
      const left = (await peer.empty(QUEUE)).length
      assert.ok(left >= 20 && left <= 25, `${left} messages of 1 kB in 25 kB`)
    }
  },
  {
    title: 'counts what a queue had before a crash towards its bounds, before it holds the bound twice',
    part: 'durability',
    requires: 'crash',
    async run(t) {
      await t.space.queues.create(QUEUE)
      const before = await Peer.open(t)
      await (await before.sender(QUEUE)).accepted(...series(2500))
      const { inbox, receiver } = await before.receive(QUEUE, { window: 100 })
      assert.equal((await inbox.texts(500)).length, 500)
      await receiver.close()
      await t.space.store('a').then(store => store.put('what was settled', durable('is on disk')))
      assert.ok(t.crash)
      await t.crash()
      await limit(t, 2000)
      const peer = await Peer.open(t)
      const taken = await dropping(t, peer, QUEUE)
      assert.ok(taken <= 2000, `${taken} messages were taken`)
      const { inbox: rest } = await peer.receive(QUEUE, { window: 100 })
      const numbered = numbers(2500).slice(500)
      assert.deepEqual(await rest.texts(2000 + taken), [...numbered, ...numbers(taken, 'over ')])
      await (await peer.sender(QUEUE)).accepted(...series(2001))
      assert.equal((await rest.texts(2000)).at(-1), '2000')
    }
  },
  {
    title: 'names the queues with a prefix that nobody receives from',
    part: 'queues',
    async run(t) {
      const peer = await routed(t)
      const names = async (prefix: string): Promise<string[]> =>
        [...(await t.space.queues.unattended(prefix))].sort()
      assert.deepEqual(await names('$mqtt.'), [...QUEUES].sort())
      const { receiver } = await peer.receive(QUEUE, { window: 0 })
      const other = await (await Peer.open(t)).receive(QUEUE)
      assert.deepEqual(await names('$mqtt.to.'), [OTHER])
      await receiver.close()
      assert.deepEqual(await names('$mqtt.to.c1.'), [])
      const lost = await Peer.open(t)
      await lost.receive(OTHER)
      assert.deepEqual(await names('$mqtt.to.'), [])
      await t.lose(lost.connection)
      await other.receiver.close()
      assert.deepEqual(await names('$mqtt.to.c1.'), [QUEUE])
    }
  }
]
