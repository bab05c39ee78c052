import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { EmbeddedConnection } from '../../../adapters/embedded/index.js'
import { Bench, empty, message, receive, send, turn } from './broker-fixture.js'

const CHILD = fileURLToPath(new URL('crash-child.ts', import.meta.url))
const ROUTED = '$mqtt.to.c1.publish'

interface Said {
  readonly accepted: number[]
  readonly taken: number[]
  readonly held: number[]
  readonly refused: string[]
}

/** Runs the child until `enough` of what it says, ends it with SIGKILL, and resolves with all that it said. */
async function run(child: ChildProcess, enough: (said: Said) => boolean): Promise<Said> {
  const said: Said = { accepted: [], taken: [], held: [], refused: [] }
  assert.ok(child.stdout)
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  for await (const line of createInterface(child.stdout)) {
    const [what, value = ''] = line.split(' ')
    if (what === 'refused') said.refused.push(value)
    else if (what === 'accepted' || what === 'taken' || what === 'held') said[what].push(Number(value))
    if (enough(said)) child.kill('SIGKILL')
  }
  await ended
  return said
}

describe('a crash of the embedded host', () => {
  let bench: Bench
  let connection: EmbeddedConnection

  beforeEach(async () => {
    bench = await Bench.open()
    await bench.space.queues.create(ROUTED)
    await bench.space.routes.add({ filter: 'crash/#', queue: ROUTED })
    await bench.stop()
  })

  afterEach(() => bench.close())

  const start = (first: number, mode = ''): ChildProcess =>
    spawn(process.execPath, ['--import', 'tsx', CHILD, bench.directory, String(first), mode], {
      stdio: ['ignore', 'pipe', 'inherit']
    })

  async function reopen(): Promise<void> {
    connection = await (await bench.start()).connect('service')
  }

  it('loses nothing that was accepted when the process is killed, and sends it in order', async () => {
    const accepted: number[] = []
    for (const first of [0, 1_000_000]) {
      const said = await run(start(first), ({ accepted }) => accepted.length >= 500)
      accepted.push(...said.accepted)
    }
    await reopen()
    const work = (await empty(connection, 'work')).texts().map(Number)
    const routed = (await empty(connection, ROUTED)).texts().map(Number)
    const there = new Set([...work, ...routed])
    assert.equal(there.size, work.length + routed.length, 'nothing twice')
    assert.deepEqual(
      accepted.filter(number => !there.has(number)),
      []
    )
    for (const numbers of [work, routed]) {
      // four senders each: a sender's own order cannot be told, but what one crash left comes before the next
      const second = numbers.findIndex(number => number >= 1_000_000)
      assert.ok(second > 0 && numbers.slice(second).every(number => number >= 1_000_000))
    }
  })

  it('brings back what was delivered and not settled with a delivery-count, and not what was accepted', async () => {
    // what was seen is remembered with a later batch: many are accepted before the end
    const said = await run(
      start(0, 'hold'),
      ({ held, accepted }) => held.length >= 10 && accepted.length >= 2000
    )
    await reopen()
    const { deliveries, texts } = await empty(connection, 'work')
    const counts = new Map(texts().map((text, i) => [Number(text), deliveries[i]?.deliveryCount]))
    for (const number of said.held) assert.ok((counts.get(number) ?? 0) >= 1, `held ${number}`)
    for (const number of said.taken) assert.ok(!counts.has(number), `taken ${number}`)
    const last = Math.max(...said.accepted.filter(number => counts.has(number)))
    assert.equal(counts.get(last), 0, 'what nobody saw')
  })

  it('keeps that count over a restart in order', async () => {
    const said = await run(
      start(0, 'hold'),
      ({ held, accepted }) => held.length >= 10 && accepted.length >= 500
    )
    await reopen()
    await bench.restart()
    connection = await bench.space.connect('service')
    const { deliveries } = await receive(connection, 'work', { window: 5 })
    while (deliveries.length < 5) await turn()
    assert.ok(said.held.length > 0)
    assert.ok(deliveries.every(({ deliveryCount }) => deliveryCount >= 1))
  })

  it('refuses durable messages when the disk is full, and has all that it accepted', async () => {
    // a limit on the size of a file is a full disk to the store, where the signal for it is ignored
    const limited = spawn(
      'sh',
      [
        '-c',
        `trap '' XFSZ; ulimit -f 400; exec "$0" "$@"`,
        process.execPath,
        '--import',
        'tsx',
        CHILD,
        bench.directory,
        '0'
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] }
    )
    const said = await run(limited, ({ refused }) => refused.length >= 8)
    assert.deepEqual(new Set(said.refused), new Set(['amqp:internal-error']))
    assert.ok(said.accepted.length > 0)
    await reopen()
    const there = new Set([
      ...(await empty(connection, 'work')).texts(),
      ...(await empty(connection, ROUTED)).texts()
    ])
    assert.deepEqual(
      said.accepted.filter(number => !there.has(String(number))),
      []
    )
    assert.deepEqual(await send(connection, 'work', message('again')), { type: 'accepted' })
  })
})
