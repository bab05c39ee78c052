// aedes, in a process of its own with plain node, its defaults and memory persistence.

import { fileURLToPath } from 'node:url'
import { ServerProcess } from './process.js'
import type { RunningServer, ServerKind } from './types.js'

const PROGRAM = fileURLToPath(new URL('aedes-program.mjs', import.meta.url))

export const aedes: ServerKind = {
  name: 'aedes',
  missing: () => undefined,
  async start({ nodeArgs = [] }): Promise<RunningServer> {
    const server = await ServerProcess.start({
      command: process.execPath,
      args: [...nodeArgs, PROGRAM],
      ready: line => /^listening on (\d+)$/.exec(line)?.[1]
    })
    return {
      pid: server.pid,
      mqttPort: Number(server.ready),
      async stop() {
        await server.stop()
      }
    }
  }
}
