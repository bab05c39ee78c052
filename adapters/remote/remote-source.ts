// A source that the broker of another process gives us.
// Rule: it is closed when all that the broker had taken for it before has come; a source that is lost says so, and is not opened again.

import { randomUUID } from 'node:crypto'
import type { Source, SourceOptions } from '../../plugin/host.js'
import { CAPABILITY } from '../embedded/management-protocol.js'
import type { ClientSession } from '../rhea/client-session.js'
import type { ManagementClient } from './management-client.js'

export async function openSource(
  session: ClientSession,
  management: ManagementClient,
  filter: string,
  options: SourceOptions
): Promise<Source> {
  const name = randomUUID()
  let closing: Promise<void> | undefined
  let onEnd: () => void = () => undefined
  const ended = new Promise<void>(resolve => (onEnd = resolve))
  try {
    await session.openReceiver({
      name,
      address: filter,
      kind: 'topic',
      window: options.window,
      capabilities: [CAPABILITY.source],
      onDelivery: options.onDelivery,
      onClosed: closed => {
        onEnd()
        void session.close()
        if (closing === undefined) options.onClosed(closed)
      }
    })
  } catch (error) {
    await session.close()
    throw error
  }
  const close = async (): Promise<void> => {
    await management.request('sources.finish', { name })
    await ended
  }
  return { close: () => (closing ??= close()) }
}
