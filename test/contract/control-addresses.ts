// Control addresses of clients and gateways: there as long as somebody receives from them.
// Rule: a message to nobody is not accepted, and a user has the control addresses of the client ids that it may use.

import assert from 'node:assert/strict'
import type { ContractCase } from './fixture.js'
import { durable, numbers, series, text } from './messages.js'
import { Peer, refused } from './peer.js'

const GATEWAY = '$mqtt.gw.0b0e7a3c-7d6f-4c6e-9f0a-0d4b6f6f2a11.control'
const CLIENT = '$mqtt.to.limited-1.control'

export const controlAddresses: readonly ContractCase[] = [
  {
    title: 'brings messages to the receiver of a control address, in order, within its window',
    part: 'control-addresses',
    async run(t) {
      const peer = await Peer.open(t)
      for (const address of [GATEWAY, CLIENT]) {
        const { inbox, receiver } = await peer.receive(address, { window: 3 })
        assert.equal(receiver.address, address)
        const sending = peer.sender(address).then(sender => sender.accepted(...series(20)))
        assert.deepEqual(await inbox.texts(20), numbers(20))
        await sending
        assert.ok(inbox.mostUnsettled <= 3)
      }
    }
  },
  {
    title:
      'reaches a control address over a sender without address, and accepts nothing when nobody is there',
    part: 'control-addresses',
    requires: 'relay',
    async run(t) {
      const peer = await Peer.open(t)
      const relay = await peer.sender(undefined)
      const order = text('order', { properties: { to: CLIENT } })
      assert.notEqual((await relay.send(order)).type, 'accepted')
      const { inbox, receiver } = await peer.receive(CLIENT)
      await relay.accepted(order)
      assert.deepEqual(await inbox.texts(1), ['order'])
      await receiver.close()
      assert.notEqual((await relay.send(order)).type, 'accepted')
    }
  },
  {
    title: 'knows no control address before its receiver, nor after',
    part: 'control-addresses',
    async run(t) {
      const [peer, vanishing] = [await Peer.open(t), await Peer.open(t)]
      await refused(peer.sender(GATEWAY), 'amqp:not-found', 'a sender before the receiver')
      const { receiver } = await peer.receive(GATEWAY)
      await peer.sender(GATEWAY)
      await receiver.close()
      await refused(peer.sender(GATEWAY), 'amqp:not-found', 'a sender after the receiver')
      await vanishing.receive(GATEWAY)
      await t.lose(vanishing.connection)
      await refused(peer.sender(GATEWAY), 'amqp:not-found', 'a sender after the receiver was lost')
    }
  },
  {
    title: 'keeps nothing for the next receiver of a control address',
    part: 'control-addresses',
    async run(t) {
      const peer = await Peer.open(t)
      const first = await peer.receive(CLIENT, { window: 0 })
      await (await peer.sender(CLIENT)).send(durable('old'))
      await first.receiver.close()
      const second = await peer.receive(CLIENT)
      await (await peer.sender(CLIENT)).accepted(durable('new'))
      assert.deepEqual(await second.inbox.texts(1), ['new'])
    }
  },
  {
    title: 'has the control addresses of clients whose ids others wrote into them as they are',
    part: 'control-addresses',
    async run(t) {
      const peer = await Peer.open(t)
      for (const address of ['$mqtt.to.a/b c.control', '$mqtt.to.100%.d.control']) {
        const { inbox, receiver } = await peer.receive(address)
        assert.equal(receiver.address, address)
        await (await peer.sender(address)).accepted(text('reply'))
        assert.deepEqual(await inbox.texts(1), ['reply'])
        await receiver.close()
        const other = await Peer.open(t, 'limited')
        await refused(other.receive(address), 'amqp:unauthorized-access', `a receiver of ${address}`)
      }
    }
  },
  {
    title: 'keeps control addresses from topic filters and queue names',
    part: 'control-addresses',
    async run(t) {
      const peer = await Peer.open(t)
      const all = await peer.receive('#', { kind: 'topic' })
      const { inbox } = await peer.receive(CLIENT)
      await (await peer.sender(CLIENT)).accepted(text('private'))
      await (await peer.sender('a')).send(text('public'))
      assert.deepEqual(await all.inbox.texts(1), ['public'])
      assert.deepEqual(await inbox.texts(1), ['private'])
      assert.deepEqual(await t.space.queues.list('$mqtt.to.'), [])
    }
  },
  {
    title: 'gives a user the control addresses of its client ids, and no other',
    part: 'control-addresses',
    async run(t) {
      const peer = await Peer.open(t, 'limited')
      for (const address of ['$mqtt.to.other.control', GATEWAY]) {
        await refused(peer.receive(address), 'amqp:unauthorized-access', `a receiver of ${address}`)
      }
      const { inbox } = await peer.receive(CLIENT)
      const other = await Peer.open(t, 'reader')
      await refused(
        other.sender(CLIENT),
        'amqp:unauthorized-access',
        'a sender to the client of another user'
      )
      await (await (await Peer.open(t)).sender(CLIENT)).accepted(text('reply'))
      assert.deepEqual(await inbox.texts(1), ['reply'])
    }
  }
]
