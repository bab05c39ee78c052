// The place of the one who serves an address, among all processes that share a broker.
// Rule: whoever consumes the queue has the place, and the broker lets one alone consume. What says where that one listens goes over the
// same connection: who has lost the place cannot say any more that it is there.

import { AmqpError, CONDITIONS } from '../../../plugin/errors.js'
import type {
  AddressSpace,
  AmqpConnection,
  LinkClosed,
  Message,
  Outcome,
  Receiver,
  Sender
} from '../../../plugin/host.js'
import { makeAnnouncement, readAnnouncement, type Whereabouts } from './protocol.js'

type Backing = Pick<AddressSpace, 'connect' | 'queues'>

/** Announcements that are read at once; there is one, or a few that former servers have left. */
const BATCH = 20

const ACCEPTED: Outcome = { type: 'accepted' }
const RELEASED: Outcome = { type: 'released' }

export class Place {
  readonly #connection: AmqpConnection
  readonly #queue: string
  readonly #receiver: Receiver
  readonly #taken: () => number

  private constructor(connection: AmqpConnection, queue: string, receiver: Receiver, taken: () => number) {
    this.#connection = connection
    this.#queue = queue
    this.#receiver = receiver
    this.#taken = taken
  }

  /** Rejects `amqp:resource-locked` while another has it. `onLost`: at most once, and not after leave(). */
  static async take(space: Backing, queue: string, onLost: () => void): Promise<Place> {
    await space.queues.create(queue)
    const connection = await space.connect('service')
    let taken = 0
    try {
      const receiver = await connection.openReceiver({
        address: queue,
        kind: 'queue',
        exclusive: true,
        window: 0,
        onDelivery: delivery => {
          taken++
          delivery.settle(ACCEPTED)
        },
        onClosed: onLost
      })
      return new Place(connection, queue, receiver, () => taken)
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  /** Says to all where it is served, in place of what former servers said. */
  async announce(whereabouts: Whereabouts): Promise<void> {
    await this.#clear()
    await sendOne(this.#connection, this.#queue, makeAnnouncement(whereabouts))
  }

  /** Gives it up. Never rejects: whoever has lost it has left it. */
  async leave(): Promise<void> {
    await this.#clear().catch(() => undefined)
    await this.#connection.close().catch(() => undefined)
  }

  async #clear(): Promise<void> {
    let before: number
    do {
      before = this.#taken()
      this.#receiver.addCredit(BATCH)
      await this.#receiver.drain()
    } while (this.#taken() - before === BATCH)
  }
}

/** Where those say they are who have the place, the last one first; none: nobody has it. */
export async function whoIsAt(space: Backing, queue: string): Promise<readonly Whereabouts[]> {
  const connection = await space.connect('service')
  try {
    const found: Whereabouts[] = []
    const receiver = await connection.openReceiver({
      address: queue,
      kind: 'queue',
      browse: true,
      window: 0,
      onDelivery: delivery => {
        const whereabouts = readAnnouncement(delivery.message)
        if (whereabouts !== undefined) found.unshift(whereabouts)
        delivery.settle(RELEASED)
      }
    })
    receiver.addCredit(BATCH)
    await receiver.drain()
    return found
  } catch (error) {
    if (error instanceof AmqpError && error.condition === CONDITIONS.notFound) return []
    throw error
  } finally {
    await connection.close()
  }
}

/** Resolves when the message was accepted. Rejects with AmqpError. */
async function sendOne(connection: AmqpConnection, address: string, message: Message): Promise<void> {
  let onCredit: () => void = () => undefined
  let onClosed: (closed: LinkClosed) => void = () => undefined
  const gone = new Promise<never>((_resolve, reject) => {
    onClosed = ({ error }) =>
      reject(
        new AmqpError(error?.condition ?? CONDITIONS.detachForced, error?.description ?? 'the link is gone')
      )
  })
  gone.catch(() => undefined) // it may go when nobody waits any more
  const credit = new Promise<void>(resolve => (onCredit = resolve))
  const sender: Sender = await connection.openSender({
    address,
    kind: 'queue',
    onCredit: () => onCredit(),
    onClosed: closed => onClosed(closed)
  })
  if (sender.credit === 0) await Promise.race([credit, gone])
  const outcome = new Promise<Outcome>(resolve => sender.send(message, resolve))
  const { type } = await Promise.race([outcome, gone])
  await sender.close()
  if (type !== 'accepted')
    throw new AmqpError(CONDITIONS.internalError, `${address}: the host has ${type} it`)
}
