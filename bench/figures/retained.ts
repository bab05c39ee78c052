// node --import tsx bench/figures/retained.ts [topics]
// Retained messages of 100 bytes on 100,000 topics, then the server is started again on them, and when it has come to rest one client
// subscribes to # with QoS 1: at most 20 copies are on their way to it at once. How long until the first one and until all have come, and how much memory the
// server took for that.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RawClient } from '../mqtt/client.js'
import { publishPacket } from '../mqtt/packets.js'
import { anonymousBytes, cpuSeconds, peakRssBytes, rssBytes } from '../proc.js'
import { settled } from '../scenarios/idle.js'
import { startOurs, type Ports } from '../servers/ours.js'

const PAYLOAD_BYTES = 100
const UNACKNOWLEDGED = 1000
const SAMPLE_MS = 20

const topics = Number(process.argv[2] ?? 100_000)
const dataDir = mkdtempSync(join(tmpdir(), 'figures-retained-'))

const ms = (value: number): string => `${value.toFixed(0)} ms`
const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`

/** One publisher with QoS 1, a message per topic, whose payload begins with its number; resolves when all are acknowledged. */
async function fill({ mqttPort }: Ports): Promise<void> {
  let [sent, acknowledged] = [0, 0]
  let [finish, fail]: [() => void, (error: Error) => void] = [() => {}, () => {}]
  const finished = new Promise<void>((resolve, reject) => {
    finish = resolve
    fail = reject
  })
  const client = await RawClient.connect(mqttPort, 'publisher', {
    onTraffic: (_, pubacks) => {
      acknowledged += pubacks
      pump()
      if (acknowledged === topics) finish()
    },
    onLost: error => fail(error ?? new Error('the connection of the publisher was lost'))
  })
  const pump = (): void => {
    const packets: Buffer[] = []
    for (; sent < topics && sent - acknowledged < UNACKNOWLEDGED; sent++) {
      const payload = Buffer.alloc(PAYLOAD_BYTES)
      payload.writeUInt32BE(sent)
      const packet = publishPacket(`plant/${sent % 100}/device/${sent}`, payload, 1, (sent % 60_000) + 1)
      packet[0] = (packet[0] ?? 0) | 1
      packets.push(packet)
    }
    if (packets.length > 0) client.write(Buffer.concat(packets))
  }
  pump()
  await finished
  await client.end()
}

interface Replayed {
  readonly firstMs: number
  readonly subackMs: number
  readonly allMs: number
}

/** Resolves when a message of each topic has come. */
async function replay({ mqttPort }: Ports): Promise<Replayed> {
  const seen = new Uint8Array(topics)
  let count = 0
  let firstMs = 0
  let from = 0
  let [finish, fail]: [() => void, (error: Error) => void] = [() => {}, () => {}]
  const finished = new Promise<void>((resolve, reject) => {
    finish = resolve
    fail = reject
  })
  const client = await RawClient.connect(mqttPort, 'subscriber', {
    onPublish: ({ bytes, payloadStart }) => {
      if (count === 0) firstMs = performance.now() - from
      const index = bytes.readUInt32BE(payloadStart)
      if (seen[index] === 1) return
      seen[index] = 1
      count += 1
      if (count === topics) finish()
    },
    onLost: error => fail(error ?? new Error(`the connection was lost after ${count} topics`))
  })
  from = performance.now()
  await client.subscribe('#', 1)
  const subackMs = performance.now() - from
  await finished
  const allMs = performance.now() - from
  await client.end()
  return { firstMs, subackMs, allMs }
}

try {
  const before = await startOurs({ dataDir })
  const filledFrom = performance.now()
  await fill(before.ready)
  const perSecond = (topics / (performance.now() - filledFrom)) * 1000
  const cpuUs = (cpuSeconds(before.pid) / topics) * 1e6
  console.log(
    `filled: ${topics} topics at ${perSecond.toFixed(0)}/s, server ${cpuUs.toFixed(1)} µs CPU a message`
  )
  await before.stop()

  const server = await startOurs({ dataDir })
  console.log(
    `restart: ready after ${ms(server.readyAt - server.startedAt)}, ${mb(rssBytes(server.pid))} resident`
  )
  const held = await settled(server.pid)
  let most = held
  const sampling = setInterval(() => (most = Math.max(most, anonymousBytes(server.pid))), SAMPLE_MS)
  const cpuFrom = cpuSeconds(server.pid)
  const { firstMs, subackMs, allMs } = await replay(server.ready)
  clearInterval(sampling)
  const copyUs = ((cpuSeconds(server.pid) - cpuFrom) / topics) * 1e6
  console.log(`SUBACK after ${ms(subackMs)}, first copy after ${ms(firstMs)}`)
  console.log(
    `all ${topics} after ${ms(allMs)}: ${((topics / allMs) * 1000).toFixed(0)}/s, server ${copyUs.toFixed(1)} µs CPU a copy`
  )
  console.log(
    `memory: ${mb(held)} before, ${mb(most)} at most (+${mb(most - held)}); peak ${mb(peakRssBytes(server.pid))}`
  )
  await server.stop()
} finally {
  rmSync(dataDir, { recursive: true, force: true })
}
