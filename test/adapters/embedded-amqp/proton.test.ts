import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { listenAmqp, type AmqpListener } from '../../../adapters/rhea/listener/listener.js'
import type { ServedReader } from '../../../plugin/host.js'
import { need, PYTHON } from '../../interop/tools.js'
import { Bench, message, recordingLog, turn } from '../embedded/broker-fixture.js'

const SCRIPT = fileURLToPath(new URL('proton-links.py', import.meta.url))
const UNAUTHORIZED = 'amqp:unauthorized-access'

/** One message for each link; where it is kept takes a turn of the event loop to look. */
function serveRetained(reader: ServedReader): void {
  if (reader.address.endsWith('secret'))
    return reader.close({ condition: UNAUTHORIZED, description: 'no right' })
  let sent = false
  const onDrain = async (): Promise<void> => {
    await turn()
    if (!sent && reader.credit > 0) reader.send(message(`the retained message of ${reader.address}`))
    sent = true
  }
  reader.accept({ onCredit: () => undefined, onClosed: () => undefined, onDrain })
}

describe("links of Qpid Proton's Python binding", () => {
  let bench: Bench
  let listener: AmqpListener
  let seen: Readonly<Record<string, unknown>>

  before(need('proton'))

  before(async () => {
    bench = await Bench.open({ users: [{ name: 'ann', password: 'secret' }] })
    listener = await listenAmqp(bench.space, { host: '127.0.0.1', port: 0, log: recordingLog(bench.lines) })
    await bench.space.serveReaders('$retain.', serveRetained)
    const { stdout } = await promisify(execFile)(PYTHON, [SCRIPT, String(listener.port)])
    seen = JSON.parse(stdout) as typeof seen
  })

  after(async () => {
    await listener?.close()
    await bench?.close()
  })

  it('send and receive under one name', () => {
    assert.deepEqual(seen['sameName'], [0, 1, 2, 3, 4])
  })

  it('get again what they released', () => {
    assert.equal(seen['redelivered'], 0)
  })

  it('drain what is there, whether it is more or less than their credit', () => {
    assert.deepEqual(seen['browsed'], [100, 0])
    assert.deepEqual(seen['browsedAgain'], 0)
    assert.deepEqual(seen['emptied'], [100, 0])
  })

  it('carry messages of 5 MB', () => {
    assert.equal(seen['large'], true)
  })

  it('get replies at an address that was made for them', () => {
    assert.equal(seen['reply'], 'reply')
  })

  it('read an address that the plugin serves, and learn by a drain that there is no more', () => {
    assert.deepEqual(seen['retained'], [1, 0])
    assert.equal(seen['retainedBody'], 'the retained message of $retain.some/topic')
    assert.deepEqual(seen['retainedAgain'], [0, 0])
    assert.equal(seen['refusedReader'], UNAUTHORIZED)
  })

  it('see why they are refused, and go on', () => {
    assert.equal(seen['refusedSender'], UNAUTHORIZED)
    assert.equal(seen['refusedReceiver'], 'amqp:not-found')
    assert.equal(seen['stillThere'], true)
  })

  it('log in with PLAIN or ANONYMOUS, and not with a wrong password', () => {
    assert.deepEqual([seen['plain'], seen['wrong'], seen['unknown']], ['in', true, true])
    assert.equal(seen['heartbeat'], 'test')
  })

  it('end without a line in the log but for the refused logins', () => {
    const lines = bench.lines.filter(({ level }) => level !== 'debug')
    assert.deepEqual(
      lines.map(({ message }) => message),
      Array.from({ length: 2 }, () => 'the login of an AMQP client was refused')
    )
  })
})
