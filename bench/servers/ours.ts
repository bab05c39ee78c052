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

/** The ports of the first space that the log line `ready` names; undefined for any other line. */
export function readPorts(line: string): Ports | undefined {
  if (!line.startsWith('{') || !line.includes('"ready"')) return undefined
  const { msg, spaces } = JSON.parse(line) as ReadyLine
  if (msg !== 'ready') return undefined
  return { mqttPort: portOf(spaces?.[0]?.mqtt[0]), amqpPort: portOf(spaces?.[0]?.amqp) }
}

interface ReadyLine {
  readonly msg: string
  readonly spaces?: readonly { readonly mqtt: readonly string[]; readonly amqp: string }[]
}

function portOf(address: string | undefined): number {
  const port = Number(address?.slice(address.lastIndexOf(':') + 1))
  if (!Number.isInteger(port)) throw new Error(`no port in ${address}`)
  return port
}

export const ours: ServerKind = {
  name: 'ours',
  missing: () => (existsSync(PROGRAM) ? undefined : 'dist/ is not there: npm run build'),
  async start(options): Promise<RunningServer> {
    const dataDir = mkdtempSync(join(tmpdir(), 'bench-ours-'))
    const server = await startOurs({ ...options, dataDir })
    return {
      pid: server.pid,
      output: server.output,
      mqttPort: server.ready.mqttPort,
      async stop() {
        await server.stop()
        rmSync(dataDir, { recursive: true, force: true })
      }
    }
  }
}
