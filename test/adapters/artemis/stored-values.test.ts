import assert from 'node:assert/strict'
import {
  readValue,
  selectorOfPrefix,
  slotOf,
  writeNothing,
  writeValue
} from '../../../adapters/artemis/stored-values.js'
import { sameMessage, text } from '../../contract/messages.js'
import { SAMPLES } from '../../contract/samples.js'

const LONG = 'x'.repeat(60_000)
const KEYS = ['', 'a', 'a/', "it's", '100%', 'a_b', '\u0000', 'ä', '\u{10ffff}', LONG, `${LONG}y`, `${LONG}z`]

/** As the broker matches LIKE, for a pattern of digits and % at its end. */
const takes = (selector: string | undefined, slot: string): boolean =>
  selector === undefined || slot.startsWith(/'([0-9a-f]*)%'/.exec(selector)?.[1] ?? '\u0000')

describe('values of a keyed store', () => {
  it('come out of their messages as they went in', () => {
    for (const [title, sample] of SAMPLES) {
      const stored = readValue(writeValue(title, sample))
      assert.equal(stored?.key, title)
      assert.ok(stored.value)
      sameMessage(stored.value, sample, title)
    }
  })

  it('have a slot of their own for each key, of bounded length and safe in a selector', () => {
    const slots = KEYS.map(slotOf)
    assert.equal(new Set(slots).size, KEYS.length)
    for (const slot of slots) assert.match(slot, /^[0-9a-f]{0,800}(?:#[0-9a-f]{64})?$/)
  })

  it('are all found by every beginning of their keys', () => {
    for (const key of KEYS) {
      for (const length of [0, 1, 2, 300, 500, key.length]) {
        const prefix = [...key].slice(0, length).join('')
        assert.ok(takes(selectorOfPrefix(prefix), slotOf(key)), JSON.stringify(prefix.slice(0, 20)))
      }
    }
    assert.ok(!takes(selectorOfPrefix('b'), slotOf('a')))
  })

  it('are gone when nothing is written, which expires', () => {
    const nothing = writeNothing('a', 1000)
    assert.deepEqual(readValue(nothing), { key: 'a', value: undefined })
    assert.ok((nothing.properties.absoluteExpiryTime ?? 0) > 1000)
    assert.equal(nothing.durable, true)
  })

  it('are not read from messages of others', () => {
    assert.equal(readValue(text('x', { body: { type: 'none' } })), undefined)
    assert.equal(readValue(text('x', { body: { type: 'value', value: 'x' } })), undefined)
  })
})
