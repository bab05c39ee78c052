// Messages that expire: by ttl and by absolute-expiry-time.
// Rule: what expired is never delivered, and is in nobody's way.

import assert from 'node:assert/strict'
import type { ContractCase } from './fixture.js'
import { ACCEPTED } from './inbox.js'
import { durable, text } from './messages.js'
import { Peer } from './peer.js'

const QUEUE = '$mqtt.to.c1.publish'
const SHORT_MS = 40
const LONG_MS = 3_600_000

export const expiry: readonly ContractCase[] = [
  {
    title: 'does not deliver a message whose ttl has passed in its queue',
    part: 'expiry',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      await (
        await peer.sender(QUEUE)
      ).accepted(
        durable('1', { ttlMs: SHORT_MS }),
        durable('2', { ttlMs: LONG_MS }),
        text('3', { ttlMs: SHORT_MS }),
        durable('4')
      )
      await t.elapse(SHORT_MS + 1)
      assert.deepEqual(await peer.empty(QUEUE), ['2', '4'])
    }
  },
  {
    title: 'does not deliver a message whose absolute expiry time has passed',
    part: 'expiry',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      const until = (ms: number) => ({ properties: { absoluteExpiryTime: t.now() + ms } })
      await (
        await peer.sender(QUEUE)
      ).accepted(durable('1', until(SHORT_MS)), durable('2', until(LONG_MS)), durable('3'))
      await t.elapse(SHORT_MS + 1)
      assert.deepEqual(await peer.empty(QUEUE), ['2', '3'])
    }
  },
  {
    title: 'does not deliver what expires while its consumer has no room',
    part: 'expiry',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      const { inbox } = await peer.receive(QUEUE, { window: 1 })
      await (
        await peer.sender(QUEUE)
      ).accepted(
        durable('1'),
        durable('2', { ttlMs: SHORT_MS }),
        durable('3', { ttlMs: SHORT_MS }),
        durable('4')
      )
      const first = await inbox.next()
      await t.elapse(SHORT_MS + 1)
      first.settle(ACCEPTED)
      assert.deepEqual(await inbox.texts(1), ['4'])
    }
  },
  {
    title: 'does not deliver what expires while a subscription has no room',
    part: 'expiry',
    async run(t) {
      const peer = await Peer.open(t)
      const { inbox } = await peer.receive('a', { kind: 'topic', window: 1 })
      await (await peer.sender('a')).accepted(text('1'), text('2', { ttlMs: SHORT_MS }), text('3'))
      const first = await inbox.next()
      await t.elapse(SHORT_MS + 1)
      first.settle(ACCEPTED)
      assert.deepEqual(await inbox.texts(1), ['3'])
    }
  },
  {
    title: 'does not deliver what expired after it came by a route',
    part: 'expiry',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      await t.space.routes.add({ filter: 'a/#', queue: QUEUE })
      await (await peer.sender('a/b')).accepted(durable('1', { ttlMs: SHORT_MS }), durable('2'))
      await t.elapse(SHORT_MS + 1)
      assert.deepEqual(await peer.empty(QUEUE), ['2'])
    }
  },
  {
    title: 'remembers over a restart when a message expires',
    part: 'expiry',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create(QUEUE)
      await (
        await peer.sender(QUEUE)
      ).accepted(
        durable('1', { ttlMs: SHORT_MS }),
        durable('2', { ttlMs: LONG_MS }),
        durable('3', { properties: { absoluteExpiryTime: t.now() + SHORT_MS } })
      )
      await t.elapse(SHORT_MS + 1)
      await t.restart()
      assert.deepEqual(await (await Peer.open(t)).empty(QUEUE), ['2'])
    }
  },
  {
    title: 'delivers in time what has a ttl',
    part: 'expiry',
    async run(t) {
      const peer = await Peer.open(t)
      const { inbox } = await peer.receive('a', { kind: 'topic' })
      const until = t.now() + LONG_MS
      await (
        await peer.sender('a')
      ).accepted(text('1', { ttlMs: LONG_MS }), text('2', { properties: { absoluteExpiryTime: until } }))
      const [first, second] = await inbox.take(2)
      assert.ok((first?.message.ttlMs ?? 0) > 0 && (first?.message.ttlMs ?? 0) <= LONG_MS)
      assert.equal(second?.message.properties.absoluteExpiryTime, until)
    }
  }
]
