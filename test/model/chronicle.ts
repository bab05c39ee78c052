// What happened in a run, line by line in the order in which it was seen: to find out why a seed fails.
// Rule: one fact is one line; nothing is left out.

import type { Change, Connection, History, Publication, Receipt } from './history.js'

interface Line {
  readonly at: number
  readonly text: string
}

export function chronicle({
  connections,
  sessions,
  publications,
  crashes,
  deaths
}: History): readonly string[] {
  const lines = [
    ...deaths.map(at => ({
      at,
      text: crashes.includes(at) ? 'the host crashes' : 'something is killed, stopped or lost'
    })),
    ...connections.flatMap(ofConnection),
    ...publications.flatMap(ofPublication),
    ...sessions.flatMap(({ clientId, changes, receipts }) => [
      ...changes.flatMap(change => ofChange(clientId, change)),
      ...receipts.flatMap(ofReceipt)
    ])
  ]
  return lines.sort((a, b) => a.at - b.at).map(({ at, text }) => `${at} ${text}`)
}

const line = (at: number | undefined, text: string): readonly Line[] =>
  at === undefined ? [] : [{ at, text }]

function ofConnection({
  name,
  clean,
  start,
  session,
  acceptedAt,
  ending,
  endedAt
}: Connection): readonly Line[] {
  const of =
    session === undefined ? '' : session.durable ? 'a durable session' : 'a session that dies with it'
  return [
    ...line(start, `${name} connects${clean ? ', clean' : ''}`),
    ...line(acceptedAt, `${name} has ${of}`),
    ...line(ending?.at, `${name} is to end: ${ending?.reason}`),
    ...line(endedAt, `${name} has ended`)
  ]
}

function ofPublication({
  number,
  topic,
  qos,
  retain,
  empty,
  sender,
  start,
  end
}: Publication): readonly Line[] {
  const flags = `${retain ? ', retain' : ''}${empty ? ', empty' : ''}`
  return [
    ...line(start, `${sender.name} publishes ${number} to ${topic}, QoS ${qos}${flags}`),
    ...line(end, `${sender.name} has the answer to ${number}`)
  ]
}

function ofChange(clientId: string, { filter, qos, start, end }: Change): readonly Line[] {
  const what = qos === undefined ? `unsubscribes from ${filter}` : `subscribes to ${filter}, QoS ${qos}`
  return [...line(start, `${clientId} ${what}`), ...line(end, `${clientId} has the answer: ${what}`)]
}

function ofReceipt({
  at,
  connection,
  number,
  topic,
  qos,
  dup,
  retained,
  packetId,
  acknowledgedAt
}: Receipt): readonly Line[] {
  const flags = `${dup ? ', DUP' : ''}${retained ? ', a copy' : ''}`
  const id = packetId === undefined ? '' : `, packet id ${packetId}`
  return [
    ...line(at, `${connection.name} gets ${number ?? 'nothing'} on ${topic}, QoS ${qos}${flags}${id}`),
    ...line(acknowledgedAt, `${connection.name} acknowledges ${number ?? 'nothing'}${id}`)
  ]
}
