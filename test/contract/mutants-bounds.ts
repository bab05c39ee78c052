// Broken hosts that keep the bounds of queues wrongly.

import type { QueueLimits } from '../../plugin/host.js'
import type { Mutant } from './mutant.js'
import { throughQueues, throughSending } from './through.js'

export const boundMutants: readonly Mutant[] = [
  {
    title: 'rejects a message where a queue is full',
    hints: ['drops over the bound of a queue what is sent to the queue itself, durable or not'],
    mutate: world => ({
      sender: (inner, { address = '' }) =>
        throughSending(inner, (message, onOutcome, options) => {
          const { queues } = world.fixture.space
          const before = queues.dropped(address)
          inner.send(
            message,
            outcome => {
              const full = { condition: 'amqp:resource-limit-exceeded', description: 'the queue is full' }
              void Promise.all([before, queues.dropped(address)]).then(([was, is]) =>
                onOutcome?.(is > was ? { type: 'rejected', ...full } : outcome)
              )
            },
            options
          )
        })
    })
  },
  {
    title: 'has no bound for a queue that is made later',
    hints: ['has the bound of a prefix for a queue that is made later, and for one that is made again'],
    mutate: () => ({
      queues: inner => ({
        ...throughQueues(inner),
        create: async name => {
          await inner.create(name)
          await inner.limit(name, { maxMessages: 1e12, maxBytes: 1e12 })
        }
      })
    })
  },
  {
    title: 'bounds all queues as one of them is',
    hints: ['drops the newest over the bound of messages of a queue from that queue alone, and accepts it'],
    mutate: () => ({
      queues: inner => ({
        ...throughQueues(inner),
        limit: (_prefix, limits) => inner.limit('$mqtt.', limits)
      })
    })
  },
  {
    title: 'counts messages and no bytes',
    hints: ['drops over the bound of bytes of a queue what is too large, and takes what has room'],
    mutate: () => ({
      queues: inner => ({
        ...throughQueues(inner),
        limit: (prefix, { maxMessages }) => inner.limit(prefix, { maxMessages, maxBytes: 1e12 })
      })
    })
  },
  {
    title: 'takes away what is over a bound that was lowered',
    hints: ['leaves what is in a queue over a bound that was lowered'],
    mutate: world => {
      const former = new Map<string, QueueLimits>()
      return {
        queues: inner => ({
          ...throughQueues(inner),
          limit: async (prefix, limits) => {
            await inner.limit(prefix, limits)
            const over = (former.get(prefix)?.maxMessages ?? 0) - limits.maxMessages
            former.set(prefix, limits)
            if (over <= 0) return
            const connection = await world.fixture.space.connect('service')
            const receiver = await connection.openReceiver({
              address: prefix,
              window: 0,
              onDelivery: delivery => delivery.settle({ type: 'accepted' })
            })
            receiver.addCredit(over)
            await receiver.drain()
            await connection.close()
          }
        })
      }
    }
  },
  {
    title: 'does not count what a queue had before a restart',
    hints: ['counts what a queue had before a restart towards its bounds'],
    mutate: () => {
      let restarted = false
      return {
        restarted: async () => void (restarted = true),
        queues: inner => ({
          ...throughQueues(inner),
          limit: (prefix, { maxMessages, maxBytes }) =>
            inner.limit(prefix, { maxMessages: restarted ? maxMessages + 3 : maxMessages, maxBytes })
        })
      }
    }
  },
  {
    title: 'says that nobody receives from a queue with a receiver without credit',
    hints: ['names the queues with a prefix that nobody receives from'],
    mutate: () => ({
      queues: inner => ({ ...throughQueues(inner), unattended: prefix => inner.list(prefix) })
    })
  },
  {
    title: 'forgets what was dropped from a queue that is deleted',
    hints: ['has the bound of a prefix for a queue that is made later, and for one that is made again'],
    mutate: () => {
      let forgotten = 0
      return {
        queues: inner => ({
          ...throughQueues(inner),
          delete: async name => {
            const before = await inner.dropped(name)
            await inner.delete(name)
            forgotten += before
          },
          dropped: async prefix => Math.max(0, (await inner.dropped(prefix)) - forgotten)
        })
      }
    }
  }
]
