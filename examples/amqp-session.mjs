#!/usr/bin/env node
// A session of a pure AMQP client, with rhea: what MQTT calls a persistent session, without MQTT.
//
//     amqp-session.mjs list ID                    does the session exist, and what is it subscribed to? Creates it if there is none.
//     amqp-session.mjs subscribe ID FILTER [QOS]  publications that match go into the session's queue, retained ones first
//     amqp-session.mjs receive ID [COUNT]         prints what the queue has, a line of JSON each; ends after COUNT, or 1 s of silence
//     amqp-session.mjs unsubscribe ID FILTER
//     amqp-session.mjs close ID                   removes the session with all it has
//     amqp-session.mjs retained TOPIC             prints the retained message of a topic, if there is one
//
// The server is at AMQP_URL, amqp://127.0.0.1:5672 by default; a user goes into the URL: amqp://user:password@host:port.
// docs/amqp-clients.md says what the addresses and messages mean.

import { once } from 'node:events'
import rhea from 'rhea'

const SERVICE = '$mqtt.subscriptionservice'
const SILENCE_MS = 1000

/** An address of the client: bytes of its id that are not plain are percent-encoded. */
function clientAddress(clientId, kind) {
  const bytes = [...Buffer.from(clientId)]
  const encoded = bytes.map(byte => {
    const char = String.fromCharCode(byte)
    return /[A-Za-z0-9_-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  })
  return `$mqtt.to.${encoded.join('')}.${kind}`
}

/** Resolves with the opened link; a host that refuses it opens and then closes it, with the reason. */
function opened(link, type) {
  return new Promise((resolve, reject) => {
    link.once(`${type}_open`, () => setImmediate(() => link.error || resolve(link)))
    link.once(`${type}_error`, () => reject(new Error(`${link.error.condition}: ${link.error.description}`)))
  })
}

/** Sends a request to the Subscription Service; its outcome is the answer. */
async function request(connection, clientId, message) {
  const sender = await opened(connection.open_sender(SERVICE), 'sender')
  if (!sender.sendable()) await once(sender, 'sendable')
  sender.send({ ...message, correlation_id: clientAddress(clientId, 'publish') })
  await new Promise((resolve, reject) => {
    sender.once('accepted', resolve)
    sender.once('released', () => reject(new Error('released')))
    sender.once('rejected', ({ delivery }) => {
      const { condition, description } = delivery.remote_state.error
      reject(new Error(`${condition}: ${description}`))
    })
  })
}

/** Calls `take` with each message until it says that it has enough, or `silenceMs` pass without one. */
async function consume(connection, address, { credit, silenceMs, take }) {
  const receiver = connection.open_receiver({ source: { address }, credit_window: 0, autoaccept: false })
  await new Promise((resolve, reject) => {
    let silence
    receiver.once('receiver_open', () => {
      if (silenceMs !== undefined) silence = setTimeout(resolve, silenceMs)
    })
    receiver.on('message', ({ message, delivery }) => {
      silence?.refresh()
      const enough = take(message)
      delivery.accept() // one that is not accepted comes again
      if (!enough) return receiver.add_credit(1)
      clearTimeout(silence)
      resolve()
    })
    receiver.once('receiver_error', () => {
      clearTimeout(silence)
      reject(new Error(`${receiver.error.condition}: ${receiver.error.description}`))
    })
    receiver.add_credit(credit)
  })
  receiver.close()
}

/** Where it was published: the origin that a broker noted goes before `to`. */
const topicOf = ({ message_annotations: annotations, to }) => annotations?.['x-opt-ORIG-ADDRESS'] ?? to

function textOf(body) {
  if (typeof body === 'string') return body
  if (Buffer.isBuffer(body?.content)) return body.content.toString()
  return Buffer.isBuffer(body) ? body.toString() : JSON.stringify(body)
}

function show(message) {
  const annotations = message.message_annotations ?? {}
  const shown = {
    topic: topicOf(message),
    payload: textOf(message.body),
    qos: Number(annotations['x-opt-mqtt-qos'] ?? (message.durable ? 1 : 0)),
    retained: annotations['x-opt-mqtt-retained'] === true
  }
  process.stdout.write(`${JSON.stringify(shown)}\n`)
}

/** Prints `count` messages of an address, or fewer if `silenceMs` pass without one. */
async function receive(connection, address, { count, silenceMs }) {
  let left = count
  await consume(connection, address, {
    // one at a time where they are counted: what has come and is not wanted would have to go back
    credit: count === undefined ? 20 : 1,
    silenceMs,
    take: message => {
      show(message)
      return left !== undefined && --left === 0
    }
  })
}

async function list(connection, clientId) {
  const control = clientAddress(clientId, 'control')
  let reply
  const replied = consume(connection, control, {
    credit: 1,
    take: message => {
      if (message.subject === 'subscriptions') reply = message
      return reply !== undefined
    }
  })
  await Promise.all([replied, request(connection, clientId, { subject: 'list', reply_to: control })])
  const filters = Object.fromEntries(Object.entries(reply.body).map(([filter, qos]) => [filter, Number(qos)]))
  const present = reply.application_properties['session-present']
  process.stdout.write(`${JSON.stringify({ present, filters })}\n`)
}

/** A map of strings: a plain object would do, too, but not for a filter with the name of one of its methods. */
const filterMap = (filter, qos) => rhea.types.wrap_map(Object.fromEntries([[filter, qos]]))

const COMMANDS = {
  list,
  subscribe: (connection, id, filter, qos = '1') =>
    request(connection, id, {
      subject: 'subscribe',
      message_id: rhea.types.wrap_ulong(1),
      body: filterMap(filter, qos)
    }),
  receive: (connection, id, count) =>
    receive(
      connection,
      clientAddress(id, 'publish'),
      count === undefined ? { silenceMs: SILENCE_MS } : { count: Number(count) }
    ),
  unsubscribe: (connection, id, filter) =>
    request(connection, id, {
      subject: 'unsubscribe',
      message_id: rhea.types.wrap_ulong(1),
      body: rhea.types.wrap_list([filter])
    }),
  close: (connection, id) => request(connection, id, { subject: 'close' }),
  retained: (connection, topic) =>
    receive(connection, `$retain.${topic}`, { count: 1, silenceMs: SILENCE_MS })
}

const [command, ...args] = process.argv.slice(2)
if (!Object.hasOwn(COMMANDS, command ?? '') || args.length === 0) {
  process.stderr.write(`usage: amqp-session.mjs ${Object.keys(COMMANDS).join('|')} ID or TOPIC, …\n`)
  process.exit(1)
}
const { hostname, port, username, password } = new URL(process.env.AMQP_URL ?? 'amqp://127.0.0.1:5672')
const connection = rhea.create_container().connect({
  host: hostname,
  port: Number(port || 5672),
  ...(username === ''
    ? {}
    : { username: decodeURIComponent(username), password: decodeURIComponent(password) }),
  reconnect: false
})
connection.on('disconnected', ({ error }) => {
  if (error === undefined) return
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
})
connection.on('connection_error', ({ connection: { error } }) => {
  process.stderr.write(`${error?.condition}: ${error?.description}\n`)
  process.exitCode = 1
})
await once(connection, 'connection_open')
try {
  await COMMANDS[command](connection, ...args)
} catch (error) {
  process.stderr.write(`${command}: ${error.message}\n`)
  process.exitCode = 1
} finally {
  connection.close()
}
