import assert from 'node:assert/strict'
import type { AmqpValue } from '../../../plugin/host.js'
import {
  decodeInFlight,
  deleteInFlight,
  encodeInFlight,
  IN_FLIGHT_STORE,
  inFlightKey
} from '../../../plugin/messages/in-flight.js'
import { gatewayForSuite } from '../../fixtures/gateway.js'

describe('in-flight records', () => {
  const entries = [
    { id: 'q/9', packetId: 65535 },
    { id: 'q/10', packetId: 1 },
    { id: '__proto__', packetId: 2 }
  ]

  it('are read as they were written, in their order', () => {
    assert.deepEqual(decodeInFlight(encodeInFlight(entries)), entries)
    assert.deepEqual(decodeInFlight(encodeInFlight([])), [])
  })

  it('say nothing where an id or a packet id cannot be one, or comes twice', () => {
    const read = (value: AmqpValue): unknown =>
      decodeInFlight({ ...encodeInFlight([]), body: { type: 'value', value } })
    for (const packetId of [0, -1, 65536, 1.5, '1', null]) {
      assert.equal(read(new Map<AmqpValue, AmqpValue>([['a', packetId]])), undefined)
    }
    assert.equal(read(new Map<AmqpValue, AmqpValue>([[1, 1]])), undefined)
    const twice = [
      ['a', 7],
      ['b', 7]
    ] as const
    assert.equal(read(new Map<AmqpValue, AmqpValue>(twice)), undefined)
    assert.equal(read(['a', 1]), undefined)
    assert.equal(decodeInFlight({ ...encodeInFlight([]), body: { type: 'none' } }), undefined)
  })

  it('have keys by client and connection, which no other client id can name', () => {
    assert.equal(inFlightKey('a/b', 'c'), 'a%2Fb/c')
  })

  describe('in a store', () => {
    const gateway = gatewayForSuite()

    it('go with their client, and with no other', async () => {
      const store = await gateway().space.store(IN_FLIGHT_STORE)
      const others = [inFlightKey('ab', 'c1'), inFlightKey('b', 'c1')]
      for (const key of [inFlightKey('a', 'c1'), inFlightKey('a', 'c2'), ...others])
        await store.put(key, encodeInFlight(entries))
      await deleteInFlight(store, 'a')
      const left: string[] = []
      for await (const [key, value] of store.entries()) {
        left.push(key)
        assert.deepEqual(decodeInFlight(value), entries)
      }
      assert.deepEqual(left, others)
    })
  })
})
