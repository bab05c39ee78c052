// The one timer of a client: fires when its session's deadline has passed.
// Rule: a deadline that moves away with each packet costs nothing; the timer looks again when it fires.

export class DeadlineTimer {
  readonly #session: { readonly deadline: number | undefined }
  readonly #onPassed: () => void
  #timer: NodeJS.Timeout | undefined
  #at = Infinity
  #stopped = false

  /** `session.deadline`: ms of performance.now(). */
  constructor(session: { readonly deadline: number | undefined }, onPassed: () => void) {
    this.#session = session
    this.#onPassed = onPassed
  }

  /** After the deadline may have come nearer. */
  arm(): void {
    const { deadline } = this.#session
    if (deadline === undefined || deadline >= this.#at || this.#stopped) return
    clearTimeout(this.#timer)
    this.#at = deadline
    this.#timer = setTimeout(() => this.#fired(), Math.max(0, Math.ceil(deadline - performance.now())))
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #fired(): void {
    this.#at = Infinity
    const { deadline } = this.#session
    if (deadline !== undefined && performance.now() >= deadline) this.#onPassed()
    this.arm()
  }
}
