// Reply nodes: receivers for which the host makes an address.
// Rule: the address is nobody else's, and is gone with its receiver.

import assert from 'node:assert/strict'
import type { ContractCase } from './fixture.js'
import { durable, numbers, series, text } from './messages.js'
import { Peer, refused } from './peer.js'

export const replyNodes: readonly ContractCase[] = [
  {
    title: 'makes a reply node of its own for each receiver without address',
    part: 'reply-nodes',
    async run(t) {
      const [one, two, answering] = [await Peer.open(t), await Peer.open(t), await Peer.open(t)]
      const nodes = [await one.receive(undefined), await one.receive(undefined), await two.receive(undefined)]
      const addresses = nodes.map(({ receiver }) => receiver.address)
      assert.equal(new Set(addresses).size, 3)
      assert.ok(addresses.every(address => address.length > 0))
      for (const address of addresses) await (await answering.sender(address)).accepted(text(address))
      for (const { inbox, receiver } of nodes) {
        assert.deepEqual(await inbox.texts(1), [receiver.address])
      }
    }
  },
  {
    title: 'keeps order and credit on a reply node',
    part: 'reply-nodes',
    async run(t) {
      const [asking, answering] = [await Peer.open(t), await Peer.open(t)]
      const { inbox, receiver } = await asking.receive(undefined, { window: 3 })
      const sending = answering.sender(receiver.address).then(sender => sender.accepted(...series(20)))
      assert.deepEqual(await inbox.texts(20), numbers(20))
      await sending
      assert.ok(inbox.mostUnsettled <= 3)
    }
  },
  {
    title: 'answers a user on its reply node',
    part: 'reply-nodes',
    async run(t) {
      const [asking, answering] = [await Peer.open(t, 'limited'), await Peer.open(t)]
      const { inbox, receiver } = await asking.receive(undefined)
      await (await answering.sender(receiver.address)).accepted(text('answer'))
      assert.deepEqual(await inbox.texts(1), ['answer'])
    }
  },
  {
    title: 'reaches a reply node over a sender without address',
    part: 'reply-nodes',
    requires: 'relay',
    async run(t) {
      const peer = await Peer.open(t)
      const { inbox, receiver } = await peer.receive(undefined)
      const relay = await peer.sender(undefined)
      await relay.accepted(durable('1', { properties: { to: receiver.address } }))
      assert.deepEqual(await inbox.texts(1), ['1'])
      await receiver.close()
      const late = await relay.send(durable('2', { properties: { to: receiver.address } }))
      assert.ok(late.type === 'rejected')
      assert.equal(late.condition, 'amqp:not-found')
    }
  },
  {
    title: 'forgets a reply node when its receiver closes or its connection is lost',
    part: 'reply-nodes',
    async run(t) {
      const [asking, vanishing, answering] = [await Peer.open(t), await Peer.open(t), await Peer.open(t)]
      const closed = (await asking.receive(undefined)).receiver
      const lost = (await vanishing.receive(undefined)).receiver
      const kept = await asking.receive(undefined)
      await closed.close()
      await t.lose(vanishing.connection)
      for (const { address } of [closed, lost]) {
        await refused(answering.sender(address), 'amqp:not-found', 'a sender to a reply node that is gone')
      }
      await (await answering.sender(kept.receiver.address)).accepted(text('1'))
      assert.deepEqual(await kept.inbox.texts(1), ['1'])
    }
  },
  {
    title: 'keeps reply nodes from topic filters',
    part: 'reply-nodes',
    async run(t) {
      const peer = await Peer.open(t)
      const all = await peer.receive('#', { kind: 'topic' })
      const { inbox, receiver } = await peer.receive(undefined)
      await (await peer.sender(receiver.address)).accepted(text('private'))
      await (await peer.sender('a')).send(text('public'))
      assert.deepEqual(await all.inbox.texts(1), ['public'])
      assert.deepEqual(await inbox.texts(1), ['private'])
    }
  }
]
