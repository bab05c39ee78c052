// Replays into a session's queue that end early, with a copy on its way: whoever comes after them makes sure that no old copy is the
// last of its topic, in the same service or in the next one.

import assert from 'node:assert/strict'
import type { AddressSpace, AmqpConnection, Message, Outcome, Sender } from '../../../plugin/host.js'
import { publishAddress } from '../../../plugin/messages/addresses.js'
import { encodePublication } from '../../../plugin/messages/publish.js'
import { RETAINED_STORE } from '../../../plugin/messages/retained.js'
import type { Qos } from '../../../plugin/mqtt/packets.js'
import { Changes } from '../../fixtures/changes.js'
import { changedSpace, RunningGateway, type GatewayOptions } from '../../fixtures/gateway.js'
import { Killable } from '../../fixtures/killable.js'
import { ReceivedPublications } from '../../fixtures/publications-of-a-queue.js'
import { ServiceClient } from '../../fixtures/service-client.js'

const QUEUE = publishAddress('x')

/** Keeps the first message that a service sends to the queue, until the test lets it go in; its outcome never comes. */
class HeldCopy {
  #kept: Message | undefined
  readonly #changes = new Changes()

  readonly wrap = (space: AddressSpace): AddressSpace =>
    changedSpace(space, { connect: async as => this.#connection(await space.connect(as)) })

  /** Resolves when a copy is on its way. */
  async sent(): Promise<void> {
    await this.#changes.until(
      () => this.#kept,
      'a copy on its way',
      () => 'none'
    )
  }

  /** Resolves when it is in the queue. */
  async arrive(amqp: AmqpConnection): Promise<void> {
    const kept = this.#kept ?? assert.fail('no copy is on its way')
    const sender = await amqp.openSender({ address: QUEUE })
    const outcome = await new Promise<Outcome>(resolve => sender.send(kept, resolve))
    assert.equal(outcome.type, 'accepted')
    await sender.close()
  }

  #connection(connection: AmqpConnection): AmqpConnection {
    return {
      openReceiver: options => connection.openReceiver(options),
      close: () => connection.close(),
      openSender: async options => {
        const sender = await connection.openSender(options)
        return options.address === QUEUE ? this.#sender(sender) : sender
      }
    }
  }

  #sender(sender: Sender): Sender {
    return {
      name: sender.name,
      get credit() {
        return sender.credit
      },
      close: () => sender.close(),
      send: (message, onOutcome) => {
        if (this.#kept !== undefined) return sender.send(message, onOutcome)
        this.#kept = message
        this.#changes.changed()
      }
    }
  }
}

