// Broken hosts that count, order or settle deliveries wrongly.

import { randomUUID } from 'node:crypto'
import type { Delivery } from '../../plugin/host.js'
import type { Mutant } from './mutant.js'

const isQueue = (address: string | undefined): address is string => address?.startsWith('$mqtt.to.') === true

export const deliveryMutants: readonly Mutant[] = [
  {
    title: 'drops every third outcome',
    hints: ['settles deliveries in any order', 'settlement'],
    mutate: () => {
      let count = 0
      return {
        deliver: (delivery, pass) => {
          const settle: Delivery['settle'] = outcome => {
            if (++count % 3 !== 0) delivery.settle(outcome)
          }
          pass({ ...delivery, settle })
        }
      }
    }
  },
  {
    title: 'gives a receiver more than its window',
    hints: ['has no more deliveries unsettled than the window of a receiver of a queue'],
    mutate: () => ({
      receiverOptions: options => (options.window > 0 ? { ...options, window: options.window + 1 } : options)
    })
  },
  {
    title: 'gives a receiver without a window deliveries that it did not ask for',
    hints: ['gives a receiver without a window only what it asked for'],
    mutate: () => ({
      receiverOptions: options => (options.window === 0 ? { ...options, window: 1 } : options)
    })
  },
  {
    title: 'puts a released message at the end of its queue',
    hints: ['delivers a released message again, ahead of later ones, with the same count and id'],
    mutate: world => ({
      deliver: (delivery, pass, { address }) => {
        const settle: Delivery['settle'] = outcome => {
          if (outcome.type !== 'released' || !isQueue(address)) return delivery.settle(outcome)
          void world.send(address, delivery.message).then(() => delivery.settle({ type: 'accepted' }))
        }
        pass({ ...delivery, settle })
      }
    })
  },
  {
    title: 'does not count failed deliveries',
    hints: ['counts a delivery that failed, and delivers it again ahead of later ones'],
    mutate: () => ({
      deliver: (delivery, pass) => pass({ ...delivery, deliveryCount: delivery.message.deliveryCount })
    })
  },
  {
    title: 'counts released deliveries as failed',
    hints: ['delivers a released message again, ahead of later ones, with the same count and id'],
    mutate: () => ({
      deliver: (delivery, pass) => {
        const settle: Delivery['settle'] = outcome =>
          delivery.settle(
            outcome.type === 'released'
              ? { type: 'modified', deliveryFailed: true, undeliverableHere: false }
              : outcome
          )
        pass({ ...delivery, settle })
      }
    })
  },
  {
    title: 'does not count deliveries of a connection that was lost',
    hints: ['counts as failed what was delivered and not settled when a connection is lost'],
    mutate: () => {
      const held = new Set<Delivery>()
      return {
        deliver: (delivery, pass) => {
          held.add(delivery)
          const settle: Delivery['settle'] = outcome => {
            held.delete(delivery)
            delivery.settle(outcome)
          }
          pass({ ...delivery, settle })
        },
        // in the order of delivery, so that only the count is wrong
        losing: () => held.forEach(delivery => delivery.settle({ type: 'released' }))
      }
    }
  },
  {
    title: 'forgets what was not settled when a receiver closes',
    hints: ['keeps what was not settled when a receiver closes, in order, with the same count and ids'],
    mutate: () => {
      const held = new Map<string | undefined, Set<Delivery>>()
      return {
        deliver: (delivery, pass, { address }) => {
          const deliveries = held.get(address) ?? new Set()
          held.set(address, deliveries.add(delivery))
          const settle: Delivery['settle'] = outcome => {
            deliveries.delete(delivery)
            delivery.settle(outcome)
          }
          pass({ ...delivery, settle })
        },
        receiver: inner => ({
          ...inner,
          close: error => {
            held.get(inner.address)?.forEach(delivery => delivery.settle({ type: 'accepted' }))
            return inner.close(error)
          }
        })
      }
    }
  },
  {
    title: 'gives a delivery another id each time',
    hints: ['keeps what was not settled when a receiver closes, in order, with the same count and ids'],
    mutate: () => ({ deliver: (delivery, pass) => pass({ ...delivery, id: randomUUID() }) })
  },
  {
    title: 'gives two messages one id',
    hints: ['gives different messages different ids, even where they are equal'],
    mutate: () => ({ deliver: (delivery, pass) => pass({ ...delivery, id: 'the same' }) })
  },
  {
    title: 'takes the later of two outcomes too',
    hints: ['takes the first outcome of a delivery and no later one', 'settlement'],
    mutate: world => ({
      deliver: (delivery, pass, { address }) => {
        let settled = false
        const settle: Delivery['settle'] = outcome => {
          if (!settled) delivery.settle(outcome)
          else if (isQueue(address) && outcome.type === 'released') void world.send(address, delivery.message)
          settled = true
        }
        pass({ ...delivery, settle })
      }
    })
  },
  {
    title: 'takes a rejected message for a released one',
    hints: ['does not deliver a rejected message again'],
    mutate: () => ({
      deliver: (delivery, pass, { kind }) => {
        const settle: Delivery['settle'] = outcome =>
          delivery.settle(outcome.type === 'rejected' && kind === 'receiver' ? { type: 'released' } : outcome)
        pass({ ...delivery, settle })
      }
    })
  },
  {
    title: 'delivers again to the receiver that said it cannot',
    hints: ['gives what is undeliverable at one receiver to another alone'],
    mutate: () => ({
      deliver: (delivery, pass) => {
        const settle: Delivery['settle'] = outcome =>
          delivery.settle(outcome.type === 'modified' ? { ...outcome, undeliverableHere: false } : outcome)
        pass({ ...delivery, settle })
      }
    })
  },
  {
    title: 'does not expire messages',
    hints: ['does not deliver a message whose ttl has passed in its queue'],
    mutate: () => ({ timeless: true })
  }
]
