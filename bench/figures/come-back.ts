// node --import tsx bench/figures/come-back.ts [sessions] [messages]
// 1,000 durable sessions with 1,000 queued messages of 100 bytes each, then the server is started again on them and all clients come
// back at once: how long until each has all of its messages, and how much memory the server took for that. The page cache is warm.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RawClient, type ClientHandlers } from '../mqtt/client.js'
import { publishPacket } from '../mqtt/packets.js'
import { anonymousBytes, cpuSeconds, peakRssBytes, rssBytes } from '../proc.js'
import { settled } from '../scenarios/idle.js'
import { startOurs, type Ports } from '../servers/ours.js'

const PAYLOAD_BYTES = 100
const PUBLISHERS = 10
const UNACKNOWLEDGED = 200
/** clients that connect at the same time while sessions are made */
const AT_ONCE = 64
const CHUNK_BYTES = 4096
const SAMPLE_MS = 20

const sessions = Number(process.argv[2] ?? 1000)
const messages = Number(process.argv[3] ?? 1000)
const all = sessions * messages
const dataDir = mkdtempSync(join(tmpdir(), 'figures-come-back-'))

const ms = (value: number): string => `${value.toFixed(0)} ms`
const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`
const clientId = (session: number): string => `session-${session}`

/** The sessions, each with a filter of its own. */
async function make({ mqttPort }: Ports): Promise<void> {
  let next = 0
  const some = async (): Promise<void> => {
    for (let session = next++; session < sessions; session = next++) {
      const options = { chunkBytes: CHUNK_BYTES, clean: false }
      const client = await RawClient.connect(mqttPort, clientId(session), {}, options)
      await client.subscribe(`come/back/${session}`, 1)
      await client.end()
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, some))
}

/** Publisher `first` of all: the sessions in turn, their messages numbered. */
async function fill({ mqttPort }: Ports, first: number): Promise<void> {
  const mine = Math.ceil((sessions - first) / PUBLISHERS) * messages
  let [sent, acknowledged] = [0, 0]
  let [finish, fail]: [() => void, (error: Error) => void] = [() => {}, () => {}]
  const finished = new Promise<void>((resolve, reject) => {
    finish = resolve
    fail = reject
  })
  const client = await RawClient.connect(mqttPort, `publisher-${first}`, {
    onTraffic: (_, pubacks) => {
      acknowledged += pubacks
      pump()
      if (acknowledged === mine) finish()
    },
    onLost: error => fail(error ?? new Error('the connection of a publisher was lost'))
  })
  const pump = (): void => {
    const packets: Buffer[] = []
    for (; sent < mine && sent - acknowledged < UNACKNOWLEDGED; sent++) {
      const session = first + PUBLISHERS * Math.floor(sent / messages)
      const payload = Buffer.alloc(PAYLOAD_BYTES)
      payload.writeUInt32BE(sent % messages)
      packets.push(publishPacket(`come/back/${session}`, payload, 1, (sent % 60_000) + 1))
    }
    if (packets.length > 0) client.write(Buffer.concat(packets))
  }
  pump()
  await finished
  await client.end()
}

/** CONNACK 3: the services are busy with others. */
const UNAVAILABLE = 'CONNACK 3'

class Session {
  refused = 0
  readonly #number: number
  readonly #onFirst: () => void
  #next = 0
  #finish: () => void = () => {}
  #fail: (error: Error) => void = () => {}

  constructor(number: number, onFirst: () => void) {
    this.#number = number
    this.#onFirst = onFirst
  }

  /** Resolves when all of its messages have come, in order, each once. A client that is refused tries again. */
  async comeBack({ mqttPort }: Ports): Promise<void> {
    const finished = new Promise<void>((resolve, reject) => {
      this.#finish = resolve
      this.#fail = reject
    })
    const client = await this.#connect(mqttPort)
    if (!client.sessionPresent) throw new Error(`${clientId(this.#number)} was not there`)
    await finished
    await client.end()
  }

  async #connect(port: number): Promise<RawClient> {
    for (;;) {
      try {
        return await RawClient.connect(port, clientId(this.#number), this.#handlers, {
          chunkBytes: CHUNK_BYTES,
          clean: false
        })
      } catch (error) {
        if (!(error instanceof Error && error.message === UNAVAILABLE)) throw error
        this.refused += 1
      }
    }
  }

  get #handlers(): ClientHandlers {
    return {
      onPublish: ({ bytes, payloadStart }) => {
        const index = bytes.readUInt32BE(payloadStart)
        if (index !== this.#next)
          this.#fail(new Error(`${clientId(this.#number)}: message ${index} in place of ${this.#next}`))
        if (this.#next === 0) this.#onFirst()
        this.#next += 1
        if (this.#next === messages) this.#finish()
      },
      onLost: error => this.#fail(error ?? new Error(`${clientId(this.#number)} was lost at ${this.#next}`))
    }
  }
}

try {
  const before = await startOurs({ dataDir })
  const madeFrom = performance.now()
  await make(before.ready)
  console.log(`made: ${sessions} sessions in ${ms(performance.now() - madeFrom)}`)
  const [filledFrom, filledCpu] = [performance.now(), cpuSeconds(before.pid)]
  await Promise.all(Array.from({ length: PUBLISHERS }, (_, first) => fill(before.ready, first)))
  const perSecond = (all / (performance.now() - filledFrom)) * 1000
  const fillUs = ((cpuSeconds(before.pid) - filledCpu) / all) * 1e6
  console.log(
    `filled: ${all} messages at ${perSecond.toFixed(0)}/s, server ${fillUs.toFixed(1)} µs CPU a message`
  )
  console.log(`server: ${mb(rssBytes(before.pid))} resident, peak ${mb(peakRssBytes(before.pid))}`)
  await before.stop()

  const server = await startOurs({ dataDir })
  console.log(`restart: ready after ${ms(server.readyAt - server.startedAt)}`)
  const held = await settled(server.pid)
  let most = held
  const sampling = setInterval(() => (most = Math.max(most, anonymousBytes(server.pid))), SAMPLE_MS)
  const [from, cpuFrom] = [performance.now(), cpuSeconds(server.pid)]
  const firsts: number[] = []
  const clients = Array.from(
    { length: sessions },
    (_, number) => new Session(number, () => firsts.push(performance.now() - from))
  )
  await Promise.all(clients.map(client => client.comeBack(server.ready)))
  const allMs = performance.now() - from
  clearInterval(sampling)
  const copyUs = ((cpuSeconds(server.pid) - cpuFrom) / all) * 1e6
  const refused = clients.reduce((sum, client) => sum + client.refused, 0)
  console.log(`refused as unavailable, and tried again: ${refused}`)
  console.log(
    `first message after ${ms(firsts[0] ?? 0)}; ${ms(firsts.at(-1) ?? 0)} until each client had its first`
  )
  console.log(
    `all ${all} after ${ms(allMs)}: ${((all / allMs) * 1000).toFixed(0)}/s, server ${copyUs.toFixed(1)} µs CPU a message`
  )
  console.log(
    `memory: ${mb(held)} before, ${mb(most)} at most (+${mb(most - held)}); peak ${mb(peakRssBytes(server.pid))}, ` +
      `${mb(await settled(server.pid))} afterwards`
  )
  await server.stop()
} finally {
  rmSync(dataDir, { recursive: true, force: true })
}
