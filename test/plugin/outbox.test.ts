// The outbox: every message has an answer in its time, whatever becomes of the link.
import assert from 'node:assert/strict'
import { AmqpError } from '../../plugin/errors.js'
import type { AmqpConnection, Message, Outcome, SenderOptions } from '../../plugin/host.js'
import { Outbox } from '../../plugin/outbox.js'
import { Changes } from '../fixtures/changes.js'

const message: Message = {
  durable: false,
  deliveryCount: 0,
  annotations: new Map(),
  properties: {},
  applicationProperties: new Map(),
  body: { type: 'none' }
}

const LONG_MS = 60_000

/** A host with one address, whose other end the test is. */
class Peer {
  credit = 0
  attached = 0
  refuse: AmqpError | undefined
  link: SenderOptions | undefined
  readonly unsettled: ((outcome: Outcome) => void)[] = []
  readonly subjects: (string | undefined)[] = []
  readonly #changes = new Changes()

  readonly connection = {
    openSender: (options: SenderOptions) => {
      if (this.refuse !== undefined) return Promise.reject(this.refuse)
      this.attached += 1
      this.link = options
      const peer = this
      return Promise.resolve({
        name: 'x',
        get credit() {
          return peer.credit
        },
        send({ properties }: Message, onOutcome?: (outcome: Outcome) => void) {
          peer.credit -= 1
          peer.subjects.push(properties.subject)
          peer.#changes.changed()
          if (onOutcome !== undefined) peer.unsettled.push(onOutcome)
        },
        close: () => Promise.resolve()
      })
    }
  } as unknown as AmqpConnection

  /** Resolves when `count` messages were sent. */
  sends(count: number): Promise<true> {
    const find = (): true | undefined => (this.subjects.length >= count ? true : undefined)
    return this.#changes.until(find, `message ${count}`, () => this.subjects.join(', '))
  }

  give(credit: number): void {
    this.credit += credit
    this.link?.onCredit?.()
  }
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

describe('the outbox', () => {
  it('waits for credit, and sends in order', async () => {
    const peer = new Peer()
    const outbox = new Outbox(peer.connection, 'a')
    const outcomes = [outbox.send(message, LONG_MS), outbox.send(message, LONG_MS)]
    await turn()
    assert.equal(peer.unsettled.length, 0)
    peer.give(1)
    assert.equal(peer.unsettled.length, 1)
    peer.give(1)
    peer.unsettled[1]?.({ type: 'accepted' })
    peer.unsettled[0]?.({ type: 'modified', deliveryFailed: true, undeliverableHere: false })
    assert.deepEqual(
      (await Promise.all(outcomes)).map(({ type }) => type),
      ['modified', 'accepted']
    )
  })

  it('answers what nobody answered in time, and does not send it any more', async () => {
    const peer = new Peer()
    const outbox = new Outbox(peer.connection, 'a')
    assert.deepEqual(await outbox.send(message, 1), { type: 'released' })
    peer.give(5)
    assert.equal(peer.unsettled.length, 0)
    await outbox.close()
  })

  it('answers what was on its way when the link is lost, and attaches again for the next', async () => {
    const peer = new Peer()
    const outbox = new Outbox(peer.connection, 'a')
    const first = outbox.send(message, LONG_MS)
    await turn()
    peer.give(1)
    peer.link?.onClosed?.({ cause: 'lost' })
    assert.deepEqual(await first, { type: 'released' })
    peer.credit = 1
    const second = outbox.send(message, LONG_MS)
    await turn()
    assert.equal(peer.attached, 2)
    peer.unsettled[1]?.({ type: 'accepted' })
    assert.deepEqual(await second, { type: 'accepted' })
  })

  it('says why a link was refused', async () => {
    const peer = new Peer()
    peer.refuse = new AmqpError('amqp:not-found', 'no such address')
    const outbox = new Outbox(peer.connection, 'a')
    const outcome = await outbox.send(message, LONG_MS)
    assert.equal(outcome.type === 'rejected' && outcome.condition, 'amqp:not-found')
  })

  it('answers everything when it is closed', async () => {
    const peer = new Peer()
    const outbox = new Outbox(peer.connection, 'a')
    const waiting = outbox.send(message, LONG_MS)
    await outbox.close()
    assert.deepEqual(
      [await waiting, await outbox.send(message, LONG_MS)],
      [{ type: 'released' }, { type: 'released' }]
    )
  })

  describe('that is persistent', () => {
    it('waits for somebody at the address', async () => {
      const peer = new Peer()
      peer.refuse = new AmqpError('amqp:not-found', 'not yet')
      peer.credit = 1
      const outbox = new Outbox(peer.connection, 'a', { persistent: true })
      const sent = outbox.send(message, LONG_MS)
      await turn()
      peer.refuse = undefined
      await peer.sends(1)
      peer.unsettled[0]?.({ type: 'accepted' })
      assert.deepEqual(await sent, { type: 'accepted' })
      await outbox.close()
    })

    it('says why nobody was there, when its time is over', async () => {
      const peer = new Peer()
      peer.refuse = new AmqpError('amqp:not-found', 'nobody')
      const outbox = new Outbox(peer.connection, 'a', { persistent: true })
      const outcome = await outbox.send(message, 1)
      assert.equal(outcome.type === 'rejected' && outcome.condition, 'amqp:not-found')
      await outbox.close()
    })

    it('does not wait where it is refused for good', async () => {
      const peer = new Peer()
      peer.refuse = new AmqpError('amqp:unauthorized-access', 'no')
      const outbox = new Outbox(peer.connection, 'a', { persistent: true })
      const outcome = await outbox.send(message, LONG_MS)
      assert.equal(outcome.type === 'rejected' && outcome.condition, 'amqp:unauthorized-access')
    })

    it('sends what had no outcome again, in order, after what the next one must know first', async () => {
      const peer = new Peer()
      const named = (subject: string): Message => ({ ...message, properties: { subject } })
      let told = 0
      const outbox: Outbox = new Outbox(peer.connection, 'a', {
        persistent: true,
        onAttachedAgain: () => {
          told += 1
          firsts.push(outbox.sendFirst(named(`first ${told}`)))
        }
      })
      const firsts: Promise<Outcome>[] = []
      const outcomes = [1, 2, 3].map(number => outbox.send(named(`${number}`), LONG_MS))
      await turn()
      peer.give(2)
      assert.deepEqual(peer.subjects, ['1', '2'])
      peer.unsettled[0]?.({ type: 'accepted' })
      for (let losses = 1; losses <= 2; losses++) {
        peer.credit = 1 // as much as is needed for what comes first
        peer.link?.onClosed?.({ cause: 'lost' })
        await peer.sends(2 + losses)
      }
      assert.deepEqual(await firsts[0], { type: 'released' })
      peer.give(2)
      assert.deepEqual(peer.subjects, ['1', '2', 'first 1', 'first 2', '2', '3'])
      for (const settle of peer.unsettled.slice(-3)) settle({ type: 'accepted' })
      assert.deepEqual(
        (await Promise.all([...outcomes, firsts[1]])).map(outcome => outcome?.type),
        ['accepted', 'accepted', 'accepted', 'accepted']
      )
      await outbox.close()
    })
  })
})
