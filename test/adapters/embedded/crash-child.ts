// A process with an embedded space, to be killed by a test: sends durable messages to `work` and to topics that are routed to
// a queue, several at once, and writes each accepted number to stdout. `hold`: it also receives from `work` and settles some.
// Rule: a line is written after the outcome, never before.

import { openEmbeddedSpace } from '../../../adapters/embedded/index.js'
import type { Outcome, Sender } from '../../../plugin/host.js'
import { message, recordingLog, textOf } from './broker-fixture.js'

const [directory = '', first = '0', mode = ''] = process.argv.slice(2)
const say = (line: string): void => void process.stdout.write(`${line}\n`)

const space = await openEmbeddedSpace({
  name: 'crash',
  directory,
  users: [],
  anonymous: true,
  addresses: [{ name: 'work', type: 'queue' }],
  mqtt: undefined,
  log: recordingLog([])
})
const connection = await space.connect('service')

if (mode === 'hold') {
  let seen = 0
  await connection.openReceiver({
    address: 'work',
    window: 20,
    onDelivery: delivery => {
      seen++
      if (seen <= 10) {
        say(`taken ${textOf(delivery.message)}`)
        delivery.settle({ type: 'accepted' })
      } else say(`held ${textOf(delivery.message)}`)
    }
  })
}

let next = Number(first)
const sendOn = (sender: Sender): void => {
  const text = String(next++)
  sender.send(message(text), (outcome: Outcome) => {
    if (outcome.type !== 'accepted')
      return say(`refused ${outcome.type === 'rejected' ? outcome.condition : ''}`)
    say(`accepted ${text}`)
    setImmediate(sendOn, sender)
  })
}
for (let i = 0; i < 8; i++)
  sendOn(await connection.openSender({ address: i % 2 === 0 ? 'work' : 'crash/topic' }))
