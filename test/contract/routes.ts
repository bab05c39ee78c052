// Routes: copies of what is published to the topics of a filter, into the plugin's queues.
// Rule: a route copies from the moment add resolves until remove resolves, once per queue, whoever consumes or does not.

import assert from 'node:assert/strict'
import type { Route } from '../../plugin/host.js'
import type { ContractCase, ContractFixture } from './fixture.js'
import { durable, numbers, series, text, topicOf } from './messages.js'
import { Peer, refused } from './peer.js'

const QUEUE = '$mqtt.to.c1.publish'
const OTHER = '$mqtt.to.c2.publish'

/** A peer, and QUEUE with routes from `filters`. */
async function routed(t: ContractFixture, ...filters: readonly string[]): Promise<Peer> {
  await t.space.queues.create(QUEUE)
  for (const filter of filters) await t.space.routes.add({ filter, queue: QUEUE })
  return Peer.open(t)
}

async function publish(peer: Peer, ...topics: readonly string[]): Promise<void> {
  for (const topic of topics) await (await peer.sender(topic)).accepted(durable(topic))
}

const sorted = (routes: readonly Route[]): string[] =>
  routes.map(({ filter, queue }) => `${filter} -> ${queue}`).sort()

export const routes: readonly ContractCase[] = [
  {
    title: 'copies publications to a queue that nobody consumes, durable or not',
    part: 'routes',
    async run(t) {
      const peer = await routed(t, 'a/b')
      await (await peer.sender('a/b')).accepted(durable('1'), text('2'), durable('3'))
      await publish(peer, 'a/c')
      assert.deepEqual(await peer.empty(QUEUE), ['1', '2', '3'])
    }
  },
  {
    title: 'copies what wildcard filters match, and only that',
    part: 'routes',
    async run(t) {
      const peer = await routed(t, 'a/+/c', 'x/#')
      await publish(peer, 'a/c', 'a/b/c', 'x', 'a/b/c/d', 'x/y/z', 'y/x', 'a//c')
      assert.deepEqual(await peer.empty(QUEUE), ['a/b/c', 'x', 'x/y/z', 'a//c'])
    }
  },
  {
    title: 'gives a queue one copy of a publication that several of its filters match',
    part: 'routes',
    async run(t) {
      const peer = await routed(t, '#', 'a/#', 'a/b', '+/b')
      await publish(peer, 'a/b', 'c', 'a/d')
      assert.deepEqual(await peer.empty(QUEUE), ['a/b', 'c', 'a/d'])
    }
  },
  {
    title: 'gives each of several queues a copy',
    part: 'routes',
    async run(t) {
      const peer = await routed(t, 'a/#', 'a/b')
      await t.space.queues.create(OTHER)
      await t.space.routes.add({ filter: 'a/b', queue: OTHER })
      await publish(peer, 'a/b', 'a/c')
      assert.deepEqual(await peer.empty(QUEUE), ['a/b', 'a/c'])
      assert.deepEqual(await peer.empty(OTHER), ['a/b'])
    }
  },
  {
    title: 'copies beside receivers that subscribe to the topic',
    part: 'routes',
    async run(t) {
      const peer = await routed(t, 'a')
      const { inbox } = await peer.receive('a', { kind: 'topic' })
      await publish(peer, 'a')
      assert.deepEqual(await inbox.texts(1), ['a'])
      assert.deepEqual(await peer.empty(QUEUE), ['a'])
    }
  },
  {
    title: 'keeps the order of a publisher across the topics of a queue',
    part: 'routes',
    async run(t) {
      const peer = await routed(t, 'a/#', 'b')
      const senders = [await peer.sender('a/1'), await peer.sender('b'), await peer.sender('a/2')]
      for (const [i, message] of series(30).entries()) await senders[i % 3]?.accepted(message)
      assert.deepEqual(await peer.empty(QUEUE), numbers(30))
    }
  },
  {
    title: 'copies once over a route that is added twice',
    part: 'routes',
    async run(t) {
      const peer = await routed(t, 'a', 'a')
      await t.space.routes.add({ filter: 'a', queue: QUEUE })
      await publish(peer, 'a')
      assert.deepEqual(await peer.empty(QUEUE), ['a'])
      assert.deepEqual(sorted(await t.space.routes.list(QUEUE)), [`a -> ${QUEUE}`])
      await t.space.routes.remove({ filter: 'a', queue: QUEUE })
      assert.deepEqual(await t.space.routes.list(QUEUE), [])
    }
  },
  {
    title: 'copies nothing more over a route that was removed',
    part: 'routes',
    async run(t) {
      const peer = await routed(t, 'a/b', 'c')
      const { inbox } = await peer.receive(QUEUE)
      const sender = await peer.sender('a/b')
      await sender.accepted(durable('before'))
      await t.space.routes.remove({ filter: 'a/b', queue: QUEUE })
      await sender.accepted(durable('after'))
      await publish(peer, 'c')
      assert.deepEqual(await inbox.texts(2), ['before', 'c'])
    }
  },
  {
    title: 'keeps the other filters of a queue, and other queues, when a route is removed',
    part: 'routes',
    async run(t) {
      const peer = await routed(t, 'a/+', 'a/b', 'a/b/#')
      await t.space.queues.create(OTHER)
      await t.space.routes.add({ filter: 'a/b', queue: OTHER })
      await t.space.routes.remove({ filter: 'a/b', queue: QUEUE })
      await t.space.routes.remove({ filter: 'a/b', queue: QUEUE })
      await t.space.routes.remove({ filter: 'never/there', queue: QUEUE })
      await publish(peer, 'a/b')
      assert.deepEqual(await peer.empty(QUEUE), ['a/b'])
      assert.deepEqual(await peer.empty(OTHER), ['a/b'])
    }
  },
  {
    title: 'lists all routes, or those to one queue',
    part: 'routes',
    async run(t) {
      await routed(t, 'a', 'b/#')
      await t.space.queues.create(OTHER)
      await t.space.routes.add({ filter: 'a', queue: OTHER })
      assert.deepEqual(sorted(await t.space.routes.list(QUEUE)), [`a -> ${QUEUE}`, `b/# -> ${QUEUE}`])
      assert.deepEqual(sorted(await t.space.routes.list(OTHER)), [`a -> ${OTHER}`])
      assert.equal((await t.space.routes.list()).length, 3)
      assert.deepEqual(await t.space.routes.list('$mqtt.to.nobody.publish'), [])
    }
  },
  {
    title: 'refuses a route to a queue that is not there',
    part: 'routes',
    async run(t) {
      const adding = t.space.routes.add({ filter: 'a', queue: QUEUE })
      await refused(adding, 'amqp:not-found', 'a route without its queue')
      assert.deepEqual(await t.space.routes.list(), [])
    }
  },
  {
    title: 'ends the routes of a queue that is deleted',
    part: 'routes',
    async run(t) {
      const peer = await routed(t, 'a', '#')
      await t.space.queues.delete(QUEUE)
      assert.deepEqual(await t.space.routes.list(), [])
      await publish(peer, 'a')
      await routed(t, 'b')
      await publish(peer, 'a', 'b')
      assert.deepEqual(await peer.empty(QUEUE), ['b'])
    }
  },
  {
    title: 'tells the topic of a publication that came by a route and has no `to`',
    part: 'routes',
    async run(t) {
      const peer = await routed(t, 'a/#')
      await publish(peer, 'a/b', 'a/c')
      const { inbox } = await peer.receive(QUEUE)
      for (const topic of ['a/b', 'a/c']) assert.equal(topicOf(await inbox.next(), QUEUE), topic)
    }
  },
  {
    title: 'copies nothing over # that was sent to a queue',
    part: 'routes',
    async run(t) {
      const peer = await routed(t, '#')
      await t.space.queues.create(OTHER)
      await (await peer.sender(OTHER)).accepted(durable('for the other'))
      await publish(peer, 'a')
      assert.deepEqual(await peer.empty(QUEUE), ['a'])
      assert.deepEqual(await peer.empty(OTHER), ['for the other'])
    }
  },
  {
    title: 'copies the publications of a user that has no right to the queue',
    part: 'routes',
    async run(t) {
      const peer = await routed(t, 'allowed/#')
      await publish(await Peer.open(t, 'limited'), 'allowed/a')
      assert.deepEqual(await peer.empty(QUEUE), ['allowed/a'])
    }
  }
]
