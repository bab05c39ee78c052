// The embedded host's broker core: an address space in this process.

export { openEmbeddedSpace, EmbeddedSpace, type EmbeddedSpaceOptions } from './space.js'
export { EmbeddedConnection, type EmbeddedReceiverOptions } from './connection.js'
export type { EmbeddedDelivery } from './consumer.js'
export { DEFAULT_LIMITS, type Limits } from './limits.js'
export { StoreError } from './store-error.js'
export { EmbeddedPrincipal, type User } from './users.js'
