// Which topic filters match which topics: MQTT's rules, for every receiver that names a filter.
// Rule: misses are published before a match, and every match must come; what came shows what else got through.

import assert from 'node:assert/strict'
import { AmqpError } from '../../plugin/errors.js'
import type { ContractCase, ContractFixture } from './fixture.js'
import { durable, text, topicOf } from './messages.js'
import { Peer } from './peer.js'

/** Publishes to all `misses`, then to all `hits`; the receiver on `filter` gets the hits alone, in order. */
async function selects(
  t: ContractFixture,
  filter: string,
  hits: readonly string[],
  misses: readonly string[]
): Promise<void> {
  const peer = await Peer.open(t)
  const { inbox } = await peer.receive(filter, { kind: 'topic' })
  for (const topic of [...misses, ...hits]) await (await peer.sender(topic)).send(text(topic))
  assert.deepEqual(await inbox.texts(hits.length), hits, `what came on ${filter}`)
}

export const topics: readonly ContractCase[] = [
  {
    title: 'delivers to a topic what is published to it, and nothing else',
    part: 'topics',
    run: t => selects(t, 'a/b', ['a/b'], ['a', 'b', 'a/c', 'a/b/c', 'a/bb', 'A/b', 'a/b ', 'x/a/b'])
  },
  {
    title: 'matches exactly one level with + [MQTT3-4.7.1-3]',
    part: 'topics',
    run: t => selects(t, 'a/+/c', ['a/b/c', 'a/x y/c', 'a//c'], ['a/c', 'a/b/b/c', 'a/b/c/d', 'a/b', 'b/b/c'])
  },
  {
    title: 'matches any single level with a + alone',
    part: 'topics',
    run: t => selects(t, '+', ['a', 'b c'], ['a/b', '/a', 'a/'])
  },
  {
    title: 'matches the level of # and all below it [MQTT3-4.7.1-2]',
    part: 'topics',
    run: t => selects(t, 'a/#', ['a', 'a/', 'a/b', 'a/b/c/d'], ['b', 'ab', 'b/a', '/a'])
  },
  {
    title: 'matches every topic with #',
    part: 'topics',
    run: t => selects(t, '#', ['a', '/', 'a/b', '/a', 'a/'], [])
  },
  {
    title: 'combines + and #',
    part: 'topics',
    run: t => selects(t, '+/b/#', ['a/b', '/b', 'a/b/c', 'c/b/c/d'], ['b', 'a/a', 'a/a/b', 'a/c/b'])
  },
  {
    title: 'takes an empty level for a level [MQTT3-4.7.3-1]',
    part: 'topics',
    run: t => selects(t, '+/+', ['/a', 'a/', '/'], ['a', '/a/', '//'])
  },
  {
    title: 'tells topics with and without a slash at their ends apart',
    part: 'topics',
    run: t => selects(t, '/a', ['/a'], ['a', '/a/', 'a/', '//a'])
  },
  {
    title: 'takes dots, stars, greater-than signs, colons and spaces for plain characters',
    part: 'topics',
    async run(t) {
      const peer = await Peer.open(t)
      const filters = ['a.b/*/>', 'a.b/+/c:d', 'a b/#']
      const inboxes = []
      for (const filter of filters) inboxes.push((await peer.receive(filter, { kind: 'topic' })).inbox)
      for (const topic of ['a.b/x/y', 'a/b/*/>', 'ab/x', 'a.b/*/>', 'a.b/*/c:d', 'a b/*']) {
        await (await peer.sender(topic)).send(text(topic))
      }
      const came = []
      for (const inbox of inboxes) came.push(...(await inbox.texts(1)))
      assert.deepEqual(came, ['a.b/*/>', 'a.b/*/c:d', 'a b/*'])
    }
  },
  {
    title: 'compares topics character by character, with no normal form [MQTT3-4.7.3-4]',
    part: 'topics',
    run: t => selects(t, '\u00e9/\u{1f600}', ['\u00e9/\u{1f600}'], ['e\u0301/\u{1f600}', 'E/\u{1f600}'])
  },
  {
    title: 'serves topics of 100 levels, and of a thousand characters',
    part: 'topics',
    async run(t) {
      const deep = Array.from({ length: 100 }, (_, i) => `l${i}`).join('/')
      await selects(t, `${deep}/#`, [deep, `${deep}/x`, `${deep}/${'x'.repeat(1000)}`], [deep.slice(0, -1)])
    }
  },
  {
    title: 'keeps addresses that start with $ from filters that start with a wildcard [MQTT3-4.7.2-1]',
    part: 'topics',
    async run(t) {
      const peer = await Peer.open(t)
      const queue = '$mqtt.to.c1.publish'
      await t.space.queues.create(queue)
      const all = await peer.receive('#', { kind: 'topic' })
      const single = await peer.receive('+', { kind: 'topic' })
      await (await peer.sender(queue)).accepted(text('for the queue'))
      await (await peer.sender('a')).send(text('for all'))
      assert.deepEqual(await all.inbox.texts(1), ['for all'])
      assert.deepEqual(await single.inbox.texts(1), ['for all'])
      assert.deepEqual(await peer.empty(queue), ['for the queue'])
    }
  },
  {
    title: 'tells the topic of a publication that came by a wildcard and has no `to`',
    part: 'topics',
    async run(t) {
      const peer = await Peer.open(t)
      const { inbox } = await peer.receive('a/#', { kind: 'topic' })
      for (const topic of ['a/b', 'a//c', 'a']) await (await peer.sender(topic)).send(text(topic))
      for (const topic of ['a/b', 'a//c', 'a']) assert.equal(topicOf(await inbox.next(), 'a/#'), topic)
    }
  },
  {
    title: 'tells the topic of a publication whose `to` names another',
    part: 'topics',
    async run(t) {
      const peer = await Peer.open(t)
      const { inbox } = await peer.receive('a/+', { kind: 'topic' })
      await (await peer.sender('a/b')).send(text('x', { properties: { to: 'a/forged' } }))
      assert.equal(topicOf(await inbox.next(), 'a/+'), 'a/b')
    }
  },
  {
    title: 'tells the topic of a publication whose publisher forged the origin',
    part: 'topics',
    async run(t) {
      const peer = await Peer.open(t)
      const queue = '$mqtt.to.c1.publish'
      await t.space.queues.create(queue)
      await t.space.routes.add({ filter: 'a/b', queue })
      const subscription = await peer.receive('a/+', { kind: 'topic' })
      const annotations = new Map([['x-opt-ORIG-ADDRESS', 'a/forged']])
      const applicationProperties = new Map([['_AMQ_ORIG_ADDRESS', 'a/forged']])
      await (await peer.sender('a/b')).send(durable('x', { annotations, applicationProperties }))
      assert.equal(topicOf(await subscription.inbox.next(), 'a/+'), 'a/b')
      assert.equal(topicOf(await (await peer.receive(queue)).inbox.next(), queue), 'a/b')
    }
  },
  {
    title: 'refuses filters and topics that MQTT does not know',
    part: 'topics',
    async run(t) {
      const peer = await Peer.open(t)
      for (const filter of ['a/#/b', 'a+', 'a#', '+a/b', 'a/\u0000']) {
        await assert.rejects(peer.receive(filter, { kind: 'topic' }), AmqpError, `a receiver of ${filter}`)
      }
      for (const topic of ['a/#', '+', 'a/+/b', 'a/\u0000']) {
        await assert.rejects(peer.sender(topic), AmqpError, `a sender to ${topic}`)
      }
      await (await peer.sender('a')).send(text('the connection still works'))
    }
  }
]
