import { artemis, QUEUE } from '../contract/artemis.js'
import { describeContract } from '../contract/describe.js'
import { withArtemis } from '../fixtures/artemis-suite.js'

const PRIORITY = 'the broker delivers what has a higher priority first'
const TO = 'a route writes its queue into `to`'
const NOT_DURABLE = 'what is not durable does not outlive the broker'
const BYTES = 'a bound is reached when what is there has it, whatever the next message has'
const LATER = 'what is settled makes room when the broker has written that down, shortly after'
const NONE = 'a bound of no messages is none'
const COUNT = 'the broker counts from 0 when a delivery has failed'
const LAZY = 'the broker writes a count down when it is told of the failure'
const IDS = 'ids count at topics: at a queue of the plugin one of a copy would refuse the whole publication'
const NUMBER = 'the broker rejects an id that is a number'

/** What the broker does otherwise. */
const DIFFERS: ReadonlyMap<string, string> = new Map([
  ['brings every kind of message to a subscription unchanged', TO],
  ['brings every kind of message over a route unchanged', PRIORITY],
  ['brings every kind of message through a queue unchanged', PRIORITY],
  ['brings every kind of message over a restart unchanged', PRIORITY],
  ['passes a message on as it was received from another queue, unchanged', PRIORITY],
  ['keeps a message as it is when it is delivered again', PRIORITY],
  ['passes the received bytes of every AMQP type on, to a subscription and through a queue', TO],
  ['drops over the bound of bytes of a queue what is too large, and takes what has room', BYTES],
  ['counts a message that a full queue dropped as taken', NONE],
  ['counts what a queue had before a restart towards its bounds', NOT_DURABLE],
  ['counts a delivery that a crash cut off, and none of what was not delivered', LAZY],
  ['adds failed deliveries to the count that the sender wrote', COUNT],
  ['takes a message with a dedup id once, also over a restart', IDS],
  ['has the id on disk when a durable message is accepted, also where nobody received it', IDS],
  [
    'takes the property _AMQ_DUPL_ID of a client for an id, a string or binary, and leaves it where it is',
    NUMBER
  ]
])

const VARIES: ReadonlyMap<string, string> = new Map([
  ['takes messages again when a full queue has room, and counts what is delivered until it is settled', LATER]
])

describe('ActiveMQ Artemis', () => {
  withArtemis([QUEUE], broker => describeContract(artemis(broker), undefined, DIFFERS, VARIES))
})
