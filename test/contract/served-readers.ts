// Addresses that the plugin serves to those who receive: the plugin sends, each link on its own.
// Rule: credit is the receiver's, the outcome is told to the server, and each side learns how the other ended.

import assert from 'node:assert/strict'
import type { Outcome } from '../../plugin/host.js'
import type { ContractCase } from './fixture.js'
import { ACCEPTED, FAILED, REJECTED, RELEASED } from './inbox.js'
import { Library } from './library.js'
import { durable, numbers, sameMessage, series, text } from './messages.js'
import { Peer, refused } from './peer.js'
import { within } from './signal.js'

const PREFIX = '$retain.'
const ADDRESS = '$retain.a/b'

export const servedReaders: readonly ContractCase[] = [
  {
    title: 'tells the server of readers the name, the whole address and the user of a link',
    part: 'served-readers',
    async run(t) {
      const library = await Library.open(t, PREFIX)
      await (await Peer.open(t)).receive('$retain.a', { name: 'reader-1' })
      await (await Peer.open(t, 'limited')).receive('$retain.käse/+', { name: 'käse/2' })
      const [{ reader: first }, { reader: second }] = [await library.next(), await library.next()]
      assert.deepEqual([first.name, first.address, first.user], ['reader-1', '$retain.a', 'service'])
      assert.deepEqual([second.name, second.address], ['käse/2', '$retain.käse/+'])
      assert.ok(second.user !== 'service')
      assert.equal(second.user.name, t.users.limited.name)
      assert.equal(await second.user.mayReceive('allowed/x'), true)
      assert.equal(await second.user.mayReceive('other/x'), false)
    }
  },
  {
    title: 'delivers what the server of readers sends, in order and as it is',
    part: 'served-readers',
    async run(t) {
      const library = await Library.open(t, PREFIX)
      const { inbox } = await (await Peer.open(t, 'full')).receive(ADDRESS)
      const loan = await library.next()
      const annotations = new Map([['x-opt-mqtt-retained', true]])
      const first = durable('first', { annotations, properties: { to: 'a/b', messageId: 'm1' } })
      const sending = loan.send(first, ...series(150))
      const delivery = await inbox.next()
      sameMessage(delivery.message, first, 'what was sent')
      assert.equal(delivery.deliveryCount, 0)
      delivery.settle(ACCEPTED)
      assert.deepEqual(await inbox.texts(150), numbers(150))
      await sending
    }
  },
  {
    title: 'brings each outcome of a reader to its server, the first one only',
    part: 'served-readers',
    async run(t) {
      const library = await Library.open(t, PREFIX)
      const { inbox } = await (await Peer.open(t)).receive(ADDRESS)
      const loan = await library.next()
      const outcomes: readonly Outcome[] = [ACCEPTED, REJECTED, RELEASED, FAILED]
      for (const [i, outcome] of outcomes.entries()) {
        await loan.send(text(String(i)))
        const delivery = await inbox.next()
        delivery.settle(outcome)
        delivery.settle(ACCEPTED)
        assert.deepEqual((await loan.settled(i + 1))[i], outcome)
      }
      assert.equal(loan.outcomes.length, outcomes.length)
    }
  },
  {
    title: 'gives the server of readers the credit of the reader, and no more',
    part: 'served-readers',
    async run(t) {
      const library = await Library.open(t, PREFIX)
      const peer = await Peer.open(t)
      const { inbox, receiver } = await peer.receive(ADDRESS, { window: 0 })
      const loan = await library.next()
      assert.equal(loan.reader.credit, 0)
      assert.throws(() => loan.reader.send(text('too early')), RangeError)
      receiver.addCredit(2)
      assert.ok((await loan.credit()) <= 2)
      await loan.send(text('1'), text('2'))
      assert.equal(loan.reader.credit, 0)
      assert.throws(() => loan.reader.send(text('too much')), RangeError)
      assert.deepEqual(await inbox.texts(2), ['1', '2'])
      receiver.addCredit(1)
      await loan.send(text('3'))
      assert.deepEqual(await inbox.texts(1), ['3'])
      assert.deepEqual(inbox.all, ['1', '2', '3'])
    }
  },
  {
    title: 'sends to a reader with a window no more than that unsettled',
    part: 'served-readers',
    async run(t) {
      const library = await Library.open(t, PREFIX)
      const { inbox } = await (await Peer.open(t)).receive(ADDRESS, { window: 3 })
      const loan = await library.next()
      const sending = loan.send(...series(50))
      assert.deepEqual(await inbox.texts(50), numbers(50))
      await sending
      await loan.settled(50)
      assert.ok(inbox.mostUnsettled <= 3, `${inbox.mostUnsettled} were unsettled at once`)
    }
  },
  {
    title: 'keeps the readers of one server apart, and their credit',
    part: 'served-readers',
    async run(t) {
      const library = await Library.open(t, PREFIX)
      const peer = await Peer.open(t)
      const stalled = await peer.receive('$retain.a', { window: 0 })
      const first = await library.next()
      const going = await peer.receive('$retain.a')
      const second = await library.next()
      await second.send(...series(20, 'b'))
      assert.deepEqual(await going.inbox.texts(20), numbers(20, 'b'))
      stalled.receiver.addCredit(1)
      await first.send(text('a'))
      assert.deepEqual(await stalled.inbox.texts(1), ['a'])
    }
  },
  {
    title: 'sends thousands to a reader that settles at once',
    part: 'served-readers',
    async run(t) {
      const count = 5000
      let sent = 0
      await t.space.serveReaders(PREFIX, reader => {
        const pump = (): void => {
          while (reader.credit > 0 && sent < count) reader.send(text(String(++sent)))
        }
        reader.accept({ onCredit: pump, onClosed: () => undefined })
      })
      const { inbox } = await (await Peer.open(t)).receive(ADDRESS, { window: 1, accepting: true })
      for (let i = 0; i < count; i++) await inbox.next()
      assert.deepEqual(inbox.all, numbers(count))
    }
  },
  {
    title: 'answers the drain of a reader when its server has sent all there is',
    part: 'served-readers',
    async run(t) {
      const library = await Library.open(t, PREFIX)
      const peer = await Peer.open(t)
      const { inbox, receiver } = await peer.receive(ADDRESS, { window: 0 })
      const loan = await library.next()
      receiver.addCredit(10)
      await loan.credit()
      await within(t.patienceMs, 'the drain of a reader with nothing to read', receiver.drain())
      assert.deepEqual([inbox.all, loan.drains], [[], 1])
      receiver.addCredit(10)
      await loan.credit()
      // what takes its time is waited for
      let send: (nothing: void) => void = () => undefined
      const late = new Promise<void>(resolve => (send = resolve))
      loan.sending = late.then(() => loan.send(text('1'), text('2')))
      const draining = receiver.drain()
      setImmediate(send)
      await within(t.patienceMs, 'the drain of a reader', draining)
      assert.deepEqual(inbox.all, ['1', '2'])
      receiver.addCredit(1)
      await loan.credit()
      assert.equal(loan.reader.credit, 1)
      loan.sending = loan.send(text('3'))
      await within(t.patienceMs, 'the drain of a reader without credit', receiver.drain())
      assert.deepEqual(await inbox.texts(3), ['1', '2', '3'])
    }
  },
  {
    title: 'answers no drain before the server of the reader was asked, however soon it comes',
    part: 'served-readers',
    async run(t) {
      await t.space.serveReaders(PREFIX, reader => {
        const onDrain = async (): Promise<void> => {
          await t.space.store('something that takes its time')
          if (reader.credit > 0) reader.send(text(reader.name))
        }
        reader.accept({ onCredit: () => undefined, onClosed: () => undefined, onDrain })
      })
      const peer = await Peer.open(t, 'full')
      for (const name of numbers(20)) {
        const { inbox, receiver } = await peer.receive(ADDRESS, { name, window: 0 })
        receiver.addCredit(1)
        await within(t.patienceMs, 'the drain of a reader', receiver.drain())
        assert.deepEqual(inbox.all, [name])
      }
    }
  },
  {
    title: 'drains thousands that the server of a reader has',
    part: 'served-readers',
    async run(t) {
      const library = await Library.open(t, PREFIX)
      const options = { window: 0, accepting: true }
      const { inbox, receiver } = await (await Peer.open(t)).receive(ADDRESS, options)
      const loan = await library.next()
      receiver.addCredit(4000)
      await loan.credit()
      loan.sending = loan.send(...series(3000))
      await within(t.patienceMs, 'the drain of thousands', receiver.drain())
      assert.deepEqual(inbox.all, numbers(3000))
      assert.equal(loan.reader.credit, 0)
    }
  },
  {
    title: 'answers the drain of a reader whose server does not say what it has',
    part: 'served-readers',
    async run(t) {
      await t.space.serveReaders(PREFIX, reader => {
        reader.accept({ onCredit: () => reader.send(text('all')), onClosed: () => undefined })
      })
      const { inbox, receiver } = await (await Peer.open(t)).receive(ADDRESS, { window: 0 })
      receiver.addCredit(3)
      assert.deepEqual(await inbox.texts(1), ['all'])
      await within(t.patienceMs, 'the drain of a reader', receiver.drain())
      assert.deepEqual(inbox.all, ['all'])
    }
  },
  {
    title: 'fails the attach of a reader that its server refuses, with its error',
    part: 'served-readers',
    async run(t) {
      const condition = 'amqp:unauthorized-access'
      await t.space.serveReaders(PREFIX, reader => {
        reader.close({ condition, description: `not ${reader.address}` })
      })
      const peer = await Peer.open(t, 'full')
      const error = await refused(peer.receive(ADDRESS), condition, 'the attach')
      assert.equal(error.description, `not ${ADDRESS}`)
      await (await peer.sender('a')).accepted(durable('the connection still works'))
    }
  }
]
