// Keyed stores: the last value of each key, durable when put resolves.
// Rule: writes to one key keep their order, keys are any text, and values come out as any message does.

import assert from 'node:assert/strict'
import type { KeyedStore } from '../../plugin/host.js'
import type { ContractCase } from './fixture.js'
import { textOf } from './inbox.js'
import { durable, numbers, text } from './messages.js'
import { within } from './signal.js'

async function valueOf(store: KeyedStore, key: string): Promise<string | undefined> {
  const value = await store.get(key)
  return value && textOf(value.body)
}

async function listed(store: KeyedStore, prefix?: string, after?: string): Promise<string[]> {
  const keys: string[] = []
  for await (const [key] of store.entries(prefix, after)) keys.push(key)
  return keys
}

const inByteOrder = (keys: readonly string[]): string[] =>
  [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))

const KEYS = [
  'a',
  'a/',
  'a/b',
  'a0',
  'ab',
  'b',
  ' ',
  '\u0000',
  '\u0000\u0001',
  '!',
  '\n',
  '%00',
  '$x/#/+',
  'Ä',
  'e\u0301',
  '\u00e9',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '\u{10000}',
  '\u{1f600}',
  '\u{10ffff}',
  '__proto__',
  '10',
  '9'
]

export const stores: readonly ContractCase[] = [
  {
    title: 'gets the value that was put, and nothing for other keys',
    part: 'stores',
    async run(t) {
      const store = await t.space.store('wills')
      assert.equal(await store.get('a'), undefined)
      await store.put('a', durable('1'))
      await store.put('b', text('2'))
      assert.deepEqual([await valueOf(store, 'a'), await valueOf(store, 'b')], ['1', '2'])
      for (const key of ['', 'A', 'a ', 'ab', 'c']) assert.equal(await store.get(key), undefined)
    }
  },
  {
    title: 'keeps the last value of a key',
    part: 'stores',
    async run(t) {
      const store = await t.space.store('wills')
      for (const value of numbers(5)) await store.put('a', durable(value))
      assert.equal(await valueOf(store, 'a'), '5')
      assert.deepEqual(await listed(store), ['a'])
    }
  },
  {
    title: 'forgets a key that is deleted, and takes it again',
    part: 'stores',
    async run(t) {
      const store = await t.space.store('wills')
      await store.delete('a')
      await store.put('a', durable('1'))
      await store.put('b', durable('2'))
      await store.delete('a')
      assert.equal(await store.get('a'), undefined)
      assert.deepEqual(await listed(store), ['b'])
      await store.put('a', durable('3'))
      assert.equal(await valueOf(store, 'a'), '3')
    }
  },
  {
    title: 'keeps the order of writes to one key that are under way at once',
    part: 'stores',
    async run(t) {
      const store = await t.space.store('wills')
      const writes: Promise<void>[] = []
      for (const value of numbers(50)) {
        writes.push(store.put('a', durable(value)), store.put('b', durable(value)))
        if (Number(value) % 10 === 0) writes.push(store.delete('b'))
      }
      await Promise.all(writes)
      assert.equal(await valueOf(store, 'a'), '50')
      assert.equal(await store.get('b'), undefined)
      await t.restart()
      const again = await t.space.store('wills')
      assert.equal(await valueOf(again, 'a'), '50')
      assert.equal(await again.get('b'), undefined)
    }
  },
  {
    title: 'reads the entries with a prefix, in the order of the bytes of their keys',
    part: 'stores',
    async run(t) {
      const store = await t.space.store('wills')
      await Promise.all(KEYS.map(key => store.put(key, durable(`value of ${key}`))))
      assert.deepEqual(await listed(store), inByteOrder(KEYS))
      for (const prefix of ['a', 'a/', '\u0000', '\uffff', '\u{10ffff}', '\ud83d\ude00', 'nothing', '']) {
        const expected = inByteOrder(KEYS.filter(key => key.startsWith(prefix)))
        assert.deepEqual(await listed(store, prefix), expected, `prefix ${JSON.stringify(prefix)}`)
      }
      for (const key of KEYS) assert.equal(await valueOf(store, key), `value of ${key}`)
    }
  },
  {
    title: 'reads on after a key, of a value or of none, within the prefix',
    part: 'stores',
    async run(t) {
      const store = await t.space.store('wills')
      await Promise.all(KEYS.map(key => store.put(key, durable(key))))
      for (const after of [...KEYS, 'a/a', 'nothing', '', '\u{10ffff}']) {
        const later = inByteOrder(KEYS.filter(key => inByteOrder([key, after])[0] === after && key !== after))
        for (const prefix of ['', 'a', 'a/']) {
          const expected = later.filter(key => key.startsWith(prefix))
          assert.deepEqual(await listed(store, prefix, after), expected, JSON.stringify({ prefix, after }))
        }
      }
    }
  },
  {
    title: 'reads keys and values together',
    part: 'stores',
    async run(t) {
      const store = await t.space.store('wills')
      for (const key of ['b', 'a', 'c']) await store.put(key, durable(key.toUpperCase()))
      const entries: [string, string][] = []
      for await (const [key, value] of store.entries()) entries.push([key, textOf(value.body)])
      assert.deepEqual(entries, [
        ['a', 'A'],
        ['b', 'B'],
        ['c', 'C']
      ])
    }
  },
  {
    title: 'reads every entry that stays exactly once while others come and go',
    part: 'stores',
    async run(t) {
      const store = await t.space.store('wills')
      const staying = numbers(300, 'stay-')
      await Promise.all(staying.map(key => store.put(key, durable(key))))
      await Promise.all(numbers(50, 'go-').map(key => store.put(key, durable(key))))
      const seen: string[] = []
      for await (const [key] of store.entries()) {
        if (seen.length % 10 === 0) await store.delete(`go-${seen.length / 10 + 1}`)
        if (seen.length % 10 === 5) await store.put(`stay-new-${seen.length}`, durable('new'))
        seen.push(key)
      }
      assert.deepEqual(
        seen.filter(key => /^stay-\d/.test(key)),
        inByteOrder(staying)
      )
      assert.equal(new Set(seen).size, seen.length)
    }
  },
  {
    title: 'stops reading entries when the reader stops',
    part: 'stores',
    async run(t) {
      const store = await t.space.store('wills')
      await Promise.all(numbers(300, 'k').map(key => store.put(key, durable(key))))
      for await (const [key] of store.entries()) {
        assert.equal(key, 'k1')
        break
      }
      await within(t.patienceMs, 'a restart after an unfinished reading', t.restart())
      assert.equal((await listed(await t.space.store('wills'))).length, 300)
    }
  },
  {
    title: 'keeps stores of different names apart, and opens the same one each time',
    part: 'stores',
    async run(t) {
      const names = ['a', 'ab', 'a/b', 'a.b', 'wills']
      const opened = await Promise.all(names.map(name => t.space.store(name)))
      for (const [i, store] of opened.entries()) await store.put('b', durable(names[i] ?? ''))
      for (const name of names) {
        const store = await t.space.store(name)
        assert.equal(await valueOf(store, 'b'), name)
        assert.deepEqual(await listed(store), ['b'])
      }
      await opened[0]?.delete('b')
      assert.equal(await valueOf(await t.space.store('ab'), 'b'), 'ab')
      assert.deepEqual(await listed(await t.space.store('a')), [])
    }
  },
  {
    title: 'takes keys of 60 000 bytes and values of a megabyte',
    part: 'stores',
    async run(t) {
      const store = await t.space.store('wills')
      const keys = ['x'.repeat(60_000), `${'x'.repeat(59_999)}y`, '\u{1f600}'.repeat(15_000)]
      for (const [i, key] of keys.entries()) await store.put(key, durable(String(i)))
      const large = Buffer.alloc(1 << 20, 'payload ')
      await store.put('large', durable('', { body: { type: 'data', sections: [large] } }))
      await t.restart()
      const again = await t.space.store('wills')
      for (const [i, key] of keys.entries()) assert.equal(await valueOf(again, key), String(i))
      assert.deepEqual(await listed(again), inByteOrder([...keys, 'large']))
      const value = await again.get('large')
      assert.ok(value?.body.type === 'data')
      assert.ok(Buffer.concat(value.body.sections).equals(large))
    }
  },
  {
    title: 'finds what was put, and nothing that was deleted, after a restart',
    part: 'stores',
    async run(t) {
      const store = await t.space.store('wills')
      await Promise.all(KEYS.map(key => store.put(key, durable('old'))))
      await Promise.all(KEYS.slice(5).map(key => store.put(key, durable('new'))))
      await Promise.all(KEYS.slice(0, 3).map(key => store.delete(key)))
      await t.restart()
      const again = await t.space.store('wills')
      assert.deepEqual(await listed(again), inByteOrder(KEYS.slice(3)))
      for (const [i, key] of KEYS.entries()) {
        assert.equal(await valueOf(again, key), i < 3 ? undefined : i < 5 ? 'old' : 'new')
      }
    }
  },
  {
    title: 'has made a write durable when it resolves',
    part: 'stores',
    requires: 'crash',
    async run(t) {
      const store = await t.space.store('wills')
      await store.put('deleted', durable('x'))
      await store.put('a', durable('1'))
      await Promise.all([store.put('a', durable('2')), store.delete('deleted')])
      assert.ok(t.crash)
      await t.crash()
      const again = await t.space.store('wills')
      assert.equal(await valueOf(again, 'a'), '2')
      assert.equal(await again.get('deleted'), undefined)
    }
  },
  {
    title: 'keeps stores away from queues and topics',
    part: 'stores',
    async run(t) {
      const before = (await t.space.queues.list('$mqtt.to.')).length
      const store = await t.space.store('$mqtt.to.c1.publish')
      await store.put('a', durable('1'))
      assert.equal((await t.space.queues.list('$mqtt.to.')).length, before)
      assert.equal(await valueOf(await t.space.store('$mqtt.to.c1.publish'), 'a'), '1')
    }
  }
]