describe('replays into a queue that end early', () => {
  const running: RunningGateway[] = []
  let amqp: AmqpConnection
  let sender: Sender
  let client: ServiceClient
  let held: HeldCopy
  let killable: Killable

  async function start(wrap?: (space: AddressSpace) => AddressSpace): Promise<void> {
    const on = running[0]?.space
    const options: GatewayOptions = on === undefined ? { mqtt: undefined } : { on, roles: ['subscription'] }
    running.push(await RunningGateway.start(wrap === undefined ? options : { ...options, wrap }))
  }

  beforeEach(async () => {
    await start()
    amqp = (await running[0]?.space.connect('service')) ?? assert.fail()
    sender = await amqp.openSender({ address: undefined })
    held = new HeldCopy()
    killable = new Killable()
    await start(space => held.wrap(killable.wrap(space)))
    client = new ServiceClient(amqp, 'x', undefined, true)
    for (const topic of ['t/1', 't/2']) await retain(topic, 'old')
  })

  afterEach(async () => {
    await client.end()
    for (const gateway of running.splice(0).reverse()) {
      gateway.take('error')
      await gateway.stop()
    }
  })

  const retain = (topic: string, payload: string): Promise<unknown> =>
    new Promise(resolve => {
      const publication = { topic, payload: Buffer.from(payload), qos: 1, retain: true, dup: false } as const
      sender.send(encodePublication(publication), resolve)
    })

  /** Subscribes, and what is copied is removed before its copy is in the queue. */
  async function removeWhileCopied(...filters: readonly string[]): Promise<void> {
    assert.equal(await client.subscribe(...filters), 'accepted')
    await held.sent()
    await retain('t/1', '')
    await held.arrive(amqp)
  }

  /** Payloads of what the queue has of `t/1` when no replay is under way. */
  async function queued(): Promise<string[]> {
    const store = (await running[0]?.space.store('subscriptions')) ?? assert.fail()
    for (let owed = true; owed;) {
      owed = false
      for await (const [, { body }] of store.entries('filter/x/'))
        owed ||= body.type === 'value' && body.value instanceof Map && body.value.has('owed')
      await new Promise(setImmediate)
    }
    await retain('t/end', 'end')
    const received = await ReceivedPublications.attach(amqp, QUEUE, 100)
    await received.until(() => received.texts.at(-1)?.startsWith('t/end=end') === true, 'the end')
    await received.close()
    return received.publications
      .filter(({ topic }) => topic === 't/1')
      .map(({ payload }) => Buffer.from(payload).toString())
  }

  /** Resolves when all that is to be retained is in the store. */
  async function stored(): Promise<void> {
    const other = new ServiceClient(amqp, 'other', undefined)
    const replies = await ReceivedPublications.attach(amqp, undefined, 10)
    const filters = new Map<string, Qos>([['none', 1]])
    const request = { type: 'subscribe', clientId: 'other', delivery: 'queue', partial: false } as const
    assert.equal(await other.request({ ...request, filters, replayTo: replies.address }), 'accepted')
    await replies.count(1)
    await replies.close()
    await other.end()
  }

  /** Nothing is left in the store of what was removed. */
  async function assertForgotten(): Promise<void> {
    const store = (await running[0]?.space.store(RETAINED_STORE)) ?? assert.fail()
    while ((await store.get('t/1')) !== undefined) await new Promise(setImmediate)
  }

  it('leave what they do not know to the next one of the same filter', async () => {
    await removeWhileCopied('t/#')
    assert.equal(await client.subscribe('t/#'), 'accepted')
    assert.deepEqual((await queued()).slice(-2), ['old', ''])
    await assertForgotten()
  })

  it('leave it to the one of a filter that is subscribed to again among others', async () => {
    await removeWhileCopied('t/1', 't/+', 'other')
    assert.equal(await client.subscribe('t/+', 't/end', 't/1'), 'accepted')
    // the first one still has a filter, and waits for its copy
    await client.unsubscribe('other')
    assert.deepEqual((await queued()).slice(-2), ['old', ''])
    await assertForgotten()
  })

  it('leave it to the one that comes after an UNSUBSCRIBE', async () => {
    await removeWhileCopied('t/#')
    assert.equal(await client.unsubscribe('t/#'), 'accepted')
    assert.equal(await client.subscribe('t/#'), 'accepted')
    assert.deepEqual((await queued()).slice(-2), ['old', ''])
    await assertForgotten()
  })

  it('leave it to nobody where the session is closed', async () => {
    await removeWhileCopied('t/#')
    assert.equal(await client.close(), 'accepted')
    await assertForgotten()
    assert.equal(await client.subscribe('t/#'), 'accepted')
    assert.deepEqual(await queued(), [])
  })

  it('leave it to the service that takes over, which forgets it afterwards', async () => {
    await removeWhileCopied('t/#')
    await stored()
    killable.kill()
    await start()
    assert.deepEqual((await queued()).slice(-2), ['old', ''])
    await assertForgotten()
  })

  it('leave it to the one after a service that was stopped, too', async () => {
    await removeWhileCopied('t/#')
    await stored()
    const stopped = running.pop() ?? assert.fail()
    stopped.take('error')
    await stopped.stop()
    await start()
    assert.deepEqual((await queued()).slice(-2), ['old', ''])
    await assertForgotten()
  })

  it('leave to it what the service before has not heard of', async () => {
    assert.equal(await client.subscribe('t/#'), 'accepted')
    await held.sent()
    killable.kill()
    await retain('t/1', '')
    await held.arrive(amqp)
    await start()
    assert.deepEqual((await queued()).slice(-2), ['old', ''])
    await assertForgotten()
  })
})
