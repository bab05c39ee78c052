// Publications and subscriptions that live as long as their links.
// Rule: a subscription begins when openReceiver resolves, ends with its link, and keeps the order of each publisher.

import assert from 'node:assert/strict'
import type { ContractCase } from './fixture.js'
import { durable, numbers, series, text, topicOf } from './messages.js'
import { Peer } from './peer.js'

export const publishSubscribe: readonly ContractCase[] = [
  {
    title: 'gives every receiver of a topic its own copy',
    part: 'publish-subscribe',
    async run(t) {
      const [publisher, one, two] = [await Peer.open(t), await Peer.open(t), await Peer.open(t)]
      const inboxes = [
        (await one.receive('a/b', { kind: 'topic' })).inbox,
        (await one.receive('a/b', { kind: 'topic' })).inbox,
        (await two.receive('a/+', { kind: 'topic' })).inbox,
        (await two.receive('#', { kind: 'topic' })).inbox
      ]
      await (await publisher.sender('a/b')).accepted(...series(3))
      for (const inbox of inboxes) assert.deepEqual(await inbox.texts(3), ['1', '2', '3'])
      await (await publisher.sender('a/b')).accepted(durable('last'))
      for (const inbox of inboxes) assert.deepEqual(await inbox.texts(1), ['last'])
    }
  },
  {
    title: 'gives a receiver what is published after it was opened, and nothing older',
    part: 'publish-subscribe',
    async run(t) {
      const peer = await Peer.open(t)
      const sender = await peer.sender('a')
      await sender.send(durable('before'))
      const { inbox } = await peer.receive('a', { kind: 'topic' })
      await sender.send(durable('after'))
      assert.deepEqual(await inbox.texts(1), ['after'])
    }
  },
  {
    title: 'ends a subscription with its link, and takes nothing over to the next',
    part: 'publish-subscribe',
    async run(t) {
      const peer = await Peer.open(t)
      const sender = await peer.sender('a')
      const first = await peer.receive('a', { kind: 'topic', name: 'same' })
      await sender.send(durable('1'))
      await first.inbox.next()
      await first.receiver.close()
      await sender.send(durable('2'))
      const second = await peer.receive('a', { kind: 'topic', name: 'same' })
      await sender.send(durable('3'))
      assert.deepEqual(await second.inbox.texts(1), ['3'])
      assert.deepEqual(first.inbox.all, ['1'])
    }
  },
  {
    title: 'keeps the order of a publisher',
    part: 'publish-subscribe',
    async run(t) {
      const publisher = await Peer.open(t)
      const subscriber = await Peer.open(t)
      const { inbox } = await subscriber.receive('a/#', { kind: 'topic', window: 7 })
      const mixed = numbers(200).map((body, i) => text(body, { durable: i % 3 === 0 }))
      const sending = publisher.sender('a/b').then(sender => sender.accepted(...mixed))
      assert.deepEqual(await inbox.texts(200), numbers(200))
      await sending
    }
  },
  {
    title: 'keeps the order of each of two publishers on one topic',
    part: 'publish-subscribe',
    async run(t) {
      const subscriber = await Peer.open(t)
      const { inbox } = await subscriber.receive('a', { kind: 'topic', window: 10 })
      const sending = ['x', 'y'].map(async prefix => {
        const publisher = await Peer.open(t)
        await (await publisher.sender('a')).accepted(...series(50, prefix))
      })
      const texts = await inbox.texts(100)
      await Promise.all(sending)
      for (const prefix of ['x', 'y']) {
        assert.deepEqual(
          texts.filter(body => body.startsWith(prefix)),
          numbers(50, prefix)
        )
      }
    }
  },
  {
    title: 'accepts a publication that nobody receives',
    part: 'publish-subscribe',
    without: 'noReceiver',
    async run(t) {
      const sender = await (await Peer.open(t)).sender('nobody/here')
      await sender.accepted(durable('1'), text('2'))
    }
  },
  {
    title: 'releases a publication that nobody receives',
    part: 'publish-subscribe',
    requires: 'noReceiver',
    async run(t) {
      const sender = await (await Peer.open(t)).sender('nobody/here')
      assert.deepEqual(await sender.send(durable('1')), { type: 'released' })
    }
  },
  {
    title: 'does not make a publisher wait for a receiver without credit',
    part: 'publish-subscribe',
    async run(t) {
      const peer = await Peer.open(t)
      const slow = await peer.receive('a', { kind: 'topic', window: 1 })
      const quick = await peer.receive('a', { kind: 'topic' })
      await (await peer.sender('a')).accepted(...series(20))
      assert.deepEqual(await quick.inbox.texts(20), numbers(20))
      assert.deepEqual(await slow.inbox.texts(20), numbers(20))
      assert.equal(slow.inbox.mostUnsettled, 1)
    }
  },
  {
    title: 'sends to the topic that `to` names over a sender without address',
    part: 'publish-subscribe',
    requires: 'relay',
    async run(t) {
      const peer = await Peer.open(t)
      const { inbox } = await peer.receive('a/#', { kind: 'topic' })
      const other = await peer.receive('b', { kind: 'topic' })
      const relay = await peer.sender(undefined)
      const topics = ['a/b', 'b', 'a/c', 'c', 'a']
      await relay.accepted(...topics.map(to => durable(to, { properties: { to } })))
      for (const topic of ['a/b', 'a/c', 'a']) assert.equal(topicOf(await inbox.next(), 'a/#'), topic)
      assert.deepEqual(await other.inbox.texts(1), ['b'])
    }
  },
  {
    title: 'keeps the order of a publisher over a sender without address, across topics',
    part: 'publish-subscribe',
    requires: 'relay',
    async run(t) {
      const peer = await Peer.open(t)
      const { inbox } = await peer.receive('#', { kind: 'topic', window: 5 })
      const relay = await peer.sender(undefined)
      const messages = numbers(60).map((body, i) => durable(body, { properties: { to: `t/${i % 7}` } }))
      const sending = relay.accepted(...messages)
      assert.deepEqual(await inbox.texts(60), numbers(60))
      await sending
    }
  },
  {
    title: 'reaches a queue over a sender without address',
    part: 'publish-subscribe',
    requires: 'relay',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create('$mqtt.to.c1.publish')
      const relay = await peer.sender(undefined)
      await relay.accepted(durable('1', { properties: { to: '$mqtt.to.c1.publish' } }))
      await relay.accepted(durable('2', { properties: { to: t.queue } }))
      assert.deepEqual(await peer.empty('$mqtt.to.c1.publish'), ['1'])
      assert.deepEqual(await peer.empty(t.queue), ['2'])
    }
  },
  {
    title: 'rejects a message without a known `to` over a sender without address, and takes the next',
    part: 'publish-subscribe',
    requires: 'relay',
    async run(t) {
      const peer = await Peer.open(t)
      const { inbox } = await peer.receive('a', { kind: 'topic' })
      const relay = await peer.sender(undefined)
      assert.equal((await relay.send(durable('no to'))).type, 'rejected')
      const unknown = await relay.send(durable('x', { properties: { to: '$mqtt.to.nobody.publish' } }))
      assert.ok(unknown.type === 'rejected')
      assert.equal(unknown.condition, 'amqp:not-found')
      for (const to of ['', 'a/#', '+']) {
        const { type } = await relay.send(durable('no topic', { properties: { to } }))
        assert.equal(type, 'rejected', `to ${JSON.stringify(to)}`)
      }
      await relay.accepted(durable('good', { properties: { to: 'a' } }))
      assert.deepEqual(await inbox.texts(1), ['good'])
    }
  }
]
