// A keyed store as last-value queues, read by browsing.
// Rule: a write goes over one link per queue, in the order of the calls, and is never repeated on another: whoever lost the link does
// not know its fate. A read sees every write that was accepted before it.

import { AmqpError, CONDITIONS } from '../../plugin/errors.js'
import type { AmqpConnection, KeyedStore, Message, Outcome, Sender } from '../../plugin/host.js'
import type { ClientReceiverOptions } from '../rhea/client-session.js'
import type { Broker } from './broker.js'
import { translating, translatedOutcome } from './broker-errors.js'
import { storeShard } from './names.js'
import {
  KEY,
  readValue,
  selectorOfKey,
  selectorOfKeys,
  selectorOfPrefix,
  shardOf,
  writeNothing,
  writeValue
} from './stored-values.js'

/** Queues of one store: a read of one key looks through one of them. */
const SHARDS = 8
/** Keys whose values are read at once. */
const PAGE = 200
/** Deliveries on their way in one browse. */
const WINDOW = 500
/** Values of a first look through the store that are kept, bytes; others are read again when their turn comes. */
const KEPT_BYTES = 8 << 20

export interface StoreConnection {
  openSender: AmqpConnection['openSender']
  openReceiver(options: ClientReceiverOptions): ReturnType<AmqpConnection['openReceiver']>
}

export interface StoreParts {
  readonly broker: Broker
  /** the same one until it is gone */
  readonly connection: () => Promise<StoreConnection>
}

interface Write {
  readonly message: Message
  onOutcome(outcome: Outcome): void
  reject(error: unknown): void
}

export class ArtemisStore implements KeyedStore {
  readonly #shards: readonly Shard[]

  private constructor(name: string, parts: StoreParts) {
    this.#shards = Array.from({ length: SHARDS }, (_, i) => new Shard(storeShard(name, i), parts))
  }

  static async open(name: string, parts: StoreParts): Promise<ArtemisStore> {
    const store = new ArtemisStore(name, parts)
    await Promise.all(store.#shards.map(shard => shard.create()))
    return store
  }

  put(key: string, value: Message): Promise<void> {
    return this.#shard(key).write(writeValue(key, value))
  }

  delete(key: string): Promise<void> {
    return this.#shard(key).write(writeNothing(key, Date.now()))
  }

  async get(key: string): Promise<Message | undefined> {
    let found: Message | undefined
    await this.#shard(key).browse(selectorOfKey(key), (each, value) => {
      if (each === key) found = value
    })
    return found
  }

  async *entries(prefix = '', after?: string): AsyncGenerator<readonly [key: string, value: Message]> {
    const { keys, kept } = await this.#survey(prefix, after)
    for (let start = 0; start < keys.length; start += PAGE) {
      const page = keys.slice(start, start + PAGE)
      const values = new Map<string, Message>()
      const missing = page.filter(key => !take(kept, key, values))
      if (missing.length > 0) await this.#readAll(missing, values)
      for (const key of page) {
        const value = values.get(key)
        if (value !== undefined) yield [key, value]
      }
    }
  }

  /** Keys in order, and the values of some. */
  async #survey(
    prefix: string,
    after: string | undefined
  ): Promise<{ readonly keys: readonly string[]; readonly kept: Map<string, Message> }> {
    const from = after === undefined ? undefined : Buffer.from(after)
    const found = new Map<string, Buffer>()
    const kept = new Map<string, Message>()
    let bytes = 0
    const take = (key: string, value: Message | undefined, size: number): void => {
      found.delete(key)
      kept.delete(key)
      const order = Buffer.from(key)
      if (value === undefined || !key.startsWith(prefix) || (from && Buffer.compare(order, from) <= 0)) return
      found.set(key, order)
      if ((bytes += size) <= KEPT_BYTES) kept.set(key, value)
    }
    const selector = selectorOfPrefix(prefix)
    await Promise.all(this.#shards.map(shard => shard.browse(selector, take)))
    const keys = [...found].sort(([, a], [, b]) => Buffer.compare(a, b)).map(([key]) => key)
    return { keys, kept }
  }

  async #readAll(keys: readonly string[], values: Map<string, Message>): Promise<void> {
    const wanted = new Set(keys)
    const reads = this.#shards.map((shard, i) => {
      const own = keys.filter(key => shardOf(key, SHARDS) === i)
      if (own.length === 0) return undefined
      return shard.browse(selectorOfKeys(own), (key, value) => {
        if (wanted.has(key) && value !== undefined) values.set(key, value)
      })
    })
    await Promise.all(reads)
  }

  #shard(key: string): Shard {
    const shard = this.#shards[shardOf(key, SHARDS)]
    if (shard === undefined) throw new RangeError('a shard for each hash')
    return shard
  }
}

