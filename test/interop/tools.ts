// The programs that interop tests need and this package does not bring.
// Rule: what is not there is said once on the console, and the test is not run; with REQUIRE_INTEROP=1 it fails instead.

import { spawnSync, type SpawnSyncReturns } from 'node:child_process'

/** Debian's Python, which its packages python3-… belong to. */
export const PYTHON = '/usr/bin/python3'

const TOOLS = {
  mosquitto: {
    package: 'mosquitto-clients',
    // both exit with 1 after --help
    isThere: () => ['mosquitto_pub', 'mosquitto_sub'].every(name => run(name, '--help').error === undefined)
  },
  paho: {
    package: 'python3-paho-mqtt',
    isThere: () => run(PYTHON, '-c', 'import paho.mqtt.client').status === 0
  },
  proton: {
    package: 'python3-qpid-proton',
    isThere: () => run(PYTHON, '-c', 'import proton').status === 0
  }
} as const

export type Tool = keyof typeof TOOLS

const known = new Map<Tool, boolean>()

/** A mocha hook that runs the tests of its suite only where `tool` is. */
export function need(tool: Tool): (this: Mocha.Context) => void {
  return function () {
    if (isThere(tool)) return
    if (process.env['REQUIRE_INTEROP'] === '1') throw new Error(lack(tool))
    this.skip()
  }
}

function isThere(tool: Tool): boolean {
  const answer = known.get(tool) ?? TOOLS[tool].isThere()
  if (!answer && !known.has(tool)) console.log(`  interop: ${lack(tool)}; its tests do not run`)
  known.set(tool, answer)
  return answer
}

function lack(tool: Tool): string {
  return `${tool} is not there (Debian package ${TOOLS[tool].package})`
}

function run(command: string, ...args: readonly string[]): SpawnSyncReturns<Buffer> {
  return spawnSync(command, args, { stdio: 'ignore' })
}
