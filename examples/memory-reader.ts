// A link in memory on which the plugin sends: a receiver on one side, its server on the other.
// Rule: the credit is the receiver's; what the receiver says of a message is told to the server.

import { AmqpError } from '../plugin/errors.js'
import type {
  Delivery,
  LinkError,
  Message,
  Outcome,
  Principal,
  Receiver,
  ReceiverOptions,
  ServedReader
} from '../plugin/host.js'
import type { End } from './memory-space.js'

type Handlers = Parameters<ServedReader['accept']>[0]

/** How links end whose server stopped; it needs not be told. */
export const UNSERVED: LinkError = {
  condition: 'amqp:link:detach-forced',
  description: 'the server is gone'
}

/** Makes the end of a link: `onEnd` is what it does to the server. */
type MakeEnd = (onEnd: (closed: Parameters<End>[0]) => void) => End

/** Throws what the server refuses the link with. */
export function openReader(
  onReader: (reader: ServedReader) => void,
  options: ReceiverOptions & { readonly name: string; readonly address: string },
  user: Principal | 'service',
  makeEnd: MakeEnd
): Receiver {
  const { name, address, window } = options
  let server: Handlers | undefined
  let refusal: LinkError | undefined
  let open = true
  let credit = 0
  const end = makeEnd(closed => {
    open = false
    credit = 0
    if (closed.error !== UNSERVED) server?.onClosed(closed)
  })
  const addCredit = (more: number): void => {
    const before = credit
    if (open) credit = Math.max(0, credit + more)
    // later, so that a receiver that settles at once does not make the server call itself
    if (before === 0 && credit > 0) queueMicrotask(() => credit > 0 && server?.onCredit())
  }
  const deliveryOf = (message: Message, onOutcome?: (outcome: Outcome) => void): Delivery => {
    let settled = false
    const settle = (outcome: Outcome): void => {
      if (settled || !open) return
      settled = true
      if (window > 0) addCredit(1)
      onOutcome?.(outcome)
    }
    return { message, id: undefined, deliveryCount: message.deliveryCount, settle }
  }
  onReader({
    ...{ name, address, user },
    get credit() {
      return credit
    },
    accept: handlers => (server = handlers),
    send: (message, onOutcome) => {
      if (credit === 0) throw new RangeError('no credit')
      credit -= 1
      options.onDelivery(deliveryOf(message, onOutcome))
    },
    close: error => {
      if (server === undefined) refusal = error
      server = undefined // it needs not be told
      end(error ? { cause: 'error', error } : { cause: 'clean' }, true)
    }
  })
  if (server === undefined) {
    end({ cause: 'clean' })
    throw new AmqpError(refusal?.condition ?? 'amqp:not-allowed', refusal?.description ?? 'refused')
  }
  setImmediate(() => addCredit(window))
  const drain = async (): Promise<void> => {
    await server?.onDrain?.()
    credit = 0
  }
  const close = async (error?: LinkError): Promise<void> =>
    end(error ? { cause: 'error', error } : { cause: 'clean' })
  return { name, address, addCredit, drain, close }
}
