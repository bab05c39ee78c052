// Broken hosts that change messages, or bring them to the wrong receivers, twice or not at all.

import type { AmqpValue, Delivery, Message } from '../../plugin/host.js'
import { matches } from '../../plugin/mqtt/topic.js'
import type { Mutant } from './mutant.js'
import { throughSending } from './through.js'

const withMessage = (delivery: Delivery, message: Message): Delivery => ({
  ...delivery,
  message,
  settle: outcome => delivery.settle(outcome)
})

/** The message's fields without what backs them. */
function copied(message: Message): Message {
  const { durable, priority, ttlMs, deliveryCount, annotations, properties, applicationProperties, body } =
    message
  return { durable, priority, ttlMs, deliveryCount, annotations, properties, applicationProperties, body }
}

export const messageMutants: readonly Mutant[] = [
  {
    title: 'does not match the level of # itself',
    hints: ['matches the level of # and all below it [MQTT3-4.7.1-2]'],
    mutate: () => ({
      deliver: (delivery, pass, { address = '' }) => {
        const { annotations } = delivery.message
        if (annotations.get('x-opt-ORIG-ADDRESS') === address.slice(0, -2))
          delivery.settle({ type: 'accepted' })
        else pass(delivery)
      }
    })
  },
  {
    title: 'delivers a publication once for each route of a queue that matches',
    hints: ['gives a queue one copy of a publication that several of its filters match'],
    mutate: world => ({
      sender: (inner, { address = '' }) =>
        throughSending(inner, (message, onOutcome, options) => {
          const copies = world.fixture.space.routes.list().then(async routes => {
            const matching = routes.filter(({ filter }) => matches(filter, address)).map(({ queue }) => queue)
            const twice = matching.filter((queue, i) => matching.indexOf(queue) !== i)
            for (const queue of twice) await world.send(queue, message)
          })
          inner.send(message, outcome => void copies.then(() => onOutcome?.(outcome)), options)
        })
    })
  },
  {
    title: 'swaps neighbours when a receiver has room for several',
    hints: ['keeps the order of a publisher'],
    mutate: () => {
      let kept: (() => void) | undefined
      let count = 0
      return {
        deliver: (delivery, pass) => {
          if (++count === 3) {
            kept = () => pass(delivery)
            return
          }
          pass(delivery)
          kept?.()
          kept = undefined
        }
      }
    }
  },
  {
    title: 'encodes anew what it relays',
    hints: ['passes the received bytes of every AMQP type on, to a subscription and through a queue'],
    mutate: () => ({
      deliver: (delivery, pass) => pass(withMessage(delivery, copied(delivery.message)))
    })
  },
  {
    title: 'loses an application property with a dangerous name',
    hints: ['brings every kind of message to a subscription unchanged'],
    mutate: () => ({
      deliver: (delivery, pass) => {
        const { message } = delivery
        const entries: Record<string, AmqpValue> = {}
        for (const [name, value] of message.applicationProperties) entries[name] = value
        const applicationProperties = new Map(Object.entries(entries))
        pass(withMessage(delivery, { ...copied(message), applicationProperties }))
      }
    })
  },
  {
    title: 'joins the data sections of a body',
    hints: ['brings every kind of message through a queue unchanged'],
    mutate: () => ({
      deliver: (delivery, pass) => {
        const { message } = delivery
        const { body } = message
        if (body.type !== 'data') return pass(delivery)
        pass(
          withMessage(delivery, {
            ...copied(message),
            body: { type: 'data', sections: [Buffer.concat(body.sections)] }
          })
        )
      }
    })
  },
  {
    title: 'does not tell the topic of what came by a wildcard',
    hints: ['tells the topic of a publication that came by a wildcard and has no `to`'],
    mutate: () => ({
      deliver: (delivery, pass) => {
        const { message } = delivery
        const annotations = new Map(message.annotations)
        annotations.delete('x-opt-ORIG-ADDRESS')
        pass(withMessage(delivery, { ...copied(message), annotations }))
      }
    })
  },
  {
    title: 'gives # what was sent to an address that starts with $',
    hints: ['keeps addresses that start with $ from filters that start with a wildcard [MQTT3-4.7.2-1]'],
    mutate: () => {
      const everything: ((delivery: Delivery) => void)[] = []
      return {
        receiver: (inner, options) => {
          if (options.address === '#') everything.push(options.onDelivery)
          return inner
        },
        sender: (inner, { address }) =>
          throughSending(inner, (message, onOutcome, options) => {
            inner.send(message, onOutcome, options)
            if (address?.startsWith('$') !== true) return
            const settle = (): void => undefined
            for (const give of everything) give({ message, id: undefined, deliveryCount: 0, settle })
          })
      }
    }
  },
  {
    title: 'gives a source every fifth publication twice',
    hints: ['gives each of several sources each publication once'],
    mutate: () => {
      let count = 0
      return {
        deliver: (delivery, pass, { kind }) => {
          pass(delivery)
          if (kind === 'source' && ++count % 5 === 0) pass(delivery)
        }
      }
    }
  },
  {
    title: 'forgets what a source that closes has not delivered yet',
    hints: ['has delivered what waited for a slow reader when the close of a source resolves', 'sources'],
    mutate: () => {
      let closing = false
      return {
        deliver: (delivery, pass, { kind }) => {
          if (closing && kind === 'source') delivery.settle({ type: 'accepted' })
          else if (kind === 'source') setImmediate(() => (closing ? undefined : pass(delivery)))
          else pass(delivery)
        },
        source: inner => ({
          close: () => {
            closing = true
            return inner.close()
          }
        })
      }
    }
  }
]
