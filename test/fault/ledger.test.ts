// The proof that no PUBACK leaves before its message is on disk is judged first, on traces that are known to be right or wrong.

import assert from 'node:assert/strict'
import { Ledger } from '../../bench/figures/ledger.js'
import type { SystemCall } from '../../bench/figures/trace.js'
import { publishPacket } from '../../bench/mqtt/packets.js'

const SOCKET = 'socket:[1]'
const LOG = '/data/000003.log'

/** `lines`: where the call began and ended. */
const call = (
  name: string,
  file: string,
  lines: readonly [number, number],
  bytes: Buffer = Buffer.alloc(0)
): SystemCall => ({
  name,
  file,
  bytes,
  beganAt: lines[0],
  endedAt: lines[1]
})

const published = call('read', SOCKET, [1, 1], publishPacket('t', Buffer.from('m0-0;m0-0;'), 1, 7))
const stored = (...lines: [number, number]): SystemCall =>
  call('write', LOG, lines, Buffer.from('..m0-0;m0-0;'))
const synced = (...lines: [number, number]): SystemCall => call('fdatasync', LOG, lines)
const acknowledged = (line: number): SystemCall =>
  call('write', SOCKET, [line, line], Buffer.from([0x40, 2, 0, 7]))

const judge = (...calls: SystemCall[]): { proven: number; faults: number } => {
  const ledger = new Ledger()
  for (const each of [published, ...calls]) ledger.add(each)
  return { proven: ledger.proven, faults: ledger.faults.length }
}

describe('the proof of syncs', () => {
  it('takes a PUBACK after a sync that began after the write', () => {
    assert.deepEqual(judge(stored(2, 2), synced(3, 4), acknowledged(5)), { proven: 1, faults: 0 })
  })

  it('refuses a PUBACK without a sync, or without a write', () => {
    assert.deepEqual(judge(stored(2, 2), acknowledged(5)), { proven: 0, faults: 1 })
    assert.deepEqual(judge(synced(3, 4), acknowledged(5)), { proven: 0, faults: 1 })
  })

  it('refuses a sync that began before the write had ended', () => {
    assert.deepEqual(judge(stored(2, 4), synced(3, 5), acknowledged(6)), { proven: 0, faults: 1 })
  })

  it('refuses a sync of another file', () => {
    const other = call('fdatasync', '/data/000005.log', [3, 4])
    assert.deepEqual(judge(stored(2, 2), other, acknowledged(5)), { proven: 0, faults: 1 })
  })

  it('refuses a PUBACK that was written while the sync ran', () => {
    const late = call('write', SOCKET, [4, 6], Buffer.from([0x40, 2, 0, 7]))
    assert.deepEqual(judge(stored(2, 2), synced(3, 5), late), { proven: 0, faults: 1 })
  })
})
