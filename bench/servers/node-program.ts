// A server of a few lines of JavaScript in a process of its own, on plain node: a loader for TypeScript would be measured too.

import { fileURLToPath } from 'node:url'
import { ServerProcess } from './process.js'
import type { RunningServer, ServerOptions } from './types.js'

/** Starts the program `file` of this folder, which says `listening on PORT`. */
export async function startNodeProgram(
  file: string,
  { nodeArgs = [] }: ServerOptions
): Promise<RunningServer> {
  const server = await ServerProcess.start({
    command: process.execPath,
    args: [...nodeArgs, fileURLToPath(new URL(file, import.meta.url))],
    ready: line => /^listening on (\d+)$/.exec(line)?.[1]
  })
  return {
    pid: server.pid,
    output: server.output,
    mqttPort: Number(server.ready),
    async stop() {
      await server.stop()
    }
  }
}
