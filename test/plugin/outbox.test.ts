// The outbox: every message has an answer in its time, whatever becomes of the link.
import assert from 'node:assert/strict'
import { AmqpError } from '../../plugin/errors.js'
import type { AmqpConnection, Message, Outcome, SenderOptions } from '../../plugin/host.js'
import { Outbox } from '../../plugin/outbox.js'

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
        send(_message: Message, onOutcome?: (outcome: Outcome) => void) {
          peer.credit -= 1
          if (onOutcome !== undefined) peer.unsettled.push(onOutcome)
        },
        close: () => Promise.resolve()
      })
    }
  } as unknown as AmqpConnection

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
})
