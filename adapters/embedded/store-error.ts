// What can be wrong with a store.
// Rule: the message names the directory, and what would do.

/** The store cannot be opened or written. */
export class StoreError extends Error {
  readonly code: 'STORE_IN_USE' | 'STORE_DAMAGED' | 'STORE_TOO_NEW' | 'STORE_FAILED'

  constructor(code: StoreError['code'], message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'StoreError'
    this.code = code
  }
}
