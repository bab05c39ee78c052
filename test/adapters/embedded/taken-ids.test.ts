import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DUPLICATE_IDS } from '../../../adapters/embedded/keys.js'
import { Store } from '../../../adapters/embedded/store.js'
import { TakenIds } from '../../../adapters/embedded/taken-ids.js'
import { crashCopy } from '../../fixtures/crash-copy.js'
import { recordingLog } from './broker-fixture.js'

const LIMIT = 1000
/** ids of a record: so many more may be known */
const SLACK = 256

const id = (number: number): Buffer => Buffer.from(`id ${number}`)

describe('the ids of messages that a space took', () => {
  let root: string
  let store: Store
  let taken: TakenIds

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'ids-'))
    await open(join(root, 'data'))
  })

  afterEach(async () => {
    await store.close()
    await rm(root, { recursive: true, force: true })
  })

  async function open(directory: string, limit = LIMIT): Promise<void> {
    store = await Store.open(directory, recordingLog([]))
    taken = await TakenIds.load(store, limit)
  }

  async function restart(limit = LIMIT): Promise<void> {
    await store.close()
    await open(join(root, 'data'), limit)
  }

  const take = (from: number, to: number, address = 'topic a'): number => {
    let count = 0
    for (let i = from; i < to; i++) if (taken.take(address, id(i))) count++
    return count
  }

  async function records(): Promise<Buffer[]> {
    await store.durable()
    const found: Buffer[] = []
    for await (const [, value] of store.entries(DUPLICATE_IDS)) found.push(value)
    return found
  }

  it('are known at their own address, before and after a restart', async () => {
    assert.equal(take(0, 300), 300)
    assert.equal(take(0, 300), 0)
    assert.equal(take(0, 300, 'topic b'), 300)
    await restart()
    assert.equal(take(0, 300), 0)
    assert.equal(take(0, 310, 'topic b'), 10)
    assert.equal(take(0, 300, 'queue 1'), 300)
  })

  it('are told apart by address and id, not by the two put together', () => {
    assert.ok(taken.take('topic a', Buffer.from('bc')))
    assert.ok(taken.take('topic ab', Buffer.from('c')))
    assert.ok(taken.take('topic a', Buffer.from([])))
    assert.ok(taken.take('topic a', Buffer.alloc(1 << 20)))
    assert.ok(taken.take('topic a', Buffer.alloc((1 << 20) + 1)))
    assert.ok(!taken.take('topic a', Buffer.alloc(1 << 20)))
  })

  it('are as many as the limit at least, and not many more, in memory and on disk', async () => {
    for (let round = 0; round < 3; round++) {
      take(round * 5000, (round + 1) * 5000)
      const last = (round + 1) * 5000
      if (round === 1) await restart()
      assert.equal(take(last - LIMIT, last), 0, `the last ${LIMIT} are known`)
      const kept = (await records()).reduce((sum, { length }) => sum + length / 16, 0)
      assert.ok(kept >= LIMIT && kept <= LIMIT + SLACK, `${kept} ids on disk`)
      assert.ok(taken.take('topic a', id(last - LIMIT - SLACK - 1)), 'an older one is taken again')
    }
  })

  it('go with the oldest first where the limit is lower than before', async () => {
    take(0, LIMIT)
    await restart(200)
    assert.equal(take(LIMIT - 200, LIMIT), 0)
    assert.equal(taken.take('topic a', id(0)), true)
    assert.ok((await records()).length <= 4)
  })

  it('are on disk with the batch that was gathered when they were taken', async () => {
    take(0, 10)
    await store.durable()
    take(10, 20)
    crashCopy(join(root, 'data'), join(root, 'crashed')) // what was just taken is not written yet
    await store.close()
    await open(join(root, 'crashed'))
    assert.equal(take(0, 10), 0)
    assert.equal(take(10, 20), 10)
  })

  it('are written once for a batch, whatever their number', async () => {
    take(0, 100)
    await store.durable()
    const [record] = await records()
    assert.equal(record?.length, 1600)
    take(100, 300)
    assert.deepEqual(
      (await records()).map(({ length }) => length / 16),
      [128, 128, 44]
    )
  })

  it('are forgotten again where the message was not taken after all', async () => {
    take(0, 130)
    taken.giveBack()
    assert.ok(!taken.take('topic a', id(128)))
    await restart()
    assert.ok(taken.take('topic a', id(129)))
    taken.giveBack()
    taken.giveBack()
    assert.ok(taken.take('topic a', id(128)))
    assert.ok(!taken.take('topic a', id(127)))
  })

  it('are read as far as they go from a record of another length', async () => {
    take(0, 3)
    await store.durable()
    for await (const [key, value] of store.entries(DUPLICATE_IDS)) store.put(key, value.subarray(0, 40))
    await restart()
    assert.equal(take(0, 3), 1)
  })
})
