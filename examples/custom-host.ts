// A platform of its own with the plugin on it, all in memory: what a host must offer, and no more.
//   node --import tsx examples/custom-host.ts [MQTT port]
// Rule: it knows the plugin by its port alone; what a space does is in memory-space.ts.

import { pathToFileURL } from 'node:url'
import type {
  AddressSpace,
  Authentication,
  Credentials,
  Host,
  HostHooks,
  Logger,
  Principal,
  SpaceStatus
} from '../plugin/host.js'
import { plugin } from '../plugin/index.js'
import { MemorySpace } from './memory-space.js'

const CLOSE_MS = 2000

const everybody: Principal = {
  name: 'anonymous',
  maySend: () => true,
  mayReceive: () => true,
  mayUse: () => true
}

/** Lets in who has no name. */
const authenticate = async ({ mechanism }: Credentials): Promise<Authentication> =>
  mechanism === 'ANONYMOUS'
    ? { principal: everybody }
    : { refused: 'bad-credentials', description: 'there are no users' }

const write =
  (level: string) =>
  (fields: object, message: string): void =>
    console.log(JSON.stringify({ level, message, ...fields }))
const log: Logger = {
  debug: () => undefined,
  info: write('info'),
  warn: write('warn'),
  error: write('error')
}

export class CustomHost implements Host {
  readonly name = 'custom host'
  readonly apiVersion = 1
  readonly log = log
  readonly metrics = { counter: () => ({ add: () => undefined }), gauge: () => ({ close: () => undefined }) }
  readonly #hooks: Partial<HostHooks> = {}
  readonly #statuses = new Map<string, SpaceStatus>()

  constructor() {
    plugin.register(this)
  }

  on<K extends keyof HostHooks>(hook: K, handler: HostHooks[K]): void {
    this.#hooks[hook] = handler
  }

  report(space: string, status: SpaceStatus): void {
    this.#statuses.set(space, status)
  }

  /** Resolves with what the plugin says of the space. */
  async add(space: AddressSpace): Promise<SpaceStatus | undefined> {
    await this.#hooks.addressSpaceAdded?.(space)
    return this.#statuses.get(space.name)
  }

  async close(): Promise<void> {
    await this.#hooks.closing?.(Date.now() + CLOSE_MS)
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const host = new CustomHost()
  const port = Number(process.argv[2] ?? 1883)
  const status = await host.add(new MemorySpace('default', { listener: { port } }, authenticate))
  console.log(JSON.stringify(status))
  process.once('SIGINT', () => void host.close())
}
