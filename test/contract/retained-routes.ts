// Routes that take only publications with RETAIN: what the keeper of retained messages lives on.
// Rule: the annotation alone decides, in whatever encoding it comes; all else is as for any route.

import assert from 'node:assert/strict'
import type { AmqpValue, Message, Route } from '../../plugin/host.js'
import { encodePublication } from '../../plugin/messages/publish.js'
import type { ContractCase, ContractFixture } from './fixture.js'
import { durable, text } from './messages.js'
import { Peer } from './peer.js'

const QUEUE = '$mqtt.store.c1'
const RETAIN = 'x-opt-retain-message'

/** A peer, and QUEUE with routes for publications with RETAIN from `filters`. */
async function routed(t: ContractFixture, ...filters: readonly string[]): Promise<Peer> {
  await t.space.queues.create(QUEUE)
  for (const filter of filters) await t.space.routes.add({ filter, queue: QUEUE, only: 'retained' })
  return Peer.open(t)
}

const flagged = (body: string, flag: AmqpValue = true, fields: Partial<Message> = {}): Message =>
  durable(body, { annotations: new Map([[RETAIN, flag]]), ...fields })

const sorted = (routes: readonly Route[]): string[] =>
  routes.map(({ filter, queue, only = 'all' }) => `${filter} -> ${queue}, ${only}`).sort()

export const retainedRoutes: readonly ContractCase[] = [
  {
    title: 'copies over a route for retained messages only what has the annotation true',
    part: 'routes',
    async run(t) {
      const peer = await routed(t, 'a/#')
      const sender = await peer.sender('a/b')
      await sender.accepted(durable('no annotation'), flagged('1'), flagged('false', false))
      for (const [i, flag] of ['true', 1, null, new Map()].entries())
        await sender.accepted(flagged(`other ${i}`, flag))
      const others = new Map<string, AmqpValue>([
        ['x-opt-a', RETAIN],
        [RETAIN, true],
        ['x-opt-z', true]
      ])
      const misleading = new Map<string, AmqpValue>([
        ['x-opt-a', RETAIN],
        ['x-opt-z', true]
      ])
      await sender.accepted(durable('misleading', { annotations: misleading }))
      await sender.accepted(
        durable('2', { annotations: others }),
        text('3', { annotations: new Map([[RETAIN, true]]) })
      )
      assert.deepEqual(await peer.empty(QUEUE), ['1', '2', '3'])
    }
  },
  {
    title: 'reads the annotation of a publication of the plugin, over a relay and in a link',
    part: 'routes',
    requires: 'relay',
    async run(t) {
      const peer = await routed(t, '#')
      const publication = (topic: string, retain: boolean): Message =>
        encodePublication({ topic, payload: Buffer.from(`${topic} ${retain}`), qos: 1, retain, dup: false })
      const relay = await peer.sender(undefined)
      await relay.accepted(publication('a', true), publication('a', false), publication('b/c', true))
      await (await peer.sender('d')).accepted(publication('d', false), publication('d', true))
      assert.deepEqual(await peer.empty(QUEUE), ['a true', 'b/c true', 'd true'])
    }
  },
  {
    title: 'copies over a route for retained messages what its filter matches, and no address of the plugin',
    part: 'routes',
    async run(t) {
      const peer = await routed(t, '#')
      await t.space.queues.create('$mqtt.to.c2.publish')
      await (await peer.sender('$mqtt.to.c2.publish')).accepted(flagged('for a queue'))
      await (await peer.sender('a')).accepted(flagged('a'))
      await (await peer.sender('b/c')).accepted(flagged('b/c'))
      await t.space.routes.remove({ filter: '#', queue: QUEUE, only: 'retained' })
      for (const filter of ['b/+', 'd']) await t.space.routes.add({ filter, queue: QUEUE, only: 'retained' })
      for (const topic of ['a', 'b', 'b/d', 'd']) await (await peer.sender(topic)).accepted(flagged(topic))
      assert.deepEqual(await peer.empty(QUEUE), ['a', 'b/c', 'b/d', 'd'])
    }
  },
  {
    title: 'copies a publication once to a queue with routes of both kinds',
    part: 'routes',
    async run(t) {
      const peer = await routed(t, '#', 'a/b', '+/b')
      await t.space.routes.add({ filter: 'a/#', queue: QUEUE })
      const sender = await peer.sender('a/b')
      await sender.accepted(flagged('1'), durable('2'), flagged('3'))
      await (await peer.sender('c')).accepted(durable('4'), flagged('5'))
      assert.deepEqual(await peer.empty(QUEUE), ['1', '2', '3', '5'])
    }
  },
  {
    title: 'has a route for retained messages beside one with the same filter, and removes one alone',
    part: 'routes',
    async run(t) {
      const peer = await routed(t, 'a', 'a')
      await t.space.routes.add({ filter: 'a', queue: QUEUE })
      assert.deepEqual(sorted(await t.space.routes.list(QUEUE)), [
        `a -> ${QUEUE}, all`,
        `a -> ${QUEUE}, retained`
      ])
      await t.space.routes.remove({ filter: 'a', queue: QUEUE })
      const sender = await peer.sender('a')
      await sender.accepted(durable('1'), flagged('2'))
      await t.space.routes.add({ filter: 'a', queue: QUEUE })
      await t.space.routes.remove({ filter: 'a', queue: QUEUE, only: 'retained' })
      assert.deepEqual(sorted(await t.space.routes.list()), [`a -> ${QUEUE}, all`])
      await sender.accepted(durable('3'), flagged('4'))
      await t.space.routes.remove({ filter: 'a', queue: QUEUE })
      await sender.accepted(durable('5'), flagged('6'))
      assert.deepEqual(await peer.empty(QUEUE), ['2', '3', '4'])
    }
  },
  {
    title: 'ends the routes for retained messages of a queue that is deleted',
    part: 'routes',
    async run(t) {
      const peer = await routed(t, 'a', '#')
      await t.space.queues.delete(QUEUE)
      assert.deepEqual(await t.space.routes.list(), [])
      await (await peer.sender('a')).accepted(flagged('1'))
      await routed(t, 'b')
      for (const topic of ['a', 'b']) await (await peer.sender(topic)).accepted(flagged(topic))
      assert.deepEqual(await peer.empty(QUEUE), ['b'])
    }
  },
  {
    title: 'keeps routes for retained messages over a restart, and copies over them at once',
    part: 'durability',
    async run(t) {
      await routed(t, '#')
      await t.space.routes.add({ filter: 'a', queue: QUEUE })
      await t.restart()
      const peer = await Peer.open(t)
      await (await peer.sender('b')).accepted(durable('1'), flagged('2'))
      await (await peer.sender('a')).accepted(durable('3'))
      assert.deepEqual(await peer.empty(QUEUE), ['2', '3'])
      assert.deepEqual(sorted(await t.space.routes.list()), [`# -> ${QUEUE}, retained`, `a -> ${QUEUE}, all`])
    }
  },
  {
    title: 'has routes for retained messages, and what was accepted over them, on disk',
    part: 'durability',
    requires: 'crash',
    async run(t) {
      const peer = await routed(t, 'a', '#')
      await t.space.routes.remove({ filter: 'a', queue: QUEUE, only: 'retained' })
      await (await peer.sender('a')).accepted(flagged('1'), durable('2'))
      assert.ok(t.crash)
      await t.crash()
      assert.deepEqual(await t.space.routes.list(), [{ filter: '#', queue: QUEUE, only: 'retained' }])
      assert.deepEqual(await (await Peer.open(t)).empty(QUEUE), ['1'])
    }
  }
]
