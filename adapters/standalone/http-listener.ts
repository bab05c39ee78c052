// The HTTP port for whoever watches the program: /metrics, /healthz, /readyz.
// Rule: it only tells. A connection is good for one request without a body, and for CONNECTION_MS altogether, whatever its
// client does; what goes wrong here ends that connection alone.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import type { Logger } from '../../plugin/host.js'

export interface HttpListenerOptions {
  readonly host: string
  /** 0: any free one */
  readonly port: number
  readonly log: Logger
  readonly metrics: { readonly contentType: string; text(): Promise<string> }
  /** why the program is not ready; empty: it is */
  readonly reasons: () => readonly string[]
  /** from the accepted socket to its end, ms */
  readonly connectionMs?: number | undefined
}

export interface HttpListener {
  readonly host: string
  readonly port: number
  /** Cuts off all connections. */
  close(): Promise<void>
}

const CONNECTION_MS = 5000
const MAX_CONNECTIONS = 64
const MAX_HEADER_BYTES = 8192

interface Answer {
  readonly status: number
  readonly type?: string
  readonly text: string
  readonly headers?: Readonly<Record<string, string>>
}

type Page = (options: HttpListenerOptions) => Answer | Promise<Answer>

const PAGES: Readonly<Record<string, Page>> = {
  '/metrics': async ({ metrics }) => ({
    status: 200,
    type: metrics.contentType,
    text: await metrics.text()
  }),
  '/healthz': () => ({ status: 200, text: 'alive\n' }),
  '/readyz': ({ reasons }) => {
    const lines = reasons()
    return lines.length === 0
      ? { status: 200, text: 'ready\n' }
      : { status: 503, text: lines.map(line => `${line}\n`).join('') }
  }
}

/** Serves the pages. Rejects with the operating system's error where it cannot listen. */
export async function listenHttp(options: HttpListenerOptions): Promise<HttpListener> {
  const answering = (request: IncomingMessage, response: ServerResponse): void => {
    answer(request, options).then(
      given => write(request, response, given),
      (error: unknown) => {
        options.log.error({ err: error, path: pathOf(request) }, 'an HTTP request could not be answered')
        write(request, response, { status: 500, text: 'an internal error\n' })
      }
    )
  }
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, answering)
  // who announces a body gets the answer in its place
  server.on('checkContinue', answering)
  server.on('checkExpectation', answering)
  server.maxConnections = MAX_CONNECTIONS
  server.on('connection', socket => {
    const end = setTimeout(() => socket.destroy(), options.connectionMs ?? CONNECTION_MS)
    socket.once('close', () => clearTimeout(end))
  })
  const { address, port } = await listen(server, options)
  return { host: address, port, close: () => close(server) }
}

async function answer(request: IncomingMessage, options: HttpListenerOptions): Promise<Answer> {
  const path = pathOf(request)
  const page = Object.hasOwn(PAGES, path) ? PAGES[path] : undefined
  if (page === undefined)
    return { status: 404, text: `there are ${Object.keys(PAGES).join(', ')} here, and no more\n` }
  if (request.method === 'GET' || request.method === 'HEAD') return page(options)
  return { status: 405, text: 'GET or HEAD\n', headers: { allow: 'GET, HEAD' } }
}

/** The end of the answer is the end of the connection: nobody waits for a body, or for a client that reads on. */
function write(request: IncomingMessage, response: ServerResponse, given: Answer): void {
  const { status, type = 'text/plain; charset=utf-8', text, headers = {} } = given
  response.writeHead(status, {
    ...headers,
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    connection: 'close'
  })
  response.end(request.method === 'HEAD' ? undefined : text)
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? ''
}

function listen(server: Server, { host, port, log }: HttpListenerOptions): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      server.on('error', err => log.error({ err }, 'an HTTP connection could not be accepted'))
      resolve(server.address() as AddressInfo)
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
