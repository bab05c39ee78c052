// Whether the program may be sent clients: every space of the configuration has started, and nothing ends.
// Rule: what is not ready says why, in one line per reason.

import type { SpaceStatus } from '../../plugin/host.js'

export class Readiness {
  readonly #spaces: readonly string[]
  readonly #status: (space: string) => SpaceStatus | undefined
  #phase: 'starting' | 'running' | 'draining' = 'starting'

  /** `spaces` are those of the configuration; `status` is what the plugin reported of one last. */
  constructor(spaces: readonly string[], status: (space: string) => SpaceStatus | undefined) {
    this.#spaces = spaces
    this.#status = status
  }

  /** All spaces and listeners were opened. */
  started(): void {
    if (this.#phase === 'starting') this.#phase = 'running'
  }

  /** The end has begun; there is no way back. */
  draining(): void {
    this.#phase = 'draining'
  }

  /** Why not; empty: ready. */
  reasons(): readonly string[] {
    if (this.#phase === 'draining') return ['the program is stopping']
    const spaces = this.#spaces.flatMap(space => {
      const reason = reasonOf(this.#status(space))
      return reason === undefined ? [] : [`space ${space}: ${reason}`]
    })
    return this.#phase === 'starting' ? ['the program is starting', ...spaces] : spaces
  }
}

function reasonOf(status: SpaceStatus | undefined): string | undefined {
  switch (status?.state) {
    case undefined:
      return 'starting'
    case 'ready':
    case 'off':
      return undefined
    case 'failed':
      // a change that failed leaves what runs as it was
      return status.listeners.length > 0 ? undefined : status.reason
    case 'stopped':
      return 'stopped'
    default:
      return status satisfies never
  }
}
