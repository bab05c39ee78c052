// Messages come out as they went in: every body type, every AMQP type, every field, on every way through a host.
// Rule: what the port can write is compared by value; what it cannot is compared by bytes, where the host shows them.

import assert from 'node:assert/strict'
import type { Message } from '../../plugin/host.js'
import type { ContractCase, ContractFixture } from './fixture.js'
import { bareBytes, ENCODED } from './encoded.js'
import { Inbox } from './inbox.js'
import { sameMessage } from './messages.js'
import { Peer } from './peer.js'
import { SAMPLES } from './samples.js'

const QUEUE = '$mqtt.to.c1.publish'
/** Sends all samples to `address`, and compares what comes to `inbox`. */
async function sendSamples(peer: Peer, address: string): Promise<void> {
  await (await peer.sender(address)).accepted(...SAMPLES.map(([, message]) => message))
}

async function wantSamples(peer: Peer, address: string, way: string): Promise<void> {
  const { inbox } = await peer.receive(address, { window: SAMPLES.length })
  await compare(inbox, way)
}

async function compare(inbox: { next(): Promise<{ message: Message }> }, way: string): Promise<void> {
  for (const [title, sent] of SAMPLES) sameMessage((await inbox.next()).message, sent, `${title}, ${way}`)
}

/** A message whose bytes no port can write, and its bytes after a way through the host. */
async function wantBytes(t: ContractFixture, way: (message: Message) => Promise<Message>): Promise<void> {
  assert.ok(t.codec)
  const received = await way(t.codec.decode(ENCODED))
  const bare = bareBytes()
  const came = Buffer.from(t.codec.encode(received))
  assert.equal(came.subarray(-bare.length).toString('hex'), bare.toString('hex'))
}

export const values: readonly ContractCase[] = [
  {
    title: 'brings every kind of message to a subscription unchanged',
    part: 'values',
    async run(t) {
      const peer = await Peer.open(t)
      const { inbox } = await peer.receive('a/#', { kind: 'topic', window: SAMPLES.length })
      await sendSamples(peer, 'a/b')
      await compare(inbox, 'by a subscription')
    }
  },
  {
    title: 'brings every kind of message through a queue unchanged',
    part: 'values',
    async run(t) {
      await t.space.queues.create(QUEUE)
      const peer = await Peer.open(t)
      await sendSamples(peer, QUEUE)
      await wantSamples(peer, QUEUE, 'through a queue')
    }
  },
  {
    title: 'brings every kind of message over a route unchanged',
    part: 'values',
    async run(t) {
      await t.space.queues.create(QUEUE)
      await t.space.routes.add({ filter: 'a/#', queue: QUEUE })
      const peer = await Peer.open(t)
      await sendSamples(peer, 'a/b')
      await wantSamples(peer, QUEUE, 'over a route')
    }
  },
  {
    title: 'brings every kind of message over a restart unchanged',
    part: 'values',
    async run(t) {
      await t.space.queues.create(QUEUE)
      await t.space.routes.add({ filter: 'a/#', queue: QUEUE })
      const messages = SAMPLES.map(([, message]) => message).filter(message => message.durable)
      await (await (await Peer.open(t)).sender('a/b')).accepted(...messages)
      await t.restart()
      const { inbox } = await (await Peer.open(t)).receive(QUEUE, { window: messages.length })
      for (const [title, sent] of SAMPLES) {
        if (sent.durable) sameMessage((await inbox.next()).message, sent, `${title}, over a restart`)
      }
    }
  },
  {
    title: 'brings every kind of message to a server unchanged',
    part: 'values',
    async run(t) {
      const inbox = new Inbox('a served link', t.patienceMs)
      await t.space.serve('$mqtt.lwtservice', link => {
        link.accept({ window: SAMPLES.length, onDelivery: inbox.onDelivery, onClosed: inbox.onClosed })
      })
      const sender = await (await Peer.open(t)).sender('$mqtt.lwtservice')
      for (const [, message] of SAMPLES) await sender.start(message)
      await compare(inbox, 'to a server')
    }
  },
  {
    title: 'keeps every kind of message in a store unchanged',
    part: 'values',
    async run(t) {
      const store = await t.space.store('wills')
      await Promise.all(SAMPLES.map(([title, message]) => store.put(title, message)))
      for (const [title, sent] of SAMPLES) {
        const stored = await store.get(title)
        assert.ok(stored, title)
        sameMessage(stored, sent, `${title}, from a store`)
      }
      await t.restart()
      const again = await t.space.store('wills')
      for (const [title, sent] of SAMPLES) {
        const stored = await again.get(title)
        assert.ok(stored, title)
        sameMessage(stored, sent, `${title}, from a store after a restart`)
      }
    }
  },
  {
    title: 'passes a message on as it was received from another queue, unchanged',
    part: 'values',
    async run(t) {
      const other = '$mqtt.to.c2.publish'
      for (const queue of [QUEUE, other]) await t.space.queues.create(queue)
      const peer = await Peer.open(t)
      await sendSamples(peer, QUEUE)
      const { inbox } = await peer.receive(QUEUE, { window: SAMPLES.length })
      const deliveries = await inbox.take(SAMPLES.length)
      await (await peer.sender(other)).accepted(...deliveries.map(({ message }) => message))
      await wantSamples(peer, other, 'passed on')
    }
  },
  {
    title: 'keeps a message as it is when it is delivered again',
    part: 'values',
    async run(t) {
      await t.space.queues.create(QUEUE)
      const peer = await Peer.open(t)
      await sendSamples(peer, QUEUE)
      const first = await peer.receive(QUEUE, { window: SAMPLES.length })
      const deliveries = await first.inbox.take(SAMPLES.length)
      for (const delivery of deliveries) {
        delivery.settle({ type: 'modified', deliveryFailed: true, undeliverableHere: false })
      }
      await first.receiver.close()
      await wantSamples(peer, QUEUE, 'delivered again')
    }
  },
  {
    title: 'passes the received bytes of every AMQP type on, to a subscription and through a queue',
    part: 'values',
    requires: 'codec',
    async run(t) {
      await t.space.queues.create(QUEUE)
      await t.space.routes.add({ filter: 'a/#', queue: QUEUE })
      const peer = await Peer.open(t)
      const sender = await peer.sender('a/b')
      const subscription = await peer.receive('a/#', { kind: 'topic' })
      const queue = await peer.receive(QUEUE)
      await wantBytes(t, async message => {
        await sender.accepted(message)
        return (await subscription.inbox.next()).message
      })
      await wantBytes(t, async () => (await queue.inbox.next()).message)
    }
  },
  {
    title: 'keeps the received bytes of every AMQP type over a restart, in a queue and in a store',
    part: 'values',
    requires: 'codec',
    async run(t) {
      await t.space.queues.create(QUEUE)
      const sender = await (await Peer.open(t)).sender(QUEUE)
      const store = await t.space.store('wills')
      await wantBytes(t, async message => {
        await sender.accepted(message)
        await store.put('a', message)
        await t.restart()
        return (await (await (await Peer.open(t)).receive(QUEUE)).inbox.next()).message
      })
      await wantBytes(t, async () => {
        const stored = await (await t.space.store('wills')).get('a')
        assert.ok(stored)
        return stored
      })
    }
  }
]
