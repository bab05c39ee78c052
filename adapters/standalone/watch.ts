// What the program tells whoever watches it: the HTTP listener, where one is configured, and whether the program is ready.
// Rule: it is there before the first space starts, and until the last one has ended.

import type { Configuration, HttpConfiguration } from './configuration.js'
import { httpFailure } from './failures.js'
import type { StandaloneHost } from './host.js'
import { listenHttp, type HttpListener } from './http-listener.js'
import { Readiness } from './readiness.js'

export class Watch {
  readonly #http: HttpConfiguration | undefined
  readonly #host: StandaloneHost
  readonly #readiness: Readiness
  #listener: HttpListener | undefined

  constructor({ http, spaces, refused }: Configuration, host: StandaloneHost) {
    this.#http = http
    this.#host = host
    const names = [...spaces, ...refused].map(({ name }) => name)
    this.#readiness = new Readiness(names, space => host.status(space))
  }

  /** Where it listens; undefined: nowhere. */
  get address(): { readonly host: string; readonly port: number } | undefined {
    return this.#listener
  }

  /** Throws StartupError where it cannot listen. */
  async open(): Promise<void> {
    if (this.#http === undefined) return
    const { log, metrics } = this.#host
    try {
      const reasons = (): readonly string[] => this.#readiness.reasons()
      this.#listener = await listenHttp({ ...this.#http, log, metrics, reasons })
    } catch (error) {
      throw httpFailure(this.#http, error)
    }
  }

  /** Every space has started, or has failed and said why. */
  started(): void {
    this.#readiness.started()
  }

  /** The end has begun. */
  draining(): void {
    this.#readiness.draining()
  }

  async close(): Promise<void> {
    await this.#listener?.close()
    this.#listener = undefined
  }
}
