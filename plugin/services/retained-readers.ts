// `$retain.<topic>`: the retained message of a topic, once for each receiver that attaches.
// Rule: what was accepted before a receiver attached is what it gets; the right to receive the topic is asked. Accepting it does not
// consume it, and where there is none nothing comes.

import { randomBytes } from 'node:crypto'
import { AmqpError, CONDITIONS, rejectionOf } from '../errors.js'
import type { AddressSpace, Closeable, Logger, Message, ServedReader } from '../host.js'
import { isOwnedAddress } from '../messages/addresses.js'
import { quoted } from '../messages/quoted.js'
import { RETAIN_PREFIX, retainedCopy } from '../messages/retained.js'
import { isValidTopicName } from '../mqtt/topic.js'
import type { RetainedFeed } from './retained-feed.js'
import type { RetainedMessages } from './retained-messages.js'

const UID_BYTES = 16

export interface RetainedReadersOptions {
  readonly feed: RetainedFeed
  readonly messages: RetainedMessages
  readonly log: Logger
}

/** Rejects with AmqpError where the host refuses. */
export const serveRetained = (space: AddressSpace, options: RetainedReadersOptions): Promise<Closeable> =>
  space.serveReaders(RETAIN_PREFIX, reader => onReader(options, reader))

function onReader(options: RetainedReadersOptions, reader: ServedReader): void {
  const topic = reader.address.slice(RETAIN_PREFIX.length)
  if (!isValidTopicName(topic) || isOwnedAddress(topic)) {
    const description = `${quoted(reader.address)} names no topic`
    return reader.close({ condition: CONDITIONS.notFound, description })
  }
  const reading = new Reading(reader)
  reader.accept({
    onCredit: () => reading.send(),
    onClosed: () => reading.end(),
    onDrain: () => reading.found
  })
  reading.begin(find(options, reader, topic), options.log)
}

async function find(
  { feed, messages }: RetainedReadersOptions,
  { user }: ServedReader,
  topic: string
): Promise<Message | undefined> {
  if (user !== 'service' && !(await user.mayReceive(topic)))
    throw new AmqpError(CONDITIONS.unauthorized, `user ${user.name} may not receive ${quoted(topic)}`)
  await feed.passed()
  const record = await messages.get(topic)
  return record && retainedCopy(record, randomBytes(UID_BYTES), false)
}

/** One receiver, until it has what there is. */
class Reading {
  /** it was looked for, and sent where there is credit */
  found: Promise<void> = Promise.resolve()
  readonly #reader: ServedReader
  #message: Message | undefined
  #ended = false

  constructor(reader: ServedReader) {
    this.#reader = reader
  }

  begin(finding: Promise<Message | undefined>, log: Logger): void {
    this.found = finding.then(
      message => {
        this.#message = message
        this.send()
      },
      (error: unknown) => this.#refuse(error, log)
    )
  }

  send(): void {
    const message = this.#message
    if (message === undefined || this.#ended || this.#reader.credit === 0) return
    this.#message = undefined
    this.#reader.send(message)
  }

  end(): void {
    this.#ended = true
    this.#message = undefined
  }

  #refuse(error: unknown, log: Logger): void {
    const { address } = this.#reader
    if (this.#ended) return
    this.end()
    if (!(error instanceof AmqpError))
      log.error({ address, err: error }, 'a retained message could not be read')
    const { condition, description } = rejectionOf(error)
    this.#reader.close({ condition, description })
  }
}
