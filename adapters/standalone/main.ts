// The program `mqtt-over-amqp`: arguments in, a running server until a signal, an exit code out.
// Rule: stdout has log lines (or what --help and --version ask for), stderr the reason why the program could not start.

import manifest from '../../manifest.json' with { type: 'json' }
import type { Logger } from '../../plugin/host.js'
import { helpText, parseArguments, type RunArguments } from './arguments.js'
import { check } from './check.js'
import { configure, sourceOf } from './configuration.js'
import { StandaloneServer } from './index.js'
import { createLogger } from './logging.js'
import { StartupError } from './startup-error.js'
import { StopSignals } from './stop-signals.js'

/** ms from the first signal until clients are cut off */
const CLOSE_DEADLINE_MS = 10_000
/** ms after that, or after a bug showed, in which the data must be committed */
const COMMIT_DEADLINE_MS = 5_000

async function main(): Promise<void> {
  const args = parseArguments(process.argv.slice(2))
  switch (args.action) {
    case 'help':
      return void process.stdout.write(`${helpText()}\n`)
    case 'version':
      return void process.stdout.write(`${manifest.version}\n`)
    case 'check':
      check(args)
      return void process.stdout.write('the configuration is valid\n')
    case 'run':
      return await run(args)
    default:
      args satisfies never
  }
}

async function run(args: RunArguments): Promise<void> {
  const stopped = waitForStop()
  const configuration = configure(args)
  const log = createLogger(configuration.log.level, process.stdout.fd)
  const server = new StandaloneServer(configuration, sourceOf(args), log)
  exitOnBug(server, log)
  const spaces = await server.start()
  log.info({ version: manifest.version, spaces, http: server.httpAddress }, 'ready')
  await stopped
  exitAfter(CLOSE_DEADLINE_MS + COMMIT_DEADLINE_MS, log)
  await server.close(Date.now() + CLOSE_DEADLINE_MS)
  log.debug({ metrics: server.metrics }, 'metrics')
  log.info({}, 'stopped')
  process.exit(0)
}

/** Resolves with the first signal; a second one ends the process at once. */
function waitForStop(): Promise<void> {
  const signals = new StopSignals()
  return new Promise(resolve => {
    const receive = () => {
      const asked = signals.receive(performance.now())
      if (asked === 'stop') resolve()
      if (asked === 'kill') process.exit(1)
    }
    process.on('SIGINT', receive)
    process.on('SIGTERM', receive)
  })
}

/** What nobody caught is a bug: it is logged with its stack, what can be committed is, and the exit code is 1. */
function exitOnBug(server: StandaloneServer, log: Logger): void {
  process.once('uncaughtException', err => {
    log.error({ err }, 'a bug ends the process')
    process.on('uncaughtException', () => process.exit(1))
    exitAfter(COMMIT_DEADLINE_MS, log)
    server.close(Date.now()).then(
      () => process.exit(1),
      () => process.exit(1)
    )
  })
}

function exitAfter(ms: number, log: Logger): void {
  setTimeout(() => {
    log.error({ ms }, 'closing took too long')
    process.exit(1)
  }, ms).unref()
}

main().catch((error: unknown) => {
  if (!(error instanceof StartupError)) throw error
  const lines = error.message.split('\n').map(line => `mqtt-over-amqp: ${line}\n`)
  process.stderr.write(lines.join(''), () => process.exit(error.exitCode))
})
