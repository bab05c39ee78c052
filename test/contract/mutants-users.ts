// Broken hosts that let users do what they may not.

import type { AmqpConnection, Outcome } from '../../plugin/host.js'
import type { Mutant } from './mutant.js'
import { throughSending } from './through.js'
import type { World } from './through.js'

/** A connection that opens as the plugin itself the links for which `lent` says so. */
const lending = (
  world: World,
  inner: AmqpConnection,
  lent: (address: string | undefined, kind: 'sender' | 'receiver') => boolean
): AmqpConnection => ({
  openSender: async options =>
    lent(options.address, 'sender')
      ? (await world.fixture.space.connect('service')).openSender(options)
      : inner.openSender(options),
  openReceiver: async options =>
    lent(options.address, 'receiver')
      ? (await world.fixture.space.connect('service')).openReceiver(options)
      : inner.openReceiver(options),
  close: () => inner.close()
})

const isClientQueue = (address: string | undefined): boolean => address?.startsWith('$mqtt.to.') === true

export const userMutants: readonly Mutant[] = [
  {
    title: 'does not ask for rights on a relay',
    hints: ['rejects over a sender without address what its user may not send, and takes the rest'],
    mutate: world => ({
      connection: inner =>
        lending(world, inner, (address, kind) => kind === 'sender' && address === undefined)
    })
  },
  {
    title: 'does not ask for rights of a sender to a topic',
    hints: ['refuses a sender to a topic that its user may not send to'],
    mutate: world => ({
      connection: inner =>
        lending(world, inner, (address, kind) => kind === 'sender' && address?.startsWith('$') === false)
    })
  },
  {
    title: 'does not ask for rights of a subscription',
    hints: ['refuses a receiver that would get more than its user may receive'],
    mutate: world => ({
      connection: inner =>
        lending(world, inner, (address, kind) => kind === 'receiver' && address?.startsWith('$') === false)
    })
  },
  {
    title: "lets every user read every client's queue",
    hints: ['gives the queue of a client to users who may use the client, and to nobody else'],
    mutate: world => ({
      connection: inner =>
        lending(world, inner, (address, kind) => kind === 'receiver' && isClientQueue(address))
    })
  },
  {
    title: "lets every user send into every client's queue",
    hints: ['lets no user send into the queue of a client that it may not use'],
    mutate: world => ({
      connection: inner =>
        lending(world, inner, (address, kind) => kind === 'sender' && isClientQueue(address))
    })
  },
  {
    title: 'accepts over a relay what nobody is there for',
    hints: ['rejects a message without a known `to` over a sender without address, and takes the next'],
    mutate: () => ({
      sender: (inner, { address }) =>
        address === undefined
          ? throughSending(inner, (message, onOutcome, options) =>
              inner.send(message, () => onOutcome?.({ type: 'accepted' }), options)
            )
          : inner
    })
  },
  {
    title: 'refuses all of a relay after one message without rights',
    hints: ['rejects over a sender without address what its user may not send, and takes the rest'],
    mutate: () => ({
      sender: inner => {
        let refusal: Outcome | undefined
        return throughSending(inner, (message, onOutcome, options) => {
          if (refusal) return onOutcome?.(refusal)
          inner.send(
            message,
            outcome => {
              if (outcome.type === 'rejected') refusal ??= outcome
              onOutcome?.(outcome)
            },
            options
          )
        })
      }
    })
  },
  {
    title: 'lets everyone in who knows a name',
    hints: ['refuses wrong passwords and unknown names'],
    mutate: world => ({
      space: inner => ({
        ...inner,
        authenticate: credentials => {
          const users = Object.values(world.fixture.users)
          const known = users.find(
            ({ name }) => credentials.mechanism === 'PLAIN' && credentials.username === name
          )
          return inner.authenticate(known?.credentials ?? credentials)
        }
      })
    })
  },
  {
    title: 'serves users as the plugin itself',
    hints: ['tells the server the name, the address and the user of a link'],
    mutate: () => ({ served: inner => ({ ...inner, user: 'service' }) })
  }
]
