// mosquitto, where it is installed: a server in C, for scale. It has no port that the system chooses, so one is found first.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ServerProcess } from './process.js'
import type { RunningServer, ServerKind } from './types.js'

export const mosquitto: ServerKind = {
  name: 'mosquitto',
  missing() {
    try {
      execFileSync('sh', ['-c', 'PATH="$PATH:/usr/sbin" command -v mosquitto'])
      return undefined
    } catch {
      return 'mosquitto is not installed'
    }
  },
  async start(): Promise<RunningServer> {
    const dir = mkdtempSync(join(tmpdir(), 'bench-mosquitto-'))
    const mqttPort = await freePort()
    const config = join(dir, 'mosquitto.conf')
    writeFileSync(
      config,
      `listener ${mqttPort} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nset_tcp_nodelay true\n`
    )
    const server = await ServerProcess.start({
      command: 'sh',
      args: ['-c', `PATH="$PATH:/usr/sbin" exec mosquitto -c ${config}`],
      ready: line => (line.includes('running') ? true : undefined)
    })
    return {
      pid: server.pid,
      output: server.output,
      mqttPort,
      async stop() {
        await server.stop()
        rmSync(dir, { recursive: true, force: true })
      }
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      if (address === null || typeof address === 'string') throw new Error('a TCP socket has a port')
      probe.close(() => resolve(address.port))
    })
  })
}
