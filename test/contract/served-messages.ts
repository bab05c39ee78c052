// What clients send to the addresses that the plugin serves.
// Rule: the server's outcome is the sender's outcome, and its window the sender's credit.

import assert from 'node:assert/strict'
import type { Outcome } from '../../plugin/host.js'
import type { ContractCase } from './fixture.js'
import { ACCEPTED, RELEASED, textOf } from './inbox.js'
import { numbers, series, text } from './messages.js'
import { Peer, Service } from './peer.js'

const ADDRESS = '$mqtt.lwtservice'

export const servedMessages: readonly ContractCase[] = [
  {
    title: 'delivers to the server in order, and brings each outcome to the sender',
    part: 'served-links',
    async run(t) {
      const service = await Service.open(t, ADDRESS)
      const sender = await (await Peer.open(t)).sender(ADDRESS)
      const { inbox } = await service.next()
      const outcomes: readonly Outcome[] = [
        ACCEPTED,
        { type: 'rejected', condition: 'amqp:not-allowed', description: 'a former connection' },
        RELEASED,
        { type: 'modified', deliveryFailed: true, undeliverableHere: false },
        { type: 'modified', deliveryFailed: false, undeliverableHere: true }
      ]
      const sent = []
      for (const body of numbers(outcomes.length)) sent.push(await sender.start(text(body)))
      const deliveries = await inbox.take(outcomes.length)
      assert.deepEqual(
        deliveries.map(each => textOf(each.message.body)),
        numbers(outcomes.length)
      )
      for (const [i, outcome] of outcomes.entries()) deliveries[i]?.settle(outcome)
      for (const [i, expected] of outcomes.entries()) {
        const outcome: Outcome | undefined = await sent[i]?.outcome()
        assert.equal(outcome?.type, expected.type)
        if (expected.type === 'modified' || expected.type === 'accepted') assert.deepEqual(outcome, expected)
        if (expected.type === 'rejected' && outcome?.type === 'rejected') {
          assert.deepEqual(
            [outcome.condition, outcome.description],
            [expected.condition, expected.description]
          )
        }
      }
    }
  },
  {
    title: 'brings the info of a rejection to the sender',
    part: 'served-links',
    async run(t) {
      const service = await Service.open(t, ADDRESS)
      const sender = await (await Peer.open(t)).sender(ADDRESS)
      const { inbox } = await service.next()
      const sent = await sender.start(text('x'))
      const info = new Map([
        ['a/#', '128'],
        ['$x/+', '135'],
        ['__proto__', '143']
      ])
      const condition = 'amqp:precondition-failed'
      ;(await inbox.next()).settle({ type: 'rejected', condition, description: 'in part', info })
      const outcome = await sent.outcome()
      assert.ok(outcome.type === 'rejected')
      assert.deepEqual([...(outcome.info ?? [])], [...info])
    }
  },
  {
    title: 'takes the first outcome of the server and no later one',
    part: 'served-links',
    async run(t) {
      const service = await Service.open(t, ADDRESS)
      const sender = await (await Peer.open(t)).sender(ADDRESS)
      const { inbox } = await service.next()
      const [first, second] = [await sender.start(text('1')), await sender.start(text('2'))]
      const [one, two] = await inbox.take(2)
      one?.settle(RELEASED)
      one?.settle(ACCEPTED)
      two?.settle(ACCEPTED)
      assert.deepEqual(await second.outcome(), ACCEPTED)
      assert.deepEqual(first.outcomes, [RELEASED])
      assert.equal(second.outcomes.length, 1)
    }
  },
  {
    title: 'gives a sender to a server no more credit than its window',
    part: 'served-links',
    async run(t) {
      const service = await Service.open(t, ADDRESS, 3)
      const sender = await (await Peer.open(t)).sender(ADDRESS)
      const { inbox } = await service.next()
      assert.ok((await sender.credit()) <= 3)
      const sending = sender.accepted(...series(20))
      assert.deepEqual(await inbox.texts(20), numbers(20))
      await sending
      assert.ok(inbox.mostUnsettled <= 3, `${inbox.mostUnsettled} were unsettled at once`)
    }
  },
  {
    title: 'has no credit left for a sender while the window of its server is full',
    part: 'served-links',
    async run(t) {
      const service = await Service.open(t, ADDRESS, 2)
      const sender = await (await Peer.open(t)).sender(ADDRESS)
      const { inbox } = await service.next()
      for (const message of series(2)) await sender.start(message)
      const [first] = await inbox.take(2)
      assert.equal(sender.link.credit, 0)
      assert.throws(() => sender.link.send(text('3')), RangeError)
      first?.settle(ACCEPTED)
      await sender.credit()
      await sender.start(text('4'))
      await inbox.next()
      assert.deepEqual(inbox.all, ['1', '2', '4'])
    }
  },
  {
    title: 'has delivered what was sent before a detach when the server is told of it',
    part: 'served-links',
    async run(t) {
      const service = await Service.open(t, ADDRESS)
      const sender = await (await Peer.open(t)).sender(ADDRESS)
      const { inbox } = await service.next()
      for (const message of series(5)) await sender.start(message)
      await sender.close()
      await inbox.closed()
      assert.deepEqual(inbox.all, numbers(5))
    }
  },
  {
    title: 'does nothing with an outcome that comes after the sender is gone',
    part: 'served-links',
    async run(t) {
      const service = await Service.open(t, ADDRESS)
      const peer = await Peer.open(t)
      const sender = await peer.sender(ADDRESS)
      const { inbox } = await service.next()
      const sent = await sender.start(text('1'))
      const late = await inbox.next()
      await t.lose(peer.connection)
      await inbox.closed()
      late.settle(ACCEPTED)
      await (await Peer.open(t)).sender(ADDRESS)
      await service.next()
      assert.deepEqual(sent.outcomes, [])
    }
  },
  {
    title: 'does not accept what the server had not settled when it went',
    part: 'served-links',
    async run(t) {
      const service = await Service.open(t, ADDRESS)
      const sender = await (await Peer.open(t)).sender(ADDRESS)
      const { inbox } = await service.next()
      const sent = [
        await sender.start(text('1')),
        await sender.start(text('2')),
        await sender.start(text('3'))
      ]
      const [first] = await inbox.take(3)
      first?.settle(ACCEPTED)
      assert.deepEqual(await sent[0]?.outcome(), ACCEPTED)
      await service.close()
      await sender.closed()
      for (const each of sent.slice(1)) {
        assert.ok(each.outcomes.every(outcome => outcome.type === 'released' || outcome.type === 'modified'))
        assert.ok(each.outcomes.length <= 1)
      }
      assert.equal(sender.closings, 1)
    }
  }
]
