// An AMQP 1.0 port of a host: the embedded broker's, or one beside a broker that is not ours.
// Rule: a listener that is closed has no socket left; what a client can cost is limited by the options.

import { createServer, type AddressInfo, type Server } from 'node:net'
import type { Logger } from '../../../plugin/host.js'
import { lastEncoder, type CoreSpace } from './bridge.js'
import { AmqpClient } from './client.js'

/** What clients can cost; each has a default. */
export interface AmqpListenerLimits {
  readonly maxConnections: number
  /** bytes of a frame that clients may send; announced */
  readonly maxFrameSize: number
  /** bytes of a message that clients may send; announced */
  readonly maxMessageSize: number
  /** announced; a client that is silent for twice as long is cut off, ms */
  readonly idleTimeOutMs: number
  /** from the accepted socket to the client's open, ms */
  readonly openTimeoutMs: number
  /** of one connection; announced */
  readonly maxSessions: number
  /** of one connection; announced */
  readonly maxLinks: number
}

export interface AmqpListenerOptions extends Partial<AmqpListenerLimits> {
  readonly host: string
  /** 0: any free one */
  readonly port: number
  readonly log: Logger
  /** where the numbers of a session start; undefined: 0 */
  readonly firstId?: number | undefined
}

const DEFAULTS: AmqpListenerLimits = {
  maxConnections: 10_000,
  maxFrameSize: 64 * 1024,
  maxMessageSize: 16 * 1024 * 1024,
  idleTimeOutMs: 30_000,
  openTimeoutMs: 10_000,
  maxSessions: 256,
  maxLinks: 2048
}

/** for clients to read that the connection closes, ms */
const CLOSE_DEADLINE_MS = 1000
/** between two lines about connections over the limit, ms */
const QUIET_MS = 10_000

export interface AmqpListener {
  readonly host: string
  readonly port: number
  /** that are open */
  readonly connections: number
  /** Closes all connections; what is there after `deadlineMs` is cut off. */
  close(deadlineMs?: number): Promise<void>
}

/** Serves AMQP clients of `space`. Rejects with the operating system's error where it cannot listen. */
export async function listenAmqp(space: CoreSpace, options: AmqpListenerOptions): Promise<AmqpListener> {
  const { log, ...given } = options
  const limits = { ...DEFAULTS, ...given }
  const clients = new Set<AmqpClient>()
  const clientOptions = {
    ...limits,
    log,
    containerId: space.name,
    relay: space.capabilities.relay,
    properties: { product: 'mqtt-over-amqp' },
    encode: lastEncoder()
  }
  const server = createServer(socket => {
    const client = new AmqpClient(socket, space, clientOptions)
    clients.add(client)
    socket.on('close', () => clients.delete(client))
  })
  server.maxConnections = limits.maxConnections
  server.on('drop', warnOfDrops(limits.maxConnections, log))
  const { address, port } = await listen(server, options)
  server.on('error', err => log.error({ err }, 'an AMQP connection could not be accepted'))
  return {
    host: address,
    port,
    get connections() {
      return clients.size
    },
    close: deadlineMs => closeAll(server, clients, deadlineMs ?? CLOSE_DEADLINE_MS)
  }
}

/** One line at once, then one in a while, with how many there were since. */
function warnOfDrops(connections: number, log: Logger): () => void {
  let quietUntil = -Infinity
  let refused = 0
  return () => {
    refused++
    const now = performance.now()
    if (now < quietUntil) return
    quietUntil = now + QUIET_MS
    log.warn({ connections, refused }, 'too many AMQP connections: new ones are closed')
    refused = 0
  }
}

function listen(server: Server, { host, port }: AmqpListenerOptions): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve(server.address() as AddressInfo)
    })
  })
}

async function closeAll(server: Server, clients: ReadonlySet<AmqpClient>, deadlineMs: number): Promise<void> {
  const closed = new Promise<void>(resolve => server.close(() => resolve()))
  const error = { condition: 'amqp:connection:forced', description: 'the server is closing' }
  const cut = setTimeout(() => [...clients].forEach(client => client.cut()), deadlineMs)
  await Promise.all([...clients].map(client => client.close(error)))
  await closed
  clearTimeout(cut)
}
