// A client's replays where so many topics come live that they cannot be told from those that did not.
import assert from 'node:assert/strict'
import { ClientReplays } from '../../../plugin/gateway/client-replays.js'
import type { ClientIdentity } from '../../../plugin/gateway/client-subscriptions.js'
import type { GatewayParts } from '../../../plugin/gateway/gateway-parts.js'
import type { InboxClient } from '../../../plugin/gateway/inbox.js'
import type { LiveTopics } from '../../../plugin/gateway/live-topics.js'
import type { ReplayChannel } from '../../../plugin/gateway/replay-channels.js'
import type { Delivery } from '../../../plugin/host.js'
import { encodePublication } from '../../../plugin/messages/publish.js'
import type { SubscribeRequest } from '../../../plugin/messages/requests.js'

const TOO_MANY = (1 << 18) + 1

describe('the replays of a client', () => {
  it('are asked for again, whole, where more topics came live than it remembers', async () => {
    const asked: SubscribeRequest[] = []
    const got: string[] = []
    const taken: (() => void)[] = []
    const used: string[] = []
    let watching: LiveTopics | undefined
    const parts = {
      options: { values: { receiveMaximum: 20 } },
      inbox: {
        watch: (_client: InboxClient, live: LiveTopics) => (watching = live),
        unwatch: () => (watching = undefined),
        qosFor: () => 1,
        grantedTo: () => new Map([['#', 1]])
      },
      replays: {
        borrow: () => {
          used.push(`node ${used.length}`)
          return Promise.resolve({ address: used.at(-1), allow: () => undefined })
        },
        discard: ({ address }: ReplayChannel) => used.push(`closed ${address}`)
      },
      requests: {
        attached: true,
        resume: (request: SubscribeRequest) => {
          asked.push(request)
          return Promise.resolve({ type: 'accepted' })
        }
      }
    } as unknown as GatewayParts
    const client: InboxClient = {
      deliver: ({ topic }, _qos, settle = assert.fail) => {
        got.push(topic)
        taken.push(settle)
        return true
      },
      sourceLost: assert.fail
    }
    const identity = { clientId: 'c', connection: 'x', principal: { name: 'u' } } as unknown as ClientIdentity
    let turn: Promise<void> = Promise.resolve()
    const replays = new ClientReplays(parts, client, identity, act => (turn = turn.then(act)))
    const copy = (topic: string): void => {
      const publication = { topic, payload: Buffer.alloc(0), qos: 1, retain: true, dup: false } as const
      replays.onDelivery({
        message: encodePublication(publication),
        settle: () => undefined
      } as unknown as Delivery)
    }
    replays.granted(await replays.begin(), ['#'])
    replays.release()
    copy('first')
    watching?.add('live')
    copy('live')
    for (let index = 0; index < TOO_MANY; index++) watching?.add(`t/${index}`)
    copy('last')
    await turn
    assert.deepEqual(got, ['first'])
    // it waits until the client has taken what it got
    assert.deepEqual([asked.length, used], [0, ['node 0', 'closed node 0']])
    for (const settle of taken) settle()
    await turn
    assert.deepEqual(
      asked.map(({ filters, replayTo }) => [[...filters], replayTo]),
      [[[['#', 1]], 'node 2']]
    )
    for (const topic of ['first', 'live', 'last']) copy(topic)
    assert.deepEqual(got, ['first', 'first', 'live', 'last'])
  })
})
