// Broken hosts that open, credit or end links wrongly.

import { AmqpError } from '../../plugin/errors.js'
import type { Outcome, Sender } from '../../plugin/host.js'
import { decodeClientAddress } from '../../plugin/messages/addresses.js'
import type { Mutant } from './mutant.js'
import { throughQueues, throughSending } from './through.js'

export const linkMutants: readonly Mutant[] = [
  {
    title: 'takes messages without credit',
    hints: ['takes no message without credit, says so with a RangeError, and gives credit again'],
    mutate: () => ({
      sender: inner =>
        throughSending(inner, (message, onOutcome, options) => {
          if (inner.credit > 0) inner.send(message, onOutcome, options)
          else onOutcome?.({ type: 'released' })
        })
    })
  },
  {
    title: 'never runs out of credit',
    hints: ['takes no message without credit, says so with a RangeError, and gives credit again'],
    mutate: () => ({
      sender: inner => {
        const waiting: (() => void)[] = []
        const send: Sender['send'] = (message, onOutcome, options) => {
          if (inner.credit === 0) return void waiting.push(() => send(message, onOutcome, options))
          const flush = (outcome: Outcome): void => {
            onOutcome?.(outcome)
            while (inner.credit > 0 && waiting.length > 0) waiting.shift()?.()
          }
          inner.send(message, flush, options)
        }
        return { ...inner, credit: 1000, send }
      }
    })
  },
  {
    title: 'answers a drain before it has delivered',
    hints: ['has delivered all that was there when drain resolves'],
    mutate: () => ({
      deliver: (delivery, pass) => setImmediate(() => pass(delivery)),
      receiver: inner => ({ ...inner, drain: async () => void inner.drain() })
    })
  },
  {
    title: 'leaves the credit of a drain with its receiver',
    hints: ['takes back the credit that a drain left'],
    mutate: () => ({
      receiver: inner => ({ ...inner, drain: () => inner.drain().then(() => inner.addCredit(1)) })
    })
  },
  {
    title: 'lets others in beside an exclusive consumer',
    hints: ['keeps others out while there is an exclusive consumer, and lets them in when it closed'],
    mutate: () => ({ receiverOptions: options => ({ ...options, exclusive: false }) })
  },
  {
    title: 'lets a browser take what it reads',
    hints: ['shows a browser what is there, in order, and leaves it'],
    mutate: () => ({ receiverOptions: options => ({ ...options, browse: false }) })
  },
  {
    title: 'does not close consumers on request',
    hints: ['closes the consumers of a queue on request; what they held is there for the next, in order'],
    mutate: () => ({ queues: inner => ({ ...throughQueues(inner), closeConsumers: async () => undefined }) })
  },
  {
    title: 'does not tell consumers why a queue is gone',
    hints: ['closes the consumers of a queue that is deleted'],
    mutate: () => ({
      receiverOptions: options => ({
        ...options,
        onClosed: closed => options.onClosed?.({ cause: closed.cause === 'error' ? 'clean' : closed.cause })
      })
    })
  },
  {
    title: 'tells a receiver that its link ended though it closed it itself',
    hints: ['tells a link nothing that this side closed, even when its connection is lost later', 'links'],
    mutate: () => ({
      receiver: (inner, { onClosed }) => ({
        ...inner,
        close: error => inner.close(error).then(() => onClosed?.({ cause: 'clean' }))
      })
    })
  },
  {
    title: 'names links as it likes',
    hints: ['gives a link the name that was asked for, and makes one up where none was'],
    mutate: () => ({ receiver: inner => ({ ...inner, name: 'a link' }) })
  },
  {
    title: 'keeps a reply node after its receiver closed',
    hints: ['forgets a reply node when its receiver closes or its connection is lost'],
    mutate: () => ({
      receiver: (inner, { address }) =>
        address === undefined ? { ...inner, close: async () => undefined } : inner
    })
  },
  {
    title: 'has no control address for an id that is not encoded',
    hints: ['has the control addresses of clients whose ids others wrote into them as they are'],
    mutate: () => ({
      connection: inner => ({
        openSender: options => inner.openSender(options),
        openReceiver: async options => {
          const { address = '' } = options
          if (address.startsWith('$mqtt.to.') && decodeClientAddress(address) === undefined)
            throw new AmqpError('amqp:not-found', `there is no ${address}`)
          return inner.openReceiver(options)
        },
        close: () => inner.close()
      })
    })
  },
  {
    title: 'subscribes where a queue was asked for',
    hints: ['refuses a topic where a queue was asked for'],
    mutate: () => ({ receiverOptions: options => ({ ...options, kind: undefined }) })
  }
]
