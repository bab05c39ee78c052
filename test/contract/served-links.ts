// Addresses that the plugin serves: links of clients as they attach and go.
// Rule: one serves at a time, knows who attached, and each side learns how the other ended.

import assert from 'node:assert/strict'
import type { ContractCase } from './fixture.js'
import { durable, text } from './messages.js'
import { Peer, Service, refused } from './peer.js'

const ADDRESS = '$mqtt.lwtservice'

export const servedLinks: readonly ContractCase[] = [
  {
    title: 'tells the server the name, the address and the user of a link',
    part: 'served-links',
    async run(t) {
      const service = await Service.open(t, ADDRESS)
      await (await Peer.open(t)).sender(ADDRESS, 'client-1')
      await (await Peer.open(t, 'full')).sender(ADDRESS, 'käse/2')
      const [first, second] = [(await service.next()).link, (await service.next()).link]
      assert.deepEqual([first.name, first.address, first.user], ['client-1', ADDRESS, 'service'])
      assert.deepEqual([second.name, second.address], ['käse/2', ADDRESS])
      assert.ok(second.user !== 'service')
      assert.equal(second.user.name, t.users.full.name)
    }
  },
  {
    title: 'gives the server the rights of the user of a link',
    part: 'served-links',
    async run(t) {
      const service = await Service.open(t, ADDRESS)
      await (await Peer.open(t, 'limited')).sender(ADDRESS, 'limited-1')
      const { user } = (await service.next()).link
      assert.ok(user !== 'service')
      assert.equal(user.name, t.users.limited.name)
      assert.equal(await user.mayUse('limited-1'), true)
      assert.equal(await user.mayUse('other'), false)
      assert.equal(await user.maySend('allowed/x'), true)
      assert.equal(await user.maySend('other/x'), false)
    }
  },
  {
    title: 'takes links of one name from several connections',
    part: 'served-links',
    async run(t) {
      const service = await Service.open(t, ADDRESS)
      const senders = [
        await (await Peer.open(t)).sender(ADDRESS, 'same'),
        await (await Peer.open(t)).sender(ADDRESS, 'same')
      ]
      const served = [await service.next(), await service.next()]
      for (const [i, sender] of senders.entries()) await sender.start(text(String(i)))
      for (const [i, { inbox, link }] of served.entries()) {
        assert.equal(link.name, 'same')
        assert.deepEqual(await inbox.texts(1), [String(i)])
      }
    }
  },
  {
    title: 'fails the attach that the server refuses, with its error',
    part: 'served-links',
    async run(t) {
      const condition = 'amqp:not-allowed'
      const seen: string[] = []
      await t.space.serve(ADDRESS, link => {
        seen.push(link.name)
        link.close({ condition, description: 'not this name' })
      })
      const peer = await Peer.open(t)
      const error = await refused(peer.sender(ADDRESS, 'bad'), condition, 'the attach')
      assert.equal(error.description, 'not this name')
      assert.deepEqual(seen, ['bad'])
      await (await peer.sender('a')).accepted(durable('the connection still works'))
    }
  },
  {
    title: 'ends the sender whose link the server closes, with its error',
    part: 'served-links',
    requires: 'detachError',
    async run(t) {
      const service = await Service.open(t, ADDRESS)
      const peer = await Peer.open(t)
      const ended = await peer.sender(ADDRESS, 'ended')
      const { link, inbox } = await service.next()
      const kept = await peer.sender(ADDRESS, 'kept')
      const other = await service.next()
      link.close({ condition: 'amqp:not-allowed', description: 'you are done' })
      const closed = await ended.closed()
      assert.equal(closed.cause, 'error')
      assert.deepEqual(closed.error, { condition: 'amqp:not-allowed', description: 'you are done' })
      await kept.start(text('1'))
      assert.deepEqual(await other.inbox.texts(1), ['1'])
      assert.deepEqual([inbox.closings, ended.closings, kept.closings], [0, 1, 0])
    }
  },
  {
    title: 'ends the sender whose link the server closes without error, cleanly',
    part: 'served-links',
    async run(t) {
      const service = await Service.open(t, ADDRESS)
      const sender = await (await Peer.open(t)).sender(ADDRESS)
      ;(await service.next()).link.close()
      const { cause, error } = await sender.closed()
      assert.deepEqual([cause, error], ['clean', undefined])
    }
  },
  {
    title: 'tells the server of a clean detach, once',
    part: 'served-links',
    async run(t) {
      const service = await Service.open(t, ADDRESS)
      const peer = await Peer.open(t)
      const sender = await peer.sender(ADDRESS)
      const { inbox } = await service.next()
      await sender.close()
      const { cause, error } = await inbox.closed()
      assert.deepEqual([cause, error], ['clean', undefined])
      await peer.close()
      await (await Peer.open(t)).sender(ADDRESS)
      await service.next()
      assert.equal(inbox.closings, 1)
    }
  },
  {
    title: 'tells the server of a connection that closes without error as of a clean detach',
    part: 'served-links',
    async run(t) {
      const service = await Service.open(t, ADDRESS)
      const peer = await Peer.open(t)
      await peer.sender(ADDRESS)
      const { inbox } = await service.next()
      await peer.close()
      assert.equal((await inbox.closed()).cause, 'clean')
    }
  },
  {
    title: 'tells the server of a detach with error, and which',
    part: 'served-links',
    requires: 'detachError',
    async run(t) {
      const service = await Service.open(t, ADDRESS)
      const sender = await (await Peer.open(t)).sender(ADDRESS)
      const { inbox } = await service.next()
      await sender.close({ condition: 'amqp:link:detach-forced', description: 'the client is gone' })
      const { cause, error } = await inbox.closed()
      assert.deepEqual([cause, error?.condition], ['error', 'amqp:link:detach-forced'])
    }
  },
  {
    title: 'tells the server of a lost link, and of no other',
    part: 'served-links',
    async run(t) {
      const service = await Service.open(t, ADDRESS)
      const [vanishing, staying] = [await Peer.open(t, 'full'), await Peer.open(t)]
      await vanishing.sender(ADDRESS)
      const lost = await service.next()
      const sender = await staying.sender(ADDRESS)
      const kept = await service.next()
      await t.lose(vanishing.connection)
      assert.equal((await lost.inbox.closed()).cause, 'lost')
      await sender.start(text('1'))
      assert.deepEqual(await kept.inbox.texts(1), ['1'])
      assert.deepEqual([lost.inbox.closings, kept.inbox.closings], [1, 0])
    }
  },
  {
    title: 'lets one serve an address at a time, and another after it',
    part: 'served-links',
    async run(t) {
      const first = await Service.open(t, ADDRESS)
      await refused(Service.open(t, ADDRESS), 'amqp:resource-locked', 'a second server')
      const other = await Service.open(t, '$mqtt.subscriptionservice')
      await first.close()
      const second = await Service.open(t, ADDRESS)
      await (await Peer.open(t)).sender(ADDRESS, 'new')
      assert.equal((await second.next()).link.name, 'new')
      assert.equal(other.links.length, 0)
    }
  },
  {
    title: 'knows no served address before it is served, nor after',
    part: 'served-links',
    async run(t) {
      const peer = await Peer.open(t)
      await refused(peer.sender(ADDRESS), 'amqp:not-found', 'an attach before')
      const service = await Service.open(t, ADDRESS)
      const sender = await peer.sender(ADDRESS)
      await service.close()
      await sender.closed()
      await refused(peer.sender(ADDRESS), 'amqp:not-found', 'an attach after')
      const next = await Service.open(t, ADDRESS)
      await (await peer.sender(ADDRESS)).start(text('again'))
      assert.deepEqual(await (await next.next()).inbox.texts(1), ['again'])
    }
  },
  {
    title: 'keeps served addresses from receivers',
    part: 'served-links',
    async run(t) {
      const service = await Service.open(t, ADDRESS)
      const peer = await Peer.open(t)
      await assert.rejects(peer.receive(ADDRESS))
      await (await peer.sender(ADDRESS)).start(text('1'))
      assert.deepEqual(await (await service.next()).inbox.texts(1), ['1'])
    }
  }
]