/** Moves what `from` has for the key. */
function take(from: Map<string, Message>, key: string, to: Map<string, Message>): boolean {
  const value = from.get(key)
  if (value === undefined) return false
  from.delete(key)
  to.set(key, value)
  return true
}

/** One queue of a store. */
class Shard {
  readonly #queue: string
  readonly #parts: StoreParts
  /** without credit */
  readonly #waiting: Write[] = []
  /** without outcome */
  readonly #sent = new Set<Write>()
  #link: { sender: Sender | undefined } | undefined

  constructor(queue: string, parts: StoreParts) {
    this.#queue = queue
    this.#parts = parts
  }

  create(): Promise<void> {
    const value = { 'last-value': true, 'last-value-key': KEY, 'non-destructive': true }
    const routing = { 'routing-type': 'ANYCAST', durable: true, 'auto-create-address': true }
    return this.#parts.broker.createQueue({ name: this.#queue, address: this.#queue, ...routing, ...value })
  }

  /** Resolves when it is durable. */
  write(message: Message): Promise<void> {
    return new Promise((resolve, reject) => {
      const onOutcome = (outcome: Outcome): void => {
        this.#sent.delete(write)
        const told = translatedOutcome(outcome)
        if (told.type === 'accepted') resolve()
        else if (told.type === 'rejected') reject(new AmqpError(told.condition, told.description))
        else reject(new AmqpError(CONDITIONS.internalError, `the broker answers ${told.type} to a write`))
      }
      const write: Write = { message, onOutcome, reject }
      this.#waiting.push(write)
      this.#flush()
    })
  }

  /** Shows what the selector takes, each with the size of its value. */
  async browse(
    selector: string | undefined,
    onEntry: (key: string, value: Message | undefined, size: number) => void
  ): Promise<void> {
    const connection = await this.#parts.connection()
    let lost: (error: AmqpError) => void = () => undefined
    const gone = new Promise<never>((_resolve, reject) => (lost = reject))
    gone.catch(() => undefined)
    let count = 0
    const receiver = await translating(
      connection.openReceiver({
        address: this.#queue,
        browse: true,
        window: 0,
        selector,
        onDelivery: ({ message, settle }) => {
          count++
          settle({ type: 'accepted' })
          const entry = readValue(message)
          if (entry !== undefined) onEntry(entry.key, entry.value, entry.value?.bytes.length ?? 0)
        },
        onClosed: ({ error }) => lost(asError(error))
      })
    )
    try {
      do {
        count = 0
        receiver.addCredit(WINDOW)
        await Promise.race([receiver.drain(), gone])
      } while (count >= WINDOW)
    } finally {
      await receiver.close()
    }
  }

  #flush(): void {
    const link = (this.#link ??= this.#attach())
    while (link.sender !== undefined && link.sender.credit > 0) {
      const write = this.#waiting.shift()
      if (write === undefined) return
      this.#sent.add(write)
      link.sender.send(write.message, outcome => write.onOutcome(outcome))
    }
  }

  #attach(): { sender: Sender | undefined } {
    const link: { sender: Sender | undefined } = { sender: undefined }
    const end = (error: AmqpError): void => {
      if (this.#link === link) this.#link = undefined
      const lost = [...this.#sent, ...this.#waiting.splice(0)]
      this.#sent.clear()
      for (const write of lost) write.reject(error)
    }
    const open = async (): Promise<void> => {
      const connection = await this.#parts.connection()
      link.sender = await connection.openSender({
        address: this.#queue,
        kind: 'queue',
        onCredit: () => this.#flush(),
        onClosed: ({ error }) => end(asError(error))
      })
      this.#flush()
    }
    translating(open()).catch((error: unknown) =>
      end(error instanceof AmqpError ? error : asError(undefined))
    )
    return link
  }
}

function asError(error: { readonly condition: string; readonly description: string } | undefined): AmqpError {
  return new AmqpError(
    error?.condition ?? CONDITIONS.connectionForced,
    error?.description ?? 'the connection to the broker is gone'
  )
}
