// Broken hosts that keep queues, routes, stores and accepted messages wrongly.

import type { Message, Route } from '../../plugin/host.js'
import { matches } from '../../plugin/mqtt/topic.js'
import type { Mutant } from './mutant.js'
import { throughQueues, throughRoutes, throughSending, throughStore } from './through.js'

export const stateMutants: readonly Mutant[] = [
  {
    title: 'accepts before the message is safe',
    hints: ['has a durable message of a queue on disk when it is accepted', 'durability'],
    mutate: () => ({
      sender: inner => {
        const late: (() => void)[] = []
        let credit = 1000
        return {
          ...inner,
          get credit() {
            return credit
          },
          send: (message, onOutcome, options) => {
            credit--
            onOutcome?.({ type: 'accepted' })
            late.push(() => {
              credit++
              // the case may be over
              if (inner.credit > 0) inner.send(message, undefined, options)
            })
            setTimeout(() => late.shift()?.(), 5)
          },
          close: async error => {
            while (late.length > 0) late.shift()?.()
            await inner.close(error)
          }
        }
      }
    })
  },
  {
    title: 'forgets in a crash what was delivered',
    hints: ['counts a delivery that a crash cut off, and none of what was not delivered'],
    mutate: () => {
      let restarted = false
      return {
        restarted: async () => void (restarted = true),
        deliver: (delivery, pass) => {
          const { deliveryCount } = delivery.message
          const settle: typeof delivery.settle = outcome => delivery.settle(outcome)
          pass(restarted ? { ...delivery, deliveryCount, settle } : delivery)
        }
      }
    }
  },
  {
    title: 'forgets a route on restart',
    hints: ['keeps routes over a restart, and copies over them at once'],
    mutate: () => ({
      restarted: async space => {
        const [first] = await space.routes.list()
        if (first) await space.routes.remove(first)
      }
    })
  },
  {
    title: 'forgets an empty queue on restart',
    hints: ['knows its queues after a restart'],
    mutate: () => ({
      restarted: async space => {
        for (const queue of await space.queues.list('$mqtt.to.')) {
          const connection = await space.connect('service')
          let found = false
          const receiver = await connection.openReceiver({
            address: queue,
            window: 0,
            onDelivery: () => (found = true)
          })
          receiver.addCredit(1)
          await receiver.drain()
          await connection.close()
          if (!found) await space.queues.delete(queue)
        }
      }
    })
  },
  {
    title: 'copies over a route that was removed',
    hints: ['copies nothing more over a route that was removed'],
    mutate: world => {
      const removed: Route[] = []
      return {
        routes: inner => ({
          ...throughRoutes(inner),
          remove: route => {
            removed.push(route)
            return inner.remove(route)
          }
        }),
        sender: (inner, { address = '' }) =>
          throughSending(inner, (message, onOutcome, options) => {
            const old = removed.filter(({ filter }) => matches(filter, address))
            const copies = Promise.all(old.map(({ queue }) => world.send(queue, message)))
            inner.send(message, outcome => void copies.then(() => onOutcome?.(outcome)), options)
          })
      }
    }
  },
  {
    title: 'drops the other filters of a queue with the one that is removed',
    hints: ['keeps the other filters of a queue, and other queues, when a route is removed'],
    mutate: () => ({
      routes: inner => ({
        ...throughRoutes(inner),
        remove: async route => {
          for (const each of await inner.list(route.queue)) await inner.remove(each)
        }
      })
    })
  },
  {
    title: 'makes a route to a queue that is not there',
    hints: ['refuses a route to a queue that is not there'],
    mutate: () => ({
      routes: inner => ({ ...throughRoutes(inner), add: route => inner.add(route).catch(() => undefined) })
    })
  },
  {
    title: 'copies what is not retained over a route for what is',
    hints: ['copies over a route for retained messages only what has the annotation true'],
    mutate: () => ({
      routes: inner => ({
        ...throughRoutes(inner),
        add: async ({ filter, queue, only }) => {
          await inner.add({ filter, queue, only })
          if (only !== undefined) await inner.add({ filter, queue })
        },
        list: async queue => (await inner.list(queue)).filter(({ only }) => only !== undefined)
      })
    })
  },
  {
    title: 'removes the route for retained messages with the other one of its filter',
    hints: ['has a route for retained messages beside one with the same filter, and removes one alone'],
    mutate: () => ({
      routes: inner => ({
        ...throughRoutes(inner),
        remove: async ({ filter, queue }) => {
          await inner.remove({ filter, queue })
          await inner.remove({ filter, queue, only: 'retained' })
        }
      })
    })
  },
  {
    title: 'routes only what is durable',
    hints: ['copies publications to a queue that nobody consumes, durable or not'],
    mutate: () => ({
      deliver: (delivery, pass, { address }) => {
        if (delivery.message.durable || address?.startsWith('$mqtt.to.') !== true) pass(delivery)
        else delivery.settle({ type: 'accepted' })
      }
    })
  },
  {
    title: 'empties a queue that is created again',
    hints: ['changes nothing when a queue is created that is there'],
    mutate: () => ({
      queues: inner => ({
        ...throughQueues(inner),
        create: async name => {
          await inner.delete(name)
          await inner.create(name)
        }
      })
    })
  },
  {
    title: 'lists queues of other prefixes',
    hints: ['lists the queues whose names start with a prefix'],
    mutate: () => ({
      queues: inner => ({ ...throughQueues(inner), list: () => inner.list('') })
    })
  },
  {
    title: 'reads the value before the last from a store',
    hints: ['keeps the last value of a key', 'stores'],
    mutate: () => {
      const former = new Map<string, Message>()
      return {
        store: inner => ({
          ...throughStore(inner),
          put: async (key, value) => {
            const old = await inner.get(key)
            if (old) former.set(key, old)
            await inner.put(key, value)
          },
          get: async key => former.get(key) ?? (await inner.get(key))
        })
      }
    }
  },
  {
    title: 'does not delete from a store',
    hints: ['forgets a key that is deleted, and takes it again'],
    mutate: () => ({ store: inner => ({ ...throughStore(inner), delete: async () => undefined }) })
  },
  {
    title: 'writes to a store later than it says',
    hints: ['has made a write durable when it resolves'],
    mutate: () => ({
      store: inner => {
        const late = new Map<string, Message>()
        return {
          ...throughStore(inner),
          put: async (key, value) => {
            late.set(key, value)
            setTimeout(() => void inner.put(key, value).catch(() => undefined), 2)
          },
          get: async key => late.get(key) ?? (await inner.get(key))
        }
      }
    })
  },
  {
    title: 'mixes writes to one key that are under way at once',
    hints: ['keeps the order of writes to one key that are under way at once'],
    mutate: () => {
      let count = 0
      return {
        store: inner => ({
          ...throughStore(inner),
          put: async (key, value) => {
            if (++count % 7 === 0) await new Promise(resolve => setImmediate(resolve))
            await inner.put(key, value)
          }
        })
      }
    }
  },
  {
    title: 'reads the entries of a store in the order of UTF-16',
    hints: ['reads the entries with a prefix, in the order of the bytes of their keys'],
    mutate: () => ({
      store: inner => ({
        ...throughStore(inner),
        entries: async function* (prefix) {
          const entries = []
          for await (const entry of inner.entries(prefix)) entries.push(entry)
          yield* entries.sort(([a], [b]) => (a < b ? -1 : 1))
        }
      })
    })
  },
  {
    title: 'reads all entries of a store whatever the prefix',
    hints: ['reads the entries with a prefix, in the order of the bytes of their keys'],
    mutate: () => ({ store: inner => ({ ...throughStore(inner), entries: () => inner.entries() }) })
  },
  {
    title: 'reads a key again after which it was to go on',
    hints: ['reads on after a key, of a value or of none, within the prefix'],
    mutate: () => ({
      store: inner => ({
        ...throughStore(inner),
        entries: async function* (prefix, after) {
          const value = after?.startsWith(prefix ?? '') === true ? await inner.get(after) : undefined
          if (after !== undefined && value !== undefined) yield [after, value]
          yield* inner.entries(prefix, after)
        }
      })
    })
  },
  {
    title: 'has one store for all names',
    hints: ['keeps stores of different names apart, and opens the same one each time'],
    mutate: () => ({ space: inner => ({ ...inner, store: () => inner.store('all') }) })
  }
]
