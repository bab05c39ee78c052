// Broken hosts that get the addresses wrong that the plugin serves.

import { AmqpError } from '../../plugin/errors.js'
import type { Closeable, Outcome } from '../../plugin/host.js'
import type { Mutant } from './mutant.js'
import { throughSending } from './through.js'

export const servedMutants: readonly Mutant[] = [
  {
    title: 'accepts to the sender whatever the server says',
    hints: ['delivers to the server in order, and brings each outcome to the sender'],
    mutate: () => ({
      deliver: (delivery, pass, { kind }) => {
        if (kind !== 'served') return pass(delivery)
        pass({ ...delivery, settle: () => delivery.settle({ type: 'accepted' }) })
      }
    })
  },
  {
    title: 'loses the info of a rejection',
    hints: ['brings the info of a rejection to the sender'],
    mutate: () => ({
      sender: inner =>
        throughSending(inner, (message, onOutcome, options) => {
          const passOn = (outcome: Outcome): void =>
            onOutcome?.(outcome.type === 'rejected' ? { ...outcome, info: undefined } : outcome)
          inner.send(message, passOn, options)
        })
    })
  },
  {
    title: 'opens a link that its server refused',
    hints: ['fails the attach that the server refuses, with its error'],
    mutate: () => ({
      served: inner => ({
        ...inner,
        close: error => {
          try {
            inner.accept({ window: 1, onDelivery: () => undefined, onClosed: () => undefined })
          } finally {
            queueMicrotask(() => inner.close(error))
          }
        }
      })
    })
  },
  {
    title: 'tells a server of a lost link as of a clean detach',
    hints: ['tells the server of a lost link, and of no other'],
    mutate: () => ({
      served: inner => ({
        ...inner,
        accept: handlers =>
          inner.accept({ ...handlers, onClosed: () => handlers.onClosed({ cause: 'clean' }) })
      })
    })
  },
  {
    title: 'does not tell the server the error of a detach',
    hints: ['tells the server of a detach with error, and which'],
    mutate: () => ({
      served: inner => ({
        ...inner,
        accept: handlers =>
          inner.accept({
            ...handlers,
            onClosed: ({ cause }) => handlers.onClosed({ cause: cause === 'error' ? 'clean' : cause })
          })
      })
    })
  },
  {
    title: 'lets two serve one address',
    hints: ['lets one serve an address at a time, and another after it'],
    mutate: () => ({
      space: inner => ({
        ...inner,
        serve: async (address, onLink): Promise<Closeable> => {
          try {
            return await inner.serve(address, onLink)
          } catch (error) {
            if (error instanceof AmqpError) return { close: async () => undefined }
            throw error
          }
        }
      })
    })
  },
  {
    title: 'keeps serving an address after its server went',
    hints: ['knows no served address before it is served, nor after', 'served-links'],
    mutate: () => ({
      space: inner => ({
        ...inner,
        serve: async (address, onLink) => {
          await inner.serve(address, onLink)
          return { close: async () => undefined }
        }
      })
    })
  }
]
