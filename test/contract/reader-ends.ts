// How links end that the plugin sends on, and who serves a prefix.
// Rule: each side is told once how the other ended, and what was not settled by then has no outcome.

import assert from 'node:assert/strict'
import type { ContractCase } from './fixture.js'
import { ACCEPTED } from './inbox.js'
import { Library } from './library.js'
import { text } from './messages.js'
import { Peer, refused } from './peer.js'

const PREFIX = '$retain.'
const ADDRESS = '$retain.a/b'

export const readerEnds: readonly ContractCase[] = [
  {
    title: 'ends the reader whose link its server closes, with its error',
    part: 'served-readers',
    requires: 'detachError',
    async run(t) {
      const library = await Library.open(t, PREFIX)
      const peer = await Peer.open(t, 'full')
      const ended = await peer.receive(ADDRESS)
      const loan = await library.next()
      const kept = await peer.receive(ADDRESS)
      const other = await library.next()
      await loan.send(text('last'))
      loan.reader.close({ condition: 'amqp:not-allowed', description: 'you are done' })
      const { cause, error } = await ended.inbox.closed()
      assert.deepEqual(
        [cause, error?.condition, error?.description],
        ['error', 'amqp:not-allowed', 'you are done']
      )
      assert.deepEqual(ended.inbox.all, ['last'])
      await other.send(text('1'))
      assert.deepEqual(await kept.inbox.texts(1), ['1'])
      assert.deepEqual([loan.closings, ended.inbox.closings, kept.inbox.closings], [0, 1, 0])
      assert.throws(() => loan.reader.send(text('2')), RangeError)
    }
  },
  {
    title: 'ends the reader whose link its server closes without error, cleanly',
    part: 'served-readers',
    async run(t) {
      const library = await Library.open(t, PREFIX)
      const { inbox } = await (await Peer.open(t)).receive(ADDRESS)
      ;(await library.next()).reader.close()
      const { cause, error } = await inbox.closed()
      assert.deepEqual([cause, error], ['clean', undefined])
    }
  },
  {
    title: 'tells the server of readers of a clean detach, once, and gives no outcome after it',
    part: 'served-readers',
    async run(t) {
      const library = await Library.open(t, PREFIX)
      const peer = await Peer.open(t)
      const { inbox, receiver } = await peer.receive(ADDRESS)
      const loan = await library.next()
      await loan.send(text('1'), text('2'))
      const [one, two] = await inbox.take(2)
      one?.settle(ACCEPTED)
      await loan.settled(1)
      await receiver.close()
      const { cause, error } = await loan.closed()
      assert.deepEqual([cause, error], ['clean', undefined])
      two?.settle(ACCEPTED)
      await peer.close()
      await (await Peer.open(t)).receive(ADDRESS)
      await library.next()
      assert.deepEqual([loan.closings, inbox.closings, loan.outcomes], [1, 0, [ACCEPTED]])
      assert.equal(loan.reader.credit, 0)
    }
  },
  {
    title: 'tells the server of readers of a connection that closes as of a clean detach',
    part: 'served-readers',
    async run(t) {
      const library = await Library.open(t, PREFIX)
      const peer = await Peer.open(t, 'full')
      await peer.receive(ADDRESS)
      const loan = await library.next()
      await peer.close()
      assert.equal((await loan.closed()).cause, 'clean')
    }
  },
  {
    title: 'tells the server of readers of a detach with error, and which',
    part: 'served-readers',
    requires: 'detachError',
    async run(t) {
      const library = await Library.open(t, PREFIX)
      const { receiver } = await (await Peer.open(t)).receive(ADDRESS)
      const loan = await library.next()
      await receiver.close({ condition: 'amqp:link:detach-forced', description: 'enough' })
      const { cause, error } = await loan.closed()
      assert.deepEqual([cause, error?.condition], ['error', 'amqp:link:detach-forced'])
    }
  },
  {
    title: 'tells the server of readers of a lost link, and of no other',
    part: 'served-readers',
    async run(t) {
      const library = await Library.open(t, PREFIX)
      const [vanishing, staying] = [await Peer.open(t, 'full'), await Peer.open(t)]
      const { inbox: gone } = await vanishing.receive(ADDRESS)
      const lost = await library.next()
      const { inbox } = await staying.receive(ADDRESS)
      const kept = await library.next()
      await t.lose(vanishing.connection)
      assert.equal((await lost.closed()).cause, 'lost')
      assert.equal((await gone.closed()).cause, 'lost')
      await kept.send(text('still there'))
      assert.deepEqual(await inbox.texts(1), ['still there'])
      assert.deepEqual([lost.closings, kept.closings], [1, 0])
    }
  },
  {
    title: 'knows no served reader address before its prefix is served, nor after',
    part: 'served-readers',
    async run(t) {
      for (const as of ['service', 'full'] as const) {
        const peer = await Peer.open(t, as)
        await refused(peer.receive(ADDRESS), 'amqp:not-found', 'a reader of what nobody serves')
        const library = await Library.open(t, PREFIX)
        const { inbox } = await peer.receive(ADDRESS)
        const loan = await library.next()
        await library.close()
        assert.equal((await inbox.closed()).cause, 'error')
        await refused(peer.receive(ADDRESS), 'amqp:not-found', 'a reader of what nobody serves any more')
        assert.deepEqual([loan.closings, inbox.closings], [0, 1])
      }
    }
  },
  {
    title: 'lets one serve a prefix to readers at a time, and another after it',
    part: 'served-readers',
    async run(t) {
      const first = await Library.open(t, PREFIX)
      await refused(Library.open(t, PREFIX), 'amqp:resource-locked', 'a second one who serves')
      const peer = await Peer.open(t)
      await peer.receive(ADDRESS)
      await first.next()
      await first.close()
      const second = await Library.open(t, PREFIX)
      const { inbox } = await peer.receive(ADDRESS)
      await (await second.next()).send(text('by the second'))
      assert.deepEqual(await inbox.texts(1), ['by the second'])
    }
  },
  {
    title: 'serves to readers what begins with the prefix, and nothing else',
    part: 'served-readers',
    async run(t) {
      await t.space.queues.create('$mqtt.to.c1.publish')
      const library = await Library.open(t, PREFIX)
      const peer = await Peer.open(t, 'limited')
      for (const address of ['$retain', '$retained', '$mqtt.to.c1.publish', '$lwt', '$mqtt.store.a']) {
        await assert.rejects(peer.receive(address), { name: 'AmqpError' }, address)
      }
      await assert.rejects(peer.sender(ADDRESS), { name: 'AmqpError' }, 'a sender')
      await peer.receive(PREFIX)
      assert.equal((await library.next()).reader.address, PREFIX)
    }
  }
]
