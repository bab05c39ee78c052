// The embedded host's broker core: an address space in this process.

export { openEmbeddedSpace, EmbeddedSpace, type EmbeddedSpaceOptions } from './space.js'
export { EmbeddedConnection } from './connection.js'
export { DEFAULT_LIMITS, type Limits } from './limits.js'
export { StoreError } from './store-error.js'
export { EmbeddedPrincipal, type User } from './users.js'
