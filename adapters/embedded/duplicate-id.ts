// The duplicate id that an AMQP client gave its message: the application property of ActiveMQ Artemis, a string or binary.
// Rule: a message without one costs a look at its bytes; the property stays in the message.

import type { AmqpValue, Message } from '../../plugin/host.js'
import { EncodedMessage } from '../rhea/message.js'
import { SECTION } from '../rhea/scan.js'
import type { Identity } from '../rhea/listener/bridge.js'

const DUPLICATE_ID = '_AMQ_DUPL_ID'
const NAME_BYTES = Buffer.from(DUPLICATE_ID)

/** `given`: by the plugin, whose messages may be those of clients, taken before, and have no other. */
export function idOf(message: Message, given: Uint8Array | undefined, who: Identity): Uint8Array | undefined {
  return given ?? (who === 'service' ? undefined : duplicateIdOf(message))
}

/** Undefined where there is none, or an empty one. */
function duplicateIdOf(message: Message): Uint8Array | undefined {
  if (message instanceof EncodedMessage) {
    const section = message.section(SECTION.applicationProperties)
    if (section === undefined || !message.bytes.subarray(section.value, section.end).includes(NAME_BYTES))
      return undefined
  }
  return bytesOf(message.applicationProperties.get(DUPLICATE_ID))
}

function bytesOf(value: AmqpValue | undefined): Uint8Array | undefined {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  return bytes instanceof Uint8Array && bytes.length > 0 ? bytes : undefined
}
