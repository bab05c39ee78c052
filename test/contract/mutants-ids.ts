// Broken hosts that take a message twice, or another one for it.

import type { Message, Outcome, SendOptions } from '../../plugin/host.js'
import type { Mutant } from './mutant.js'
import { throughSending } from './through.js'

const ACCEPTED: Outcome = { type: 'accepted' }
const PROPERTY = '_AMQ_DUPL_ID'

const idOf = (message: Message, options: SendOptions | undefined): string | undefined => {
  const id = options?.dedupId ?? message.applicationProperties.get(PROPERTY)
  return id instanceof Uint8Array ? Buffer.from(id).toString('hex') : typeof id === 'string' ? id : undefined
}

/** The message under another id, or none. */
const renamed = (options: SendOptions | undefined, mark: number): SendOptions | undefined =>
  options?.dedupId && { dedupId: Buffer.concat([options.dedupId, Buffer.of(mark)]) }

export const idMutants: readonly Mutant[] = [
  {
    title: 'forgets dedup ids in a restart',
    hints: ['takes a message with a dedup id once, also over a restart'],
    mutate: () => {
      let starts = 0
      return {
        restarted: async () => void starts++,
        sender: inner =>
          throughSending(inner, (message, onOutcome, options) =>
            inner.send(message, onOutcome, renamed(options, starts))
          )
      }
    }
  },
  {
    title: 'knows no dedup ids at all',
    hints: ['takes a message with a dedup id once, also over a restart'],
    mutate: () => ({
      sender: inner => throughSending(inner, (message, onOutcome) => inner.send(message, onOutcome))
    })
  },
  {
    title: 'knows dedup ids by link',
    hints: ['takes a publication with a dedup id once, for subscriptions and queues, by any link'],
    mutate: () => {
      let links = 0
      return {
        sender: inner => {
          const link = ++links
          return throughSending(inner, (message, onOutcome, options) =>
            inner.send(message, onOutcome, renamed(options, link))
          )
        }
      }
    }
  },
  {
    title: 'takes a dedup id once for all addresses',
    hints: ['takes a dedup id again at another address, and copies of a route whatever their ids are'],
    mutate: () => {
      const taken = new Map<string, string>()
      return {
        sender: (inner, { address = '' }) =>
          throughSending(inner, (message, onOutcome, options) => {
            const id = options?.dedupId && idOf(message, options)
            if (id === undefined) return inner.send(message, onOutcome, options)
            const first = taken.get(id) ?? address
            taken.set(id, first)
            if (first === address) inner.send(message, onOutcome, options)
            else onOutcome?.(ACCEPTED)
          })
      }
    }
  },
  {
    title: 'takes the property of what the plugin hands on for an id',
    hints: ['takes no property of what the plugin sends for an id: it may hand on what was taken before'],
    mutate: () => ({
      sender: inner =>
        throughSending(inner, (message, onOutcome, options) => {
          const id = idOf(message, options)
          inner.send(message, onOutcome, id === undefined ? undefined : { dedupId: Buffer.from(id) })
        })
    })
  },
  {
    title: 'accepts a duplicate before the first is safe',
    hints: ['accepts a duplicate that comes behind the first only when the first is safe'],
    mutate: () => {
      const taken = new Set<string>()
      return {
        sender: (inner, { address = '' }) =>
          throughSending(inner, (message, onOutcome, options) => {
            const id = options?.dedupId && `${address} ${idOf(message, options)}`
            if (id !== undefined && taken.has(id)) return onOutcome?.(ACCEPTED)
            if (id !== undefined) taken.add(id)
            inner.send(message, onOutcome, options)
          })
      }
    }
  },
  {
    title: 'has taken the id of a message that it rejects',
    hints: ['has not taken the id of a message that it refused'],
    mutate: () => {
      const refused = new Set<string>()
      return {
        sender: inner =>
          throughSending(inner, (message, onOutcome, options) => {
            const id = idOf(message, options)
            if (id !== undefined && refused.has(id)) return onOutcome?.(ACCEPTED)
            const told = (outcome: Outcome): void => {
              if (id !== undefined && outcome.type === 'rejected') refused.add(id)
              onOutcome?.(outcome)
            }
            inner.send(message, told, options)
          })
      }
    }
  },
  {
    title: 'takes the property with the id out of the message',
    hints: [
      'takes the property _AMQ_DUPL_ID of a client for an id, a string or binary, and leaves it where it is'
    ],
    mutate: () => ({
      deliver: (delivery, pass) => {
        const { message } = delivery
        const applicationProperties = new Map(message.applicationProperties)
        if (!applicationProperties.delete(PROPERTY)) return pass(delivery)
        const { durable, priority, ttlMs, deliveryCount, annotations, properties, body } = message
        const fields = { durable, priority, ttlMs, deliveryCount, annotations, properties, body }
        pass({ ...delivery, message: { ...fields, applicationProperties } })
      }
    })
  },
  {
    title: 'rejects a duplicate',
    hints: ['takes a message with a dedup id once, also over a restart'],
    mutate: () => {
      const taken = new Set<string>()
      return {
        sender: (inner, { address = '' }) =>
          throughSending(inner, (message, onOutcome, options) => {
            const id = options?.dedupId && `${address} ${idOf(message, options)}`
            const again = id !== undefined && taken.has(id)
            if (id !== undefined) taken.add(id)
            const refusal = { condition: 'amqp:not-allowed', description: 'taken before' }
            inner.send(
              message,
              outcome => onOutcome?.(again ? { type: 'rejected', ...refusal } : outcome),
              options
            )
          })
      }
    }
  }
]
