// A TCP port where MQTT clients come in.
// Rule: closing it closes the port at once and leaves the clients that came by it.

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { Logger } from '../host.js'

/** Bytes of a client's socket buffer before its publications wait in its session. */
const SOCKET_BUFFER_BYTES = 65536
/** Connections that wait to be taken. */
const BACKLOG = 1024

/** `port` 0: any free one. */
export interface ListenerAddress {
  readonly host: string
  readonly port: number
}

export class Listener {
  /** where it listens, with the port that the system chose */
  readonly address: ListenerAddress
  readonly #server: Server

  private constructor(server: Server, log: Logger) {
    const { address, port } = server.address() as AddressInfo
    this.address = { host: address, port }
    this.#server = server
    server.on('error', error => log.error({ err: error }, 'the MQTT listener failed'))
  }

  /** Listens; rejects with the system's error (EADDRINUSE, …) where it cannot. */
  static open(
    { host, port }: ListenerAddress,
    onSocket: (socket: Socket) => void,
    log: Logger
  ): Promise<Listener> {
    const server = createServer({ highWaterMark: SOCKET_BUFFER_BYTES }, onSocket)
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port, backlog: BACKLOG }, () => {
        server.off('error', reject)
        resolve(new Listener(server, log))
      })
    })
  }

  /** Resolves when the sockets that came by it are closed, too. Once. */
  close(): Promise<void> {
    return new Promise(resolve => this.#server.close(() => resolve()))
  }
}
