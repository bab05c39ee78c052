// SIGINT and SIGTERM: the first one asks the program to stop, the next one ends it at once.
// Rule: one Ctrl-C counts once, though a package tool that runs us passes on the SIGINT that the terminal sent us too.

/** ms in which a second signal is taken for an echo of the first. */
const ECHO_MS = 300

/** Answers each signal with what it asks for; `now` is a number of ms that never goes back. */
export class StopSignals {
  #firstAt: number | undefined

  receive(now: number): 'stop' | 'echo' | 'kill' {
    if (this.#firstAt === undefined) {
      this.#firstAt = now
      return 'stop'
    }
    return now - this.#firstAt < ECHO_MS ? 'echo' : 'kill'
  }
}
