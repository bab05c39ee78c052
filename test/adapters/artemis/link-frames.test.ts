import assert from 'node:assert/strict'
import { decodeFrame, encodeFrame, type Frame } from '../../../adapters/artemis/link-frames.js'
import { encodeMessage } from '../../../adapters/rhea/message.js'
import { sameMessage, text } from '../../contract/messages.js'
import { SAMPLES } from '../../contract/samples.js'

const ERROR = { condition: 'amqp:not-allowed', description: 'käse' }

const FRAMES: readonly Frame[] = [
  { type: 'attach', kind: 'sender', name: 'käse/2', address: '$lwt', user: 'full', inbox: 'i' },
  { type: 'attached', inbox: 'i', window: 7 },
  { type: 'refused', error: ERROR },
  { type: 'outcome', delivery: 1, outcome: { type: 'accepted' } },
  {
    type: 'outcome',
    delivery: 2,
    outcome: { type: 'modified', deliveryFailed: true, undeliverableHere: false }
  },
  {
    type: 'outcome',
    delivery: 3,
    outcome: {
      type: 'rejected',
      ...ERROR,
      info: new Map([
        ['__proto__', '1'],
        ['a/#', '128']
      ])
    }
  },
  { type: 'flow', credit: 2 },
  { type: 'drain', drain: 1 },
  { type: 'drained', drain: 1 },
  { type: 'detach', error: ERROR },
  { type: 'detached' },
  { type: 'ask', question: 1, right: 'use', value: '#' },
  { type: 'answer', question: 1, may: false }
]

describe('frames of links over the broker', () => {
  it('come out as they went in', () => {
    for (const frame of FRAMES) {
      const decoded = decodeFrame(encodeMessage(encodeFrame('link', 'to', frame)))
      assert.equal(decoded?.link, 'link')
      assert.deepEqual(decoded.frame, frame)
    }
  })

  it('leave out what there is not', () => {
    const detach = decodeFrame(encodeFrame('link', 'to', { type: 'detach', error: undefined }))
    assert.ok(detach?.frame.type === 'detach')
    assert.equal(detach.frame.error, undefined)
  })

  it('carry a message of any kind unchanged', () => {
    for (const [title, message] of SAMPLES) {
      const decoded = decodeFrame(
        encodeMessage(encodeFrame('link', 'to', { type: 'transfer', delivery: 5, message }))
      )
      assert.ok(decoded?.frame.type === 'transfer')
      assert.equal(decoded.frame.delivery, 5)
      sameMessage(decoded.frame.message, message, title)
    }
  })

  it('are not read from messages of others', () => {
    assert.equal(decodeFrame(text('x')), undefined)
    assert.equal(decodeFrame(text('x', { properties: { correlationId: 'link' } })), undefined)
  })
})
