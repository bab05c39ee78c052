// Links and connections: their names, addresses that nobody has, and how they end.
// Rule: a link that this side closed says nothing more; one that ended otherwise says so once, and why.

import assert from 'node:assert/strict'
import type { ContractCase } from './fixture.js'
import { durable, numbers, series } from './messages.js'
import { Peer, refused } from './peer.js'
import type { Sent } from './peer.js'

export const links: readonly ContractCase[] = [
  {
    title: 'has the capabilities that it says it has',
    part: 'links',
    async run(t) {
      assert.ok(t.space.name.length > 0)
      assert.ok(t.space.type === 'standard' || t.space.type === 'brokered')
      for (const [name, value] of Object.entries(t.space.capabilities)) {
        assert.equal(typeof value, 'boolean', `capability ${name}`)
      }
    }
  },
  {
    title: 'connects the plugin as itself, and users',
    part: 'links',
    async run(t) {
      for (const as of ['service', 'full', 'limited'] as const) await (await Peer.open(t, as)).close()
    }
  },
  {
    title: 'refuses links to addresses that start with $ and are not there',
    part: 'links',
    async run(t) {
      const peer = await Peer.open(t)
      for (const address of ['$unknown', '$mqtt.nobody', '$mqtt.to.c9.publish', '$lwt', '$SYS/broker']) {
        await refused(peer.sender(address), 'amqp:not-found', `a sender to ${address}`)
        await refused(peer.receive(address), 'amqp:not-found', `a receiver of ${address}`)
      }
      await (await peer.sender('a')).accepted(durable('still fine'))
    }
  },
  {
    title: 'gives a link the name that was asked for, and makes one up where none was',
    part: 'links',
    async run(t) {
      const peer = await Peer.open(t)
      assert.equal((await peer.sender('a', 'my sender')).link.name, 'my sender')
      assert.equal((await peer.receive('a', { name: 'my receiver' })).receiver.name, 'my receiver')
      const names = [
        (await peer.sender('a')).link.name,
        (await peer.sender('a')).link.name,
        (await peer.receive('a')).receiver.name,
        (await peer.receive('a')).receiver.name
      ]
      assert.ok(names.every(name => name.length > 0))
      assert.equal(new Set(names).size, names.length)
    }
  },
  {
    title: 'takes a subscription for the kind of an address that nobody has',
    part: 'links',
    async run(t) {
      const peer = await Peer.open(t)
      const { inbox, receiver } = await peer.receive('some/+')
      assert.equal(receiver.address, 'some/+')
      await (await peer.sender('some/topic')).send(durable('1'))
      assert.deepEqual(await inbox.texts(1), ['1'])
    }
  },
  {
    title: 'carries several links to one address over one connection',
    part: 'links',
    async run(t) {
      const peer = await Peer.open(t)
      const one = await peer.receive('a', { kind: 'topic' })
      const two = await peer.receive('a', { kind: 'topic' })
      const senders = [await peer.sender('a'), await peer.sender('a')]
      for (const [i, sender] of senders.entries()) await sender.accepted(durable(String(i)))
      assert.deepEqual(await one.inbox.texts(2), ['0', '1'])
      await one.receiver.close()
      await senders[0]?.close()
      await senders[1]?.accepted(durable('2'))
      assert.deepEqual(await two.inbox.texts(3), ['0', '1', '2'])
      assert.equal(one.inbox.closings + two.inbox.closings, 0)
    }
  },
  {
    title: 'delivers nothing after a receiver closed',
    part: 'links',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create('$mqtt.to.c1.publish')
      const sender = await peer.sender('$mqtt.to.c1.publish')
      await sender.accepted(...series(3))
      const { inbox, receiver } = await peer.receive('$mqtt.to.c1.publish', { window: 1 })
      const held = await inbox.next()
      await receiver.close()
      held.settle({ type: 'released' })
      receiver.addCredit(5)
      assert.deepEqual((await peer.empty('$mqtt.to.c1.publish')).length, 3)
      assert.equal(inbox.all.length, 1)
    }
  },
  {
    title: 'tells a receiver and a sender once that their connection was lost, and others nothing',
    part: 'links',
    async run(t) {
      const [vanishing, staying] = [await Peer.open(t), await Peer.open(t)]
      const receivers = [await vanishing.receive('a'), await vanishing.receive(undefined)]
      const sender = await vanishing.sender('b')
      const others = await staying.receive('a')
      await t.lose(vanishing.connection)
      for (const { inbox } of receivers) assert.equal((await inbox.closed()).cause, 'lost')
      assert.equal((await sender.closed()).cause, 'lost')
      await (await staying.sender('a')).accepted(durable('1'))
      assert.deepEqual(await others.inbox.texts(1), ['1'])
      assert.deepEqual(
        [receivers[0]?.inbox.closings, receivers[1]?.inbox.closings, sender.closings],
        [1, 1, 1]
      )
      assert.equal(others.inbox.closings, 0)
    }
  },
  {
    title: 'tells a link nothing that this side closed, even when its connection is lost later',
    part: 'links',
    async run(t) {
      const peer = await Peer.open(t)
      const { inbox, receiver } = await peer.receive('a')
      const witness = await peer.receive('a')
      const sender = await peer.sender('a')
      await receiver.close()
      await sender.close()
      await t.lose(peer.connection)
      await witness.inbox.closed()
      assert.deepEqual([inbox.closings, sender.closings], [0, 0])
    }
  },
  {
    title: 'closes all links of a connection without telling them',
    part: 'links',
    async run(t) {
      const [leaving, staying] = [await Peer.open(t), await Peer.open(t)]
      await t.space.queues.create('$mqtt.to.c1.publish')
      const subscription = await leaving.receive('a')
      const consumer = await leaving.receive('$mqtt.to.c1.publish', { exclusive: true })
      const sender = await leaving.sender('a')
      await leaving.close()
      await staying.receive('$mqtt.to.c1.publish', { exclusive: true })
      await (await staying.sender('a')).send(durable('1'))
      const closings = [subscription.inbox.closings, consumer.inbox.closings, sender.closings]
      assert.deepEqual(closings, [0, 0, 0])
      assert.deepEqual(subscription.inbox.all, [])
    }
  },
  {
    title: 'closes links and connections that are closed already',
    part: 'links',
    async run(t) {
      const peer = await Peer.open(t)
      const { receiver } = await peer.receive('a')
      const sender = await peer.sender('a')
      for (let i = 0; i < 2; i++) {
        await receiver.close()
        await sender.close()
      }
      await peer.close()
      await peer.close()
    }
  },
  {
    title: 'keeps what was sent before a sender closed',
    part: 'links',
    async run(t) {
      const peer = await Peer.open(t)
      await t.space.queues.create('$mqtt.to.c1.publish')
      const sender = await peer.sender('$mqtt.to.c1.publish')
      for (const message of series(5)) await sender.start(message)
      await sender.close()
      const { inbox } = await peer.receive('$mqtt.to.c1.publish')
      assert.deepEqual(await inbox.texts(5), ['1', '2', '3', '4', '5'])
    }
  },
  {
    title: 'gives no outcome after it told a sender that its connection is lost',
    part: 'links',
    async run(t) {
      const [vanishing, staying] = [await Peer.open(t), await Peer.open(t)]
      await t.space.queues.create('$mqtt.to.c1.publish')
      const sender = await vanishing.sender('$mqtt.to.c1.publish')
      const sent: Sent[] = []
      for (const message of series(50)) sent.push(await sender.start(message))
      await t.lose(vanishing.connection)
      await sender.closed()
      const known = sent.filter(({ outcomes }) => outcomes.length > 0).length
      await (await staying.sender('$mqtt.to.c1.publish')).accepted(durable('last'))
      assert.equal(sent.filter(({ outcomes }) => outcomes.length > 0).length, known)
      const texts = await staying.empty('$mqtt.to.c1.publish')
      assert.equal(texts.pop(), 'last')
      assert.ok(texts.length >= known)
      assert.deepEqual(texts, numbers(texts.length))
    }
  }
]
