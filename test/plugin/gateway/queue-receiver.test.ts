import assert from 'node:assert/strict'
import { AmqpError, BridgeError } from '../../../plugin/errors.js'
import type { Delivery, Outcome } from '../../../plugin/host.js'
import { encodePublication } from '../../../plugin/messages/publish.js'
import { QueueReceiver, type QueueReceiverOptions } from '../../../plugin/gateway/queue-receiver.js'
import { Changes } from '../../fixtures/changes.js'
import { gatewayForSuite } from '../../fixtures/gateway.js'
import { QueueLinks } from '../../fixtures/queue-links.js'

const ADDRESS = '$mqtt.to.x.publish'
const ACCEPTED: Outcome = { type: 'accepted' }

interface Came {
  readonly deliveryCount: number
  readonly settle: (outcome: Outcome) => void
}

describe('the receiver of a client queue', () => {
  const gateway = gatewayForSuite()
  const changes = new Changes()
  let links: QueueLinks
  let came: Came[]
  let attached: boolean[]
  let lost: number
  let ended: unknown[]
  let window: number
  /** what onAttached waits for */
  let admission: () => Promise<void>
  let receiver: QueueReceiver | undefined

  beforeEach(async () => {
    links = new QueueLinks()
    came = []
    attached = []
    ended = []
    lost = 0
    window = 2
    admission = () => Promise.resolve()
    await gateway().space.queues.create(ADDRESS)
  })

  afterEach(async () => {
    await receiver?.close()
    await gateway().space.queues.delete(ADDRESS)
  })

  function open(more: Partial<QueueReceiverOptions> = {}): QueueReceiver {
    const told = (): void => changes.changed()
    receiver = new QueueReceiver({
      space: links.wrap(gateway().space),
      address: ADDRESS,
      window: () => window,
      graceMs: () => 60_000,
      onAttached: async (_connection, again) => {
        attached.push(again)
        told()
        await admission()
      },
      onDelivery: ({ deliveryCount }, settle) => {
        came.push({ deliveryCount, settle })
        told()
      },
      onLost: () => {
        lost += 1
        told()
      },
      onEnded: error => {
        ended.push(error)
        told()
      },
      log: { debug: told, info: told, warn: told, error: told },
      ...more
    })
    receiver.open()
    return receiver
  }

  async function send(count: number): Promise<void> {
    const connection = await gateway().space.connect('service')
    const sender = await connection.openSender({ address: ADDRESS })
    for (let i = 0; i < count; i++) {
      const message = encodePublication({
        ...{ topic: 't', payload: Buffer.from(`${i}`), qos: 1, retain: false, dup: false }
      })
      await new Promise<void>(resolve => sender.send(message, () => resolve()))
    }
    await connection.close()
  }

  const until = (what: string, find: () => boolean): Promise<unknown> =>
    changes.until(
      () => (find() ? true : undefined),
      what,
      () => `${came.length} came`
    )

  async function linked(opened: QueueReceiver): Promise<void> {
    while (!opened.attached) await new Promise(setImmediate)
  }

  it('gives no credit before its owner says so, and then as much as the window', async () => {
    let admit: (() => void) | undefined
    admission = () => new Promise(resolve => (admit = resolve))
    open()
    await until('the link', () => attached.length === 1)
    await send(5)
    assert.deepEqual([attached, came.length], [[false], 0])
    admit?.()
    await until('the window', () => came.length === 2)
    came[0]?.settle(ACCEPTED)
    await until('one more', () => came.length === 3)
    window = 4
    receiver?.topUp()
    await until('two more', () => came.length === 5)
  })

  it('keeps others out, and lets them in when it is closed', async () => {
    const opened = open()
    await linked(opened)
    const connection = await gateway().space.connect('service')
    const another = { address: ADDRESS, window: 1, onDelivery: (): void => undefined }
    await assert.rejects(connection.openReceiver(another), { condition: 'amqp:resource-locked' })
    await opened.close()
    await connection.openReceiver(another)
    await connection.close()
  })

  it('asks again who has the session when the link was lost, and takes no credit for what came over the lost one', async () => {
    window = 1
    const opened = open()
    await send(3)
    await until('the first', () => came.length === 1)
    links.lose()
    await until('the loss', () => lost === 1)
    await until('the first again', () => came.length === 2)
    assert.deepEqual(attached, [false, true])
    assert.deepEqual(
      came.map(({ deliveryCount }) => deliveryCount),
      [0, 1]
    )
    came[0]?.settle(ACCEPTED)
    assert.equal(came.length, 2)
    came[1]?.settle(ACCEPTED)
    await until('the next', () => came.length === 3)
    assert.ok(opened.attached)
  })

  it('ends where its owner does not have the session any more, and leaves the queue to others', async () => {
    open()
    await until('the link', () => attached.length === 1)
    const error = new BridgeError('sessionTakenOver', 'as the test wants')
    admission = () => Promise.reject(error)
    links.lose()
    await until('the end', () => ended.length === 1)
    assert.deepEqual(ended, [error])
    await send(1)
    const connection = await gateway().space.connect('service')
    const payload = await new Promise<Delivery>((resolve, reject) => {
      connection
        .openReceiver({ address: ADDRESS, window: 1, exclusive: true, onDelivery: resolve })
        .catch(reject)
    })
    assert.equal(payload.deliveryCount, 0)
    assert.equal(came.length, 0)
    await connection.close()
  })

  it('is over, and makes no new link, when the host closes the consumers of its queue', async () => {
    const opened = open()
    await linked(opened)
    await gateway().space.queues.closeConsumers(ADDRESS)
    await until('the end', () => ended.length === 1)
    const [error] = ended
    assert.ok(error instanceof BridgeError && error.code === 'sessionTakenOver')
    assert.deepEqual([attached, lost], [[false], 0])
  })

  it('gives up when it has had no link for too long, and says why', async () => {
    links.refusal = new AmqpError('amqp:connection:forced', 'as the test wants')
    open({ graceMs: () => 40 })
    await until('the end', () => ended.length === 1)
    await links.refused(2)
    const [error] = ended
    assert.ok(error instanceof BridgeError && error.code === 'serverUnavailable')
    assert.match(error.detail, /as the test wants/)
  })

  it('does not open once it is closed', async () => {
    const opened = open()
    await linked(opened)
    await opened.close()
    opened.open()
    await opened.stop()
    assert.deepEqual(attached, [false])
  })

  it('hands on what is no error of AMQP: a bug', async () => {
    const bug = new TypeError('as the test wants')
    admission = () => Promise.reject(bug)
    open()
    await until('the end', () => ended.length === 1)
    assert.deepEqual(ended, [bug])
  })
})
