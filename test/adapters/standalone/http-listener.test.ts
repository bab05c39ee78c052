// The HTTP port on a real socket: its pages, what it refuses, and clients that mean harm.

import assert from 'node:assert/strict'
import { createConnection, type Socket } from 'node:net'

import { listenHttp, type HttpListener } from '../../../adapters/standalone/http-listener.js'
import type { Logger } from '../../../plugin/host.js'

interface Line {
  readonly level: string
  readonly message: string
}

describe('the HTTP listener', () => {
  const lines: Line[] = []
  const at =
    (level: string) =>
    (_fields: object, message: string): void =>
      void lines.push({ level, message })
  const log: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  let reasons: readonly string[] = []
  let text: () => Promise<string> = async () => 'a_total 1\n'
  const metrics = { contentType: 'text/plain; version=0.0.4', text: () => text() }
  const options = { host: '127.0.0.1', port: 0, log, metrics, reasons: () => reasons }
  let listener: HttpListener
  const sockets: Socket[] = []

  before(async () => {
    listener = await listenHttp(options)
  })
  after(() => listener.close())
  beforeEach(() => {
    lines.length = 0
    reasons = []
    text = async () => 'a_total 1\n'
  })
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
  })

  const get = (path: string, method = 'GET'): Promise<Response> =>
    fetch(`http://127.0.0.1:${listener.port}${path}`, { method })

  /** A connection on which these bytes were sent. */
  const open = (bytes: string, port = listener.port): Socket => {
    const socket = createConnection({ host: '127.0.0.1', port })
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.write(bytes)
    return socket
  }

  /** All that the server says until it closes. */
  const untilClosed = async (socket: Socket): Promise<string> => {
    let said = ''
    socket
      .setEncoding('latin1')
      .on('data', (chunk: string) => (said += chunk))
      .resume()
    await new Promise<void>(resolve => socket.once('close', () => resolve()))
    return said
  }

  const status = (said: string): string => said.split('\r\n', 1)[0] ?? ''

  it('gives the metrics with their content type', async () => {
    const response = await get('/metrics')
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4')
    assert.equal(await response.text(), 'a_total 1\n')
    assert.equal((await get('/metrics?name=x')).status, 200)
  })

  it('says that it lives, ready or not', async () => {
    reasons = ['the program is starting']
    const response = await get('/healthz')
    assert.deepEqual([response.status, await response.text()], [200, 'alive\n'])
  })

  it('is ready without reasons against it, and else gives them with 503', async () => {
    const ready = await get('/readyz')
    assert.deepEqual([ready.status, await ready.text()], [200, 'ready\n'])
    reasons = ['space a: starting', 'space b: no port']
    const not = await get('/readyz')
    assert.deepEqual([not.status, await not.text()], [503, 'space a: starting\nspace b: no port\n'])
  })

  it('answers HEAD as GET, without the text', async () => {
    const said = await untilClosed(open('HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n'))
    assert.equal(status(said), 'HTTP/1.1 200 OK')
    assert.match(said, /^content-length: 10\r$/m)
    assert.ok(said.endsWith('\r\n\r\n'), said)
  })

  it('has no other page, and no other method', async () => {
    for (const path of ['/', '/metrics/', '/constructor', '/__proto__', '/%6detrics']) {
      assert.equal((await get(path)).status, 404, path)
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const response = await get('/readyz', method)
      assert.equal(response.status, 405, method)
      assert.equal(response.headers.get('allow'), 'GET, HEAD')
    }
  })

  it('answers before a body comes, and reads none', async () => {
    for (const length of ['Content-Length: 1000000000', 'Transfer-Encoding: chunked']) {
      const head = `POST /metrics HTTP/1.1\r\nHost: x\r\n${length}\r\n`
      assert.equal(status(await untilClosed(open(`${head}\r\n`))), 'HTTP/1.1 405 Method Not Allowed')
      const expecting = await untilClosed(open(`${head}Expect: 100-continue\r\n\r\n`))
      assert.equal(status(expecting), 'HTTP/1.1 405 Method Not Allowed')
    }
  })

  it('serves one request for a connection', async () => {
    const request = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'
    const said = await untilClosed(open(request.repeat(100)))
    assert.equal(said.match(/alive/g)?.length, 1)
    assert.match(said, /^connection: close\r$/im)
  })

  it('refuses what is no HTTP, and headers without an end', async () => {
    assert.equal(status(await untilClosed(open('\x10\x10\x00\x04MQTT\r\n\r\n'))), 'HTTP/1.1 400 Bad Request')
    const endless = `GET /metrics HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}`
    assert.equal(status(await untilClosed(open(endless))), 'HTTP/1.1 431 Request Header Fields Too Large')
    assert.equal((await get('/healthz')).status, 200)
  })

  it('closes connections that say nothing, or never enough', async () => {
    const quick = await listenHttp({ ...options, connectionMs: 100 })
    try {
      const silent = open('', quick.port)
      const slow = open('GET /metrics HTTP/1.1\r\nHost: ', quick.port)
      const dripping = setInterval(() => slow.write('x'), 10)
      assert.deepEqual(await Promise.all([untilClosed(silent), untilClosed(slow)]), ['', ''])
      clearInterval(dripping)
    } finally {
      await quick.close()
    }
  })

  it('closes connections whose client does not read', async () => {
    // more than the buffers of both ends hold
    text = async () => 'x'.repeat(64 * 1024 * 1024)
    const quick = await listenHttp({ ...options, connectionMs: 200 })
    try {
      const deaf = open('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n', quick.port)
      deaf.pause()
      await new Promise<void>(resolve => deaf.once('connect', resolve))
      // its time is over after that of the other
      await untilClosed(open('', quick.port))
      const served = (await untilClosed(deaf)).length
      assert.ok(served < 64 * 1024 * 1024, String(served))
    } finally {
      await quick.close()
    }
  })

  it('closes at once, whoever is connected', async () => {
    const other = await listenHttp(options)
    const held = [open('', other.port), open('GET /', other.port)]
    const connected = held.map(
      socket => new Promise<void>(resolve => socket.once('connect', () => resolve()))
    )
    await Promise.all(connected)
    const closed = held.map(untilClosed)
    await other.close()
    assert.deepEqual(await Promise.all(closed), ['', ''])
  })

  it('answers 500 and logs an error where a metric cannot be read, and goes on', async () => {
    text = () => Promise.reject(new Error('a gauge that fails'))
    const response = await get('/metrics')
    assert.deepEqual([response.status, await response.text()], [500, 'an internal error\n'])
    assert.deepEqual(lines, [{ level: 'error', message: 'an HTTP request could not be answered' }])
    text = async () => 'a_total 2\n'
    assert.equal(await (await get('/metrics')).text(), 'a_total 2\n')
  })
})
