import assert from 'node:assert/strict'
import { EncodedMessage, encodeMessage } from '../../../adapters/rhea/message.js'
import { withDuplicateId } from '../../../adapters/rhea/duplicate-property.js'
import type { AmqpValue, Message } from '../../../plugin/host.js'
import { durable, sameMessage, text } from '../../contract/messages.js'
import { SAMPLES } from '../../contract/samples.js'
import { ENCODED } from '../../contract/encoded.js'

const NAME = '_AMQ_DUPL_ID'
const ID = Buffer.from([0, 255, 7])

const propertiesOf = (message: Message): [string, AmqpValue][] => [...message.applicationProperties]

describe('the duplicate id as an application property', () => {
  for (const form of ['plain', 'encoded'] as const) {
    const made = (message: Message): Message => (form === 'plain' ? message : encodeMessage(message))

    it(`is the only thing that changes in a ${form} message of any kind`, () => {
      for (const [title, sample] of SAMPLES) {
        const marked = encodeMessage(withDuplicateId(made(sample), ID))
        assert.deepEqual(marked.applicationProperties.get(NAME), ID, title)
        const bare = withDuplicateId(new EncodedMessage(marked.bytes), undefined)
        sameMessage(bare, sample, title)
      }
    })

    it(`takes the place of one that a ${form} message has`, () => {
      const applicationProperties = new Map<string, AmqpValue>([
        ['a', 1],
        [NAME, 'of its sender'],
        ['b', 2]
      ])
      const marked = withDuplicateId(made(durable('x', { applicationProperties })), ID)
      assert.deepEqual(
        new Map(propertiesOf(marked)),
        new Map<string, AmqpValue>([...applicationProperties, [NAME, ID]])
      )
      const bare = withDuplicateId(marked, undefined)
      assert.deepEqual(propertiesOf(bare), [
        ['a', 1],
        ['b', 2]
      ])
    })

    it(`leaves a ${form} message without one as it is`, () => {
      const message = made(text('x'))
      assert.equal(withDuplicateId(message, undefined), message)
    })
  }

  it('keeps each byte of what a peer has encoded in its own way', () => {
    const message = new EncodedMessage(ENCODED)
    const back = withDuplicateId(withDuplicateId(message, ID), undefined)
    assert.ok(back instanceof EncodedMessage)
    assert.deepEqual(propertiesOf(back), propertiesOf(message))
    const body = (each: EncodedMessage): string =>
      each.bytes.subarray(each.section(0x75)?.start).toString('hex')
    assert.equal(body(back), body(message))
  })
})
