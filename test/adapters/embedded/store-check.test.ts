// What is read of LevelDB's files before it opens them: checksums, records, and what counts as a loss.

import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32c } from '../../../adapters/embedded/crc32c.js'
import { readLog } from '../../../adapters/embedded/leveldb-log.js'
import { isIntactTable } from '../../../adapters/embedded/leveldb-table.js'
import { unpackSnappy } from '../../../adapters/embedded/snappy.js'
import { Store } from '../../../adapters/embedded/store.js'
import { NOTE_FILE, readNote } from '../../../adapters/embedded/synced-note.js'
import { recordingLog, type LogLine } from './broker-fixture.js'

describe('what is read of a store before it opens', () => {
  let directory: string
  let lines: LogLine[]
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'check-'))
    lines = []
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  const open = (): Promise<Store> => Store.open(directory, recordingLog(lines))
  const put = (store: Store, name: string, bytes = 100): Promise<void> => {
    store.put(Buffer.from(`k${name}`), Buffer.alloc(bytes, name))
    return store.durable()
  }
  const file = (ending: string): string => {
    const name = readdirSync(directory).find(each => each.endsWith(ending))
    assert.ok(name)
    return join(directory, name)
  }

  it('has the CRC-32C of RFC 3720', () => {
    const whole = (bytes: Buffer): number => crc32c(bytes, 0, bytes.length)
    assert.equal(whole(Buffer.from('123456789')), 0xe3069283)
    assert.equal(whole(Buffer.alloc(32)), 0x8a9136aa)
    assert.equal(whole(Buffer.alloc(32, 0xff)), 0x62a8ab43)
    assert.equal(crc32c(Buffer.from('xx123456789x'), 2, 11), 0xe3069283)
  })

  it('unpacks Snappy, copies that overlap too, and refuses what is none', () => {
    // "abcd", then 8 bytes from 4 back, then "!"
    assert.equal(String(unpackSnappy(Buffer.from('0d0c6162636411040021', 'hex'))), 'abcdabcdabcd!')
    for (const wrong of ['04', '040c616263', '0411ff', '0800610105', '00ff'])
      assert.throws(() => unpackSnappy(Buffer.from(wrong, 'hex')), RangeError, wrong)
  })

  it('reads every record of a log, over blocks, and finds a turned bit', async () => {
    const store = await open()
    for (let i = 0; i < 40; i++) await put(store, String(i), 5000)
    await store.close()
    const bytes = readFileSync(file('.log'))
    assert.ok(bytes.length > 5 * 32_768)
    const items = [...readLog(bytes)]
    assert.ok(items.length >= 40 && items.every(({ type }) => type === 'record'))
    bytes[50_000] = (bytes[50_000] ?? 0) ^ 4
    const faults = [...readLog(bytes)].filter(({ type }) => type === 'fault')
    assert.ok(faults.length > 0)
    // what was cut within a record is torn, and nothing else
    const cut = [...readLog(readFileSync(file('.log')).subarray(0, 60_001))]
    assert.deepEqual(
      cut.filter(({ type }) => type === 'fault').map(item => item.type === 'fault' && item.torn),
      [true]
    )
  })

  it('knows a table that is whole from one with any byte of it changed', async () => {
    const store = await open()
    for (let i = 0; i < 300; i++) await put(store, String(i), 100)
    await store.close()
    await (await open()).close()
    const bytes = readFileSync(file('.ldb'))
    assert.ok(isIntactTable(bytes))
    for (let at = 0; at < bytes.length - 8; at += 97) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      // between the handles and the magic number the footer has bytes that mean nothing
      if (at < bytes.length - 48) assert.ok(!isIntactTable(changed), `byte ${at} of ${bytes.length}`)
    }
  })

  it('opens with the torn end of what was never synced, and says so', async () => {
    const store = await open()
    await put(store, 'a')
    await store.close()
    const log = file('.log')
    appendFileSync(log, readFileSync(log).subarray(0, 20)) // the start of one more record
    const again = await open()
    assert.equal(String((await again.get(Buffer.from('ka')))?.[0]), String('a'.charCodeAt(0)))
    await again.close()
    assert.deepEqual(
      lines.map(({ level, message }) => [level, message]),
      [['warn', 'the end of a log was cut off: what nobody was told to be safe is gone']]
    )
  })

  it('refuses a log that lacks what was synced, also when LevelDB can open it', async () => {
    const store = await open()
    for (const name of ['a', 'b', 'c']) await put(store, name)
    await store.close()
    const log = file('.log')
    writeFileSync(log, readFileSync(log).subarray(0, -10))
    await assert.rejects(open(), { code: 'STORE_DAMAGED' })
    writeFileSync(log, '')
    await assert.rejects(open(), { code: 'STORE_DAMAGED' })
  })

  it('goes on with a note that is missing or damaged, says so, and writes a new one', async () => {
    for (const damage of [
      () => rmSync(file(NOTE_FILE)),
      () => writeFileSync(file(NOTE_FILE), 'x'.repeat(12))
    ]) {
      await (await open()).close()
      damage()
      lines = []
      const store = await open()
      await put(store, 'a')
      await store.close()
      assert.deepEqual(
        lines.map(({ message }) => message),
        ['whether the store has all that was accepted cannot be told']
      )
      const note = readNote(directory)
      assert.ok(typeof note === 'number' && note > 0)
    }
  })
})
