// A host whose broker is in another process, reached over AMQP.

export { openRemoteSpace, type RemoteSpace, type RemoteSpaceOptions } from './space.js'
