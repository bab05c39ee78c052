import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { FORMAT_KEY, STORE_FORMAT } from '../../../adapters/embedded/keys.js'
import { StoreError } from '../../../adapters/embedded/store-error.js'
import { Store } from '../../../adapters/embedded/store.js'
import { recordingLog, turn } from './broker-fixture.js'

const key = (text: string): Buffer => Buffer.from(`k${text}`)
const RANGE = { gte: Buffer.from('k'), lt: Buffer.from('l') }

describe('the store of the embedded host', () => {
  let directory: string
  let store: Store

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'store-'))
    store = await Store.open(directory, recordingLog([]))
  })

  afterEach(async () => {
    await store.close()
    await rm(directory, { recursive: true, force: true })
  })

  const all = async (): Promise<string[]> => {
    const found: string[] = []
    for await (const [name, value] of store.entries(RANGE)) found.push(`${name}=${value}`)
    return found
  }

  it('syncs once for all that is put in one turn of the event loop', async () => {
    const waits: Promise<void>[] = []
    for (let i = 0; i < 100; i++) {
      store.put(key(String(i)), Buffer.from('v'))
      waits.push(store.durable())
    }
    await Promise.all(waits)
    assert.equal(store.syncs, 1)
    assert.equal((await all()).length, 100)
  })

  it('gathers what is put while a batch is being written into the next one', async () => {
    const order: string[] = []
    store.put(key('a'), Buffer.from('1'))
    const first = store.durable().then(() => order.push('first'))
    await turn() // the first batch is on its way
    const later: Promise<unknown>[] = []
    for (const name of ['b', 'c', 'd']) {
      store.put(key(name), Buffer.from('2'))
      later.push(store.durable().then(() => order.push(name)))
    }
    await Promise.all([first, ...later])
    assert.deepEqual(order, ['first', 'b', 'c', 'd'])
    assert.equal(store.syncs, 2)
  })

  it('keeps the order of writes to one key over batches', async () => {
    for (let i = 0; i < 20; i++) {
      store.put(key('x'), Buffer.from(String(i)))
      if (i % 3 === 0) await turn()
    }
    store.put(key('y'), Buffer.from('1'))
    store.delete(key('y'))
    await store.durable()
    assert.deepEqual(await all(), ['kx=19'])
  })

  it('writes what nobody waits for soon, and without a sync', async () => {
    const buffer = Buffer.from('kz')
    store.put(buffer, buffer)
    buffer.fill(0) // the caller's again
    while ((await all()).length === 0) await turn()
    assert.deepEqual(await all(), ['kz=kz'])
    assert.equal(store.syncs, 0)
  })

  it('tells that something is written without a sync where that is enough', async () => {
    store.put(key('a'), Buffer.from('1'))
    await new Promise(resolve => store.whenWritten(resolve))
    assert.deepEqual(await all(), ['ka=1'])
    assert.equal(store.syncs, 0)
  })

  it('asks who was touched for a last value before each batch', async () => {
    const touched = { beforeWrite: () => store.put(key('t'), Buffer.from('late')) }
    store.touch(touched)
    store.put(key('a'), Buffer.from('1'))
    await store.durable()
    assert.deepEqual(await all(), ['ka=1', 'kt=late'])
  })

  it('has everything after it was closed and opened again', async () => {
    for (let i = 0; i < 10; i++) store.put(key(String(i)), Buffer.from('v'))
    await store.close()
    store = await Store.open(directory, recordingLog([]))
    assert.equal((await all()).length, 10)
  })

  it('fails what is waited for after it was closed', async () => {
    await store.close()
    store.put(key('a'), Buffer.from('1'))
    await assert.rejects(store.durable(), { code: 'STORE_FAILED' })
  })

  it('reads chunks by number and by bytes, and says whether there is more', async () => {
    for (let i = 0; i < 10; i++) store.put(key(String(i)), Buffer.alloc(1000))
    await store.durable()
    const three = await store.read(RANGE, 3, 1e6)
    assert.deepEqual([three.entries.length, three.complete], [3, false])
    const some = await store.read(RANGE, 100, 2500)
    assert.ok(some.entries.length >= 3 && some.entries.length < 10, String(some.entries.length))
    assert.equal(some.complete, false)
    const everything = await store.read(RANGE, 100, 1e6)
    assert.deepEqual([everything.entries.length, everything.complete], [10, true])
  })

  it('refuses a directory that is in use', async () => {
    await assert.rejects(Store.open(directory, recordingLog([])), (error: unknown) => {
      assert.ok(error instanceof StoreError)
      assert.equal(error.code, 'STORE_IN_USE')
      assert.match(error.message, /in use/)
      assert.ok(error.message.includes(directory))
      return true
    })
  })

  it('refuses a directory of a newer version, and leaves it as it is', async () => {
    const db = await reopenRaw()
    await db.put(FORMAT_KEY, Buffer.from(String(STORE_FORMAT + 1)))
    await db.close()
    await assert.rejects(Store.open(directory, recordingLog([])), { code: 'STORE_TOO_NEW' })
    const after = await reopenRaw()
    assert.equal(String(await after.get(FORMAT_KEY)), String(STORE_FORMAT + 1))
    await after.close()
  })

  it('refuses a damaged directory with a message that names it', async () => {
    await store.close()
    const manifest = (await readdir(directory)).find(name => name.startsWith('MANIFEST'))
    assert.ok(manifest !== undefined)
    await writeFile(join(directory, manifest), Buffer.alloc(64, 0x5a))
    await assert.rejects(Store.open(directory, recordingLog([])), (error: unknown) => {
      assert.ok(error instanceof StoreError)
      assert.equal(error.code, 'STORE_DAMAGED')
      assert.ok(error.message.includes(directory))
      return true
    })
  })

  async function reopenRaw(): Promise<ClassicLevel<Buffer, Buffer>> {
    await store.close()
    const db = new ClassicLevel<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    await db.open()
    return db
  }
})
