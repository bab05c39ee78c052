// Sources: the gateway's own subscriptions, which die with it.
// Rule: a source gives each publication once, in order per publisher, and when it closes all that was accepted before.

import assert from 'node:assert/strict'
import type { Source } from '../../plugin/host.js'
import type { ContractCase, ContractFixture } from './fixture.js'
import { Inbox } from './inbox.js'
import { durable, numbers, series, text, topicOf } from './messages.js'
import { Peer } from './peer.js'
import { within } from './signal.js'

async function open(
  t: ContractFixture,
  filter: string,
  { window = 100, accepting = true } = {}
): Promise<{ readonly inbox: Inbox; readonly source: Source }> {
  const inbox = new Inbox(`the source of ${filter}`, t.patienceMs, accepting)
  const { onDelivery, onClosed } = inbox
  const opening = t.space.source(filter, { window, onDelivery, onClosed })
  return { inbox, source: await within(t.patienceMs, `a source of ${filter}`, opening) }
}

export const sources: readonly ContractCase[] = [
  {
    title: 'gives a source what its filter matches, in order, with the topic told',
    part: 'sources',
    async run(t) {
      const { inbox } = await open(t, 'a/+')
      const peer = await Peer.open(t)
      const topics = ['b', 'a/x', 'a', 'a/y', 'a/x/y', 'a/x']
      for (const topic of topics) await (await peer.sender(topic)).accepted(durable(topic))
      for (const expected of ['a/x', 'a/y', 'a/x']) {
        assert.equal(topicOf(await inbox.next(), 'a/+'), expected)
      }
      assert.equal(inbox.all.length, 3)
    }
  },
  {
    title: 'gives a source publications of users, durable or not, and keeps no queue for it',
    part: 'sources',
    async run(t) {
      const before = await t.space.queues.list('$mqtt.to.')
      const { inbox } = await open(t, '#')
      const sender = await (await Peer.open(t, 'limited')).sender('allowed/a')
      await sender.accepted(text('1'), durable('2'), text('3'))
      assert.deepEqual(await inbox.texts(3), ['1', '2', '3'])
      assert.deepEqual(await t.space.queues.list('$mqtt.to.'), before)
      assert.deepEqual(await t.space.routes.list(), [])
    }
  },
  {
    title: 'has no more deliveries unsettled than the window of a source',
    part: 'sources',
    async run(t) {
      const narrow = await open(t, 'a', { window: 3, accepting: false })
      const wide = await open(t, 'a')
      await (await (await Peer.open(t)).sender('a')).accepted(...series(20))
      await wide.inbox.take(20)
      assert.deepEqual(await narrow.inbox.texts(20), numbers(20))
      assert.equal(narrow.inbox.mostUnsettled, 3)
    }
  },
  {
    title: 'gives each of several sources each publication once',
    part: 'sources',
    async run(t) {
      const opened = [await open(t, 'a/b'), await open(t, 'a/b'), await open(t, 'a/#'), await open(t, '#')]
      const sender = await (await Peer.open(t)).sender('a/b')
      await sender.accepted(...series(5))
      for (const { inbox } of opened) assert.deepEqual(await inbox.texts(5), numbers(5))
      await sender.accepted(durable('last'))
      for (const { inbox } of opened) assert.deepEqual(await inbox.texts(1), ['last'])
    }
  },
  {
    title: 'keeps the order of a publisher across the topics of a source',
    part: 'sources',
    requires: 'relay',
    async run(t) {
      const { inbox } = await open(t, '#', { window: 4 })
      const relay = await (await Peer.open(t)).sender(undefined)
      await relay.accepted(
        ...numbers(50).map((body, i) =>
          text(body, { durable: i % 2 === 0, properties: { to: `t/${i % 5}` } })
        )
      )
      assert.deepEqual(await inbox.texts(50), numbers(50))
    }
  },
  {
    title: 'has delivered all that was accepted before when a source is closed',
    part: 'sources',
    async run(t) {
      const { inbox, source } = await open(t, 'a', { window: 5, accepting: false })
      const sender = await (await Peer.open(t)).sender('a')
      await sender.accepted(...series(20))
      const closing = source.close()
      assert.deepEqual(await inbox.texts(20), numbers(20))
      await within(t.patienceMs, 'the close of a source', closing)
      assert.equal(inbox.closings, 0)
    }
  },
  {
    title: 'has delivered what waited for a slow reader when the close of a source resolves',
    part: 'sources',
    async run(t) {
      const { inbox, source } = await open(t, 'a', { window: 2 })
      await (await (await Peer.open(t)).sender('a')).accepted(...series(30))
      await within(t.patienceMs, 'the close of a source', source.close())
      assert.deepEqual(inbox.all, numbers(30))
    }
  },
  {
    title: 'gives nothing to a source that is closed, and leaves the others',
    part: 'sources',
    async run(t) {
      const closed = await open(t, 'a')
      const kept = await open(t, 'a')
      const sender = await (await Peer.open(t)).sender('a')
      await sender.accepted(durable('1'))
      await closed.source.close()
      await sender.accepted(durable('2'))
      assert.deepEqual(await kept.inbox.texts(2), ['1', '2'])
      assert.deepEqual(closed.inbox.all, ['1'])
      assert.deepEqual([closed.inbox.closings, kept.inbox.closings], [0, 0])
    }
  },
  {
    title: 'keeps addresses that start with $ from a source of a wildcard',
    part: 'sources',
    async run(t) {
      await t.space.queues.create('$mqtt.to.c1.publish')
      const { inbox } = await open(t, '#')
      const peer = await Peer.open(t)
      await (await peer.sender('$mqtt.to.c1.publish')).accepted(durable('for the queue'))
      await (await peer.sender('a')).accepted(durable('for all'))
      assert.deepEqual(await inbox.texts(1), ['for all'])
    }
  },
  {
    title: 'does not lose the publications of a source that is opened beside routes',
    part: 'sources',
    async run(t) {
      await t.space.queues.create('$mqtt.to.c1.publish')
      await t.space.routes.add({ filter: 'a', queue: '$mqtt.to.c1.publish' })
      const { inbox } = await open(t, 'a')
      const peer = await Peer.open(t)
      await (await peer.sender('a')).accepted(...series(3))
      assert.deepEqual(await inbox.texts(3), numbers(3))
      assert.deepEqual(await peer.empty('$mqtt.to.c1.publish'), numbers(3))
    }
  },
  {
    title: 'opens a source again after it was closed',
    part: 'sources',
    async run(t) {
      const sender = await (await Peer.open(t)).sender('a')
      for (const round of ['1', '2', '3']) {
        const { inbox, source } = await open(t, 'a')
        await sender.accepted(durable(round))
        await source.close()
        assert.deepEqual(inbox.all, [round])
      }
    }
  }
]
