// Starts the program of this package, as a user would: built, with plain node.

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ServerProcess } from './process.js'
import type { RunningServer, ServerKind, ServerOptions } from './types.js'

const PROGRAM = fileURLToPath(new URL('../../dist/mqtt-over-amqp.js', import.meta.url))

export interface Ports {
  readonly mqttPort: number
  readonly amqpPort: number
}

export interface OursOptions extends ServerOptions {
  readonly dataDir: string
  /** a program with arguments that runs the server, as strace does */
  readonly under?: readonly string[]
}

/** The program on a data directory, at ports that the system chooses. */
export function startOurs(options: OursOptions): Promise<ServerProcess<Ports>> {
  const { dataDir, under = [], nodeArgs = [] } = options
  const node = [process.execPath, ...nodeArgs, PROGRAM]
  const args = ['--mqtt-port', '0', '--amqp-port', '0', '--data', dataDir]
  const [command = process.execPath, ...rest] = [...under, ...node, ...args]
  return ServerProcess.start({ command, args: rest, ready: readPorts })
}

/** The ports that the ready line names. */
export function readPorts(line: string): Ports | undefined {
  const mqtt = /mqtt\D*?(?:\d+\.\d+\.\d+\.\d+:)?(\d{2,5})\b/i.exec(line)?.[1]
  const amqp = /amqp\D*?(?:\d+\.\d+\.\d+\.\d+:)?(\d{2,5})\b/i.exec(line)?.[1]
  if (mqtt === undefined || amqp === undefined) return undefined
  return { mqttPort: Number(mqtt), amqpPort: Number(amqp) }
}

export const ours: ServerKind = {
  name: 'ours',
  missing: () => (existsSync(PROGRAM) ? undefined : 'dist/ is not there: npm run build'),
  async start(options): Promise<RunningServer> {
    const dataDir = mkdtempSync(join(tmpdir(), 'bench-ours-'))
    const server = await startOurs({ ...options, dataDir })
    return {
      pid: server.pid,
      mqttPort: server.ready.mqttPort,
      async stop() {
        await server.stop()
        rmSync(dataDir, { recursive: true, force: true })
      }
    }
  }
}
