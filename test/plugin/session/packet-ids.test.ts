import assert from 'node:assert/strict'
import { PacketIds } from '../../../plugin/session/packet-ids.js'

describe('PacketIds', () => {
  it('goes from 1 to 65535 and round again, never 0 [MQTT3-2.3.1-1]', () => {
    const ids = new PacketIds()
    const unused = new Map<number, unknown>()
    for (let round = 0; round < 2; round++) {
      for (let id = 1; id <= 65535; id++) if (ids.next(unused) !== id) assert.fail(`${id}`)
    }
  })

  it('skips ids in use [MQTT3-2.3.1-4]', () => {
    const ids = new PacketIds()
    assert.equal(ids.next(new Map([1, 2, 4].map(id => [id, undefined]))), 3)
    assert.equal(ids.next(new Map([1, 2, 4].map(id => [id, undefined]))), 5)
  })

  it('says when there is none', () => {
    const all = new Map(Array.from({ length: 65535 }, (_, i) => [i + 1, undefined]))
    assert.throws(() => new PacketIds().next(all), RangeError)
    all.delete(77)
    assert.equal(new PacketIds().next(all), 77)
  })
})
