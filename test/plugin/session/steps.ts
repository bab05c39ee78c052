// Random steps of a session's surroundings for model.test.ts.

import fc from 'fast-check'
import type { Qos } from '../../../plugin/mqtt/packets.js'

/** What a client, a host or a socket does next; `pick` chooses among what there is. */
export type Step =
  | { readonly do: 'publish'; readonly id: number; readonly dup: boolean; readonly qos: Qos }
  | { readonly do: 'outcome'; readonly pick: number; readonly type: 'accepted' | 'failed' }
  | {
      readonly do: 'deliver'
      readonly qos: Qos
      readonly granted: Qos
      readonly size: number
      readonly settles: boolean
    }
  | { readonly do: 'puback'; readonly pick: number }
  | { readonly do: 'socket'; readonly full: boolean }
  | { readonly do: 'subscribe' | 'unsubscribe'; readonly filters: readonly string[] }
  | { readonly do: 'answer'; readonly pick: number; readonly type: 'answered' | 'unanswered' }
  | { readonly do: 'wait'; readonly ms: number; readonly reading: boolean }
  | { readonly do: 'disconnect' | 'disconnected' | 'connect' }

const pick = fc.nat(7)
const filters = fc.array(fc.constantFrom('a', 'b/+', '$lwt', '#'), { minLength: 1, maxLength: 4 })
export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      id: fc.integer({ min: 1, max: 6 }),
      dup: fc.boolean(),
      qos: fc.constantFrom<Qos>(0, 1, 1)
    })
  },
  {
    weight: 25,
    arbitrary: fc.record({
      do: fc.constant('outcome' as const),
      pick,
      type: fc.constantFrom('accepted' as const, 'accepted', 'accepted', 'accepted', 'failed')
    })
  },
  {
    weight: 25,
    arbitrary: fc.record({
      do: fc.constant('deliver' as const),
      qos: fc.constantFrom<Qos>(0, 1, 2),
      granted: fc.constantFrom<Qos>(0, 1),
      size: fc.nat(200),
      settles: fc.boolean()
    })
  },
  { weight: 20, arbitrary: fc.record({ do: fc.constant('puback' as const), pick }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('socket' as const), full: fc.boolean() }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('subscribe' as const, 'unsubscribe'), filters }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      pick,
      type: fc.constantFrom('answered' as const, 'answered', 'unanswered')
    })
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(30_000), reading: fc.boolean() })
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('disconnect' as const, 'disconnected', 'connect') })
  }
)
