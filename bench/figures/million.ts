// node --import tsx bench/figures/million.ts [messages]
// One durable queue with a million messages of 100 bytes, then the server is started again on it: how long until the first
// delivery, and how much memory the server took until then and while the queue is emptied. The page cache is warm.

import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AmqpClient } from '../amqp/client.js'
import { anonymousBytes, cpuSeconds, peakRssBytes, rssBytes } from '../proc.js'
import { startOurs } from '../servers/ours.js'
import { CLIENT_ID, fill, makeQueue } from './fill.js'

const WINDOW = 1000

const messages = Number(process.argv[2] ?? 1_000_000)
const dataDir = mkdtempSync(join(tmpdir(), 'figures-million-'))

const ms = (value: number): string => `${value.toFixed(0)} ms`
const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`
const sizeOf = (dir: string): number =>
  readdirSync(dir, { withFileTypes: true })
    .map(entry => join(dir, entry.name))
    .reduce((sum, path) => sum + (statSync(path).isDirectory() ? sizeOf(path) : statSync(path).size), 0)

try {
  const before = await startOurs({ dataDir })
  await makeQueue(before.ready)
  const filledFrom = performance.now()
  await fill(before.ready, { messages, unacknowledged: 64 })
  const fillMs = performance.now() - filledFrom
  const cpuUs = (cpuSeconds(before.pid) / messages) * 1e6
  console.log(`filled: ${messages} messages in ${ms(fillMs)}, server ${cpuUs.toFixed(1)} µs CPU a message`)
  console.log(`server: ${mb(rssBytes(before.pid))} resident, peak ${mb(peakRssBytes(before.pid))}`)
  const stoppedFrom = performance.now()
  const exit = await before.stop()
  console.log(
    `stopped in ${ms(performance.now() - stoppedFrom)} with ${exit.code}; on disk ${mb(sizeOf(dataDir))}`
  )

  const server = await startOurs({ dataDir })
  console.log(
    `restart: ready after ${ms(server.readyAt - server.startedAt)}, ${mb(peakRssBytes(server.pid))} peak`
  )
  const amqp = await AmqpClient.connect(server.ready.amqpPort)
  let count = 0
  let firstAt = 0
  await new Promise<void>((resolve, reject) => {
    const onDelivery = ({ accept }: { accept(): void }): void => {
      if (count === 0) {
        firstAt = performance.now()
        console.log(
          `first delivery: ${ms(firstAt - server.startedAt)} after the process started, ` +
            `${ms(firstAt - server.readyAt)} after ready; peak ${mb(peakRssBytes(server.pid))}`
        )
      }
      count += 1
      accept()
      if (count >= messages) resolve()
    }
    amqp.receive(CLIENT_ID, WINDOW, onDelivery).catch(reject)
  })
  const perSecond = (count / (performance.now() - firstAt)) * 1000
  const own = `${mb(anonymousBytes(server.pid))} of ${mb(rssBytes(server.pid))} at the end not mapped files`
  console.log(`emptied: ${count} at ${perSecond.toFixed(0)}/s; peak ${mb(peakRssBytes(server.pid))}, ${own}`)
  await amqp.close()
  await server.stop()
} finally {
  rmSync(dataDir, { recursive: true, force: true })
}
