// Each file of a data directory damaged in turn. What was accepted is there, or the start says that it is not.
// Rule: a start that is refused names the directory; one that is not has every message, or a line of the log about what it lacks.

import assert from 'node:assert/strict'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedSpace, StoreError, type EmbeddedSpace } from '../../adapters/embedded/index.js'
import { empty, fillWork, numbers, recordingLog, type LogLine } from '../adapters/embedded/broker-fixture.js'
import { makeRandom, type Random } from '../fixtures/packet-mutants.js'
import { Program } from '../fixtures/program.js'
import { SOAK } from './scene.js'

const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 0x7fff_ffff)
const MESSAGES = 3000
const FLIPS = SOAK ? 300 : 5

interface Damage {
  readonly what: string
  readonly times: number
  readonly act: (path: string, random: Random) => void
}

const change = (path: string, edit: (bytes: Buffer) => void): void => {
  const bytes = readFileSync(path)
  if (bytes.length === 0) return
  edit(bytes)
  writeFileSync(path, bytes)
}

const DAMAGES: readonly Damage[] = [
  { what: 'deleted', times: 1, act: path => rmSync(path) },
  { what: 'empty', times: 1, act: path => truncateSync(path) },
  {
    what: 'cut off',
    times: FLIPS,
    act: (path, random) => truncateSync(path, random(Math.max(1, statSync(path).size)))
  },
  {
    what: 'cut off by a little',
    times: FLIPS,
    act: (path, random) => truncateSync(path, Math.max(0, statSync(path).size - 1 - random(300)))
  },
  {
    what: 'with a bit turned',
    times: FLIPS,
    act: (path, random) =>
      change(path, bytes => {
        const at = random(bytes.length)
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8))
      })
  },
  {
    what: 'with a hole',
    times: FLIPS,
    act: (path, random) =>
      change(path, bytes => {
        const at = random(bytes.length)
        bytes.fill(0, at, Math.min(bytes.length, at + 4096))
      })
  },
  {
    what: 'garbage',
    times: 2,
    act: (path, random) =>
      change(path, bytes => {
        for (let at = 0; at < bytes.length; at++) bytes[at] = random(256)
      })
  },
  { what: 'a directory', times: 1, act: path => (rmSync(path), mkdirSync(path)) }
]

describe(`a damaged data directory, seed ${SEED}`, function () {
  this.timeout(SOAK ? 3_600_000 : 60_000)
  const root = mkdtempSync(join(tmpdir(), 'damage-'))
  const good = join(root, 'good')
  const bad = join(root, 'bad')
  const expected = numbers(0, MESSAGES)

  const open = (directory: string, lines: LogLine[]): Promise<EmbeddedSpace> =>
    openEmbeddedSpace({
      ...{ name: 'test', directory, users: [], anonymous: true, mqtt: undefined },
      addresses: [{ name: 'work', type: 'queue' }],
      log: recordingLog(lines)
    })

  // a third in a table, a third in a second one, a third in the log
  before(async () => {
    for (let third = 0; third < 3; third++) {
      const space = await open(good, [])
      const size = MESSAGES / 3
      for (let from = third * size; from < (third + 1) * size; from += 500)
        await fillWork(await space.connect('service'), expected.slice(from, from + 500))
      await space.close()
    }
  })
  after(() => rmSync(root, { recursive: true, force: true }))

  /** How a start on `bad` went. */
  async function start(): Promise<'refused' | 'told' | 'whole' | 'silent'> {
    const lines: LogLine[] = []
    let space: EmbeddedSpace
    try {
      space = await open(bad, lines)
    } catch (error) {
      assert.ok(error instanceof StoreError && error.message.includes(bad), String(error))
      return 'refused'
    }
    const { texts } = await empty(await space.connect('service'), 'work')
    const there = new Set(texts())
    await space.close()
    if (expected.every(text => there.has(text))) return 'whole'
    return lines.some(({ level }) => level === 'warn' || level === 'error') ? 'told' : 'silent'
  }

  const files = (): string[] => readdirSync(good).filter(name => name !== 'LOG.old')

  for (const { what, times, act } of DAMAGES) {
    it(`says what it lacks, each file ${what}`, async () => {
      const random = makeRandom(SEED)
      const seen = new Map<string, Set<string>>()
      for (const name of files()) {
        for (let time = 0; time < times; time++) {
          rmSync(bad, { recursive: true, force: true })
          cpSync(good, bad, { recursive: true })
          act(join(bad, name), random)
          const result = await start()
          assert.notEqual(
            result,
            'silent',
            `${name} ${what}, time ${time}, seed ${SEED}: messages are lost, and no word`
          )
          seen.set(name, (seen.get(name) ?? new Set()).add(result))
        }
      }
      const shown = [...seen].map(([name, results]) => `${name} ${[...results].sort().join('|')}`)
      process.stdout.write(`    ${what}: ${shown.join(', ')}\n`)
      assert.equal(seen.size, files().length)
    })
  }

  it('starts whole where nothing is damaged, again and again', async () => {
    rmSync(bad, { recursive: true, force: true })
    cpSync(good, bad, { recursive: true })
    const lines: LogLine[] = []
    for (let i = 0; i < 3; i++) await (await open(bad, lines)).close()
    assert.deepEqual(lines, [])
    assert.equal(await start(), 'whole')
  })

  it('goes on without what is missing once the note of it is removed', async () => {
    rmSync(bad, { recursive: true, force: true })
    cpSync(good, bad, { recursive: true })
    const log = files().find(name => name.endsWith('.log')) ?? assert.fail('no log')
    truncateSync(join(bad, log), Math.floor(statSync(join(bad, log)).size / 2))
    assert.equal(await start(), 'refused')
    assert.equal(await start(), 'refused')
    rmSync(join(bad, 'synced'))
    assert.equal(await start(), 'told')
    assert.equal(await start(), 'silent') // it was told before
  })

  it('is a line on stderr and a non-zero exit of the program, no crash', async () => {
    const data = join(root, 'program')
    const random = makeRandom(SEED)
    for (const name of files().filter(each => each !== 'LOCK' && each !== 'LOG' && each !== 'synced')) {
      rmSync(data, { recursive: true, force: true })
      mkdirSync(data)
      cpSync(good, join(data, 'default'), { recursive: true })
      change(join(data, 'default', name), bytes => {
        for (let at = 0; at < bytes.length; at++) bytes[at] = random(256)
      })
      const program = new Program(['--mqtt-port', '0', '--amqp-port', '0', '--data', data])
      assert.deepEqual(await program.exited, { code: 1, signal: null }, `${name}: ${program.stderr}`)
      const [line = '', rest] = program.stderr.split('\n')
      assert.equal(rest, '', program.stderr)
      assert.match(line, /^mqtt-over-amqp: data directory .* (?:is damaged|cannot be opened)/, name)
    }
  })
})
