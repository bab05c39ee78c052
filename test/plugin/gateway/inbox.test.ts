// The inbox: who gets which publication, how often and at which QoS, whatever filters overlap.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { AmqpError } from '../../../plugin/errors.js'
import { Inbox, type InboxClient } from '../../../plugin/gateway/inbox.js'
import type { AddressSpace, Delivery, Logger, SourceOptions } from '../../../plugin/host.js'
import { encodePublication } from '../../../plugin/messages/publish.js'
import type { Publication } from '../../../plugin/messages/publication.js'
import type { Qos } from '../../../plugin/mqtt/packets.js'
import { matches } from '../../../plugin/mqtt/topic.js'

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined
}

/** A host that has sources and nothing else. */
class Sources {
  readonly open = new Map<string, SourceOptions>()
  opened = 0
  settled = 0
  refuse = false
  gone = false

  readonly space = {
    source: (filter: string, options: SourceOptions) => {
      if (this.gone) return Promise.reject(new AmqpError('amqp:connection:forced', 'gone'))
      if (this.refuse) return Promise.reject(new AmqpError('amqp:not-allowed', 'no'))
      this.opened += 1
      this.open.set(filter, options)
      return Promise.resolve({
        close: () => {
          if (this.open.get(filter) === options) this.open.delete(filter)
          return Promise.resolve()
        }
      })
    }
  } as unknown as AddressSpace

  publish(topic: string, qos: Qos = 1): void {
    const publication: Publication = { topic, payload: Buffer.from(topic), qos, retain: false, dup: false }
    for (const [filter, { onDelivery }] of [...this.open]) {
      if (!matches(filter, topic)) continue
      const delivery: Delivery = {
        message: encodePublication(publication),
        id: undefined,
        deliveryCount: 0,
        settle: () => (this.settled += 1)
      }
      onDelivery(delivery)
    }
  }
}

class Client implements InboxClient {
  readonly got: string[] = []
  readonly lost: string[] = []

  deliver({ topic }: Publication, grantedQos: Qos): boolean {
    this.got.push(`${topic}@${grantedQos}`)
    return true
  }

  sourceLost(filter: string): void {
    this.lost.push(filter)
  }
}

/** Lets the promises of closed sources run. */
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

describe('the inbox', () => {
  it('shares one source among all clients of a filter, and closes it after the last', async () => {
    const host = new Sources()
    const inbox = new Inbox(host.space, silent)
    const [a, b] = [new Client(), new Client()]
    await inbox.subscribe(a, 't/+', 0)
    await inbox.subscribe(b, 't/+', 1)
    assert.deepEqual([host.opened, inbox.sourceCount], [1, 1])
    host.publish('t/1')
    assert.deepEqual([a.got, b.got, host.settled], [['t/1@0'], ['t/1@1'], 1])
    inbox.unsubscribe(a, 't/+')
    inbox.remove(b)
    await turn()
    assert.deepEqual([host.open.size, inbox.sourceCount], [0, 0])
  })

  it('gives a publication once, at the highest QoS of all filters that match [MQTT3-3.3.5-1]', async () => {
    const topics = ['a', 'b', 'a/a', 'a/b', 'b/a', '/a', 'a/', '$x']
    const filters = ['a', '#', '+', 'a/#', '+/a', 'a/+', '+/+', '/+', 'b', '$x', 'x/1', 'x/2', 'x/3', 'x/4']
    const step = fc.record({
      client: fc.nat(2),
      filter: fc.constantFrom(...filters),
      qos: fc.constantFrom<Qos>(0, 1),
      on: fc.boolean()
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async steps => {
        const host = new Sources()
        const inbox = new Inbox(host.space, silent)
        const clients = [new Client(), new Client(), new Client()]
        const model = clients.map(() => new Map<string, Qos>())
        for (const { client, filter, qos, on } of steps) {
          if (on) {
            await inbox.subscribe(clients[client] ?? assert.fail(), filter, qos)
            model[client]?.set(filter, qos)
          } else {
            inbox.unsubscribe(clients[client] ?? assert.fail(), filter)
            model[client]?.delete(filter)
          }
        }
        await turn()
        assert.equal(host.open.size, new Set(model.flatMap(granted => [...granted.keys()])).size)
        for (const topic of topics) host.publish(topic)
        for (const [index, { got }] of clients.entries()) {
          const expected = topics.flatMap(topic => {
            const granted = [...(model[index] ?? [])]
              .filter(([filter]) => matches(filter, topic))
              .map(([, qos]) => qos)
            return granted.length === 0 ? [] : [`${topic}@${Math.max(...granted)}`]
          })
          assert.deepEqual(got, expected)
        }
      }),
      { numRuns: 200 }
    )
  })

  it('forgets a subscription that the host refused', async () => {
    const host = new Sources()
    const inbox = new Inbox(host.space, silent)
    const client = new Client()
    host.refuse = true
    await assert.rejects(inbox.subscribe(client, 't', 1), AmqpError)
    assert.deepEqual([inbox.sourceCount, inbox.filtersOf(client)], [0, 0])
    host.refuse = false
    await inbox.subscribe(client, 't', 1)
    host.publish('t')
    assert.deepEqual(client.got, ['t@1'])
  })

  it('tells clients with QoS > 0 of a source that was lost, and opens it again for the others', async () => {
    const host = new Sources()
    const inbox = new Inbox(host.space, silent)
    const [careless, careful] = [new Client(), new Client()]
    await inbox.subscribe(careless, 't', 0)
    await inbox.subscribe(careful, 't', 1)
    const lost = host.open.get('t') ?? assert.fail()
    host.open.delete('t')
    lost.onClosed({ cause: 'lost' })
    assert.deepEqual([careless.lost, careful.lost], [[], ['t']])
    await turn()
    host.publish('t', 0)
    assert.deepEqual(careless.got, ['t@0'])
    host.refuse = true
    host.open.get('t')?.onClosed({ cause: 'lost' })
    await turn()
    assert.deepEqual(careless.lost, ['t'])
  })

  it('opens a source again when a host that was gone is back, for those who still want it', async () => {
    const host = new Sources()
    const inbox = new Inbox(host.space, silent)
    const [stays, leaves] = [new Client(), new Client()]
    await inbox.subscribe(stays, 't', 0)
    await inbox.subscribe(leaves, 'u', 0)
    const sources = [...host.open.values()]
    host.open.clear()
    host.gone = true
    for (const { onClosed } of sources)
      onClosed({ cause: 'lost', error: { condition: 'amqp:connection:forced', description: 'gone' } })
    inbox.remove(leaves)
    // one who comes meanwhile waits for the host
    const late = new Client()
    const subscribed = inbox.subscribe(late, 't', 1)
    await turn()
    host.gone = false
    await subscribed
    host.publish('t', 0)
    assert.deepEqual([stays.got, late.got, stays.lost, leaves.lost], [['t@0'], ['t@1'], [], []])
    assert.deepEqual([...host.open.keys()], ['t'])
    assert.equal(inbox.sourceCount, 1)
  })
})
