// A host whose broker is ActiveMQ Artemis, reached over AMQP.

export { openArtemisSpace, type ArtemisSpace, type ArtemisSpaceOptions } from './space.js'
