// node --import tsx bench/figures/syncs.ts [messages] [unacknowledged per publisher]
// 64 publishers with QoS 1 into one durable queue. First run: file syncs per message, with nothing else traced, so that the server
// runs at its own pace. Second run: reads, writes and syncs traced with their bytes; each PUBACK must have been written after a sync
// of the file that holds its message, a sync that began after the message was written and ended before the PUBACK was.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startOurs } from '../servers/ours.js'
import { Ledger } from './ledger.js'
import { fill, makeQueue } from './fill.js'
import { readTrace } from './trace.js'

const SYNCS = ['fdatasync', 'fsync']
const CALLS = [...SYNCS, 'read', 'readv', 'write', 'writev', 'pwrite64', 'pwritev', 'sendmsg', 'sendto']

const messages = Number(process.argv[2] ?? 20_000)
const unacknowledged = Number(process.argv[3] ?? 16)

/** Runs the server under strace with a load; the trace is whole when this resolves. */
async function traced(trace: string, options: readonly string[], load: number): Promise<number> {
  const dataDir = mkdtempSync(join(tmpdir(), 'figures-syncs-'))
  try {
    // -D: the server is our child, strace its own
    const server = await startOurs({ dataDir, under: ['strace', '-D', '-f', '-y', '-o', trace, ...options] })
    await makeQueue(server.ready)
    const from = performance.now()
    await fill(server.ready, { messages: load, unacknowledged })
    const seconds = (performance.now() - from) / 1000
    await server.stop()
    return load / seconds
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

const dir = mkdtempSync(join(tmpdir(), 'figures-trace-'))
try {
  execFileSync('strace', ['-V'], { stdio: 'ignore' })
  const counted = join(dir, 'counted')
  const rate = await traced(counted, ['--seccomp-bpf', '-e', `trace=${SYNCS.join(',')}`], messages)
  let syncs = 0
  for await (const call of readTrace(counted)) if (SYNCS.includes(call.name)) syncs += 1
  console.log(
    `${messages} messages, 64 publishers, ${unacknowledged} unacknowledged each, ${rate.toFixed(0)}/s`
  )
  console.log(`${syncs} syncs of files from start to end: ${(syncs / messages).toFixed(4)} a message`)

  const proof = join(dir, 'proof')
  await traced(proof, ['-v', '-xx', '-s', '4194304', '-e', `trace=${CALLS.join(',')}`], messages)
  const ledger = new Ledger()
  for await (const call of readTrace(proof)) ledger.add(call)
  console.log(ledger.summary())
  if (ledger.faults.length > 0 || ledger.proven < messages) process.exitCode = 1
} finally {
  rmSync(dir, { recursive: true, force: true })
}
