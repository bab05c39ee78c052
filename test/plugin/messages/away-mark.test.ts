import assert from 'node:assert/strict'
import { publishAddress } from '../../../plugin/messages/addresses.js'
import { decodeAwayMark, encodeAwayMark } from '../../../plugin/messages/away-mark.js'

describe('the mark of a client that came back', () => {
  const queue = publishAddress('x')
  const mark = encodeAwayMark(queue, 'c1')

  it('says which connection put it there', () => {
    assert.equal(decodeAwayMark(mark, queue), 'c1')
    assert.equal(decodeAwayMark({ ...mark, applicationProperties: new Map() }, queue), '')
  })

  it('is nothing that anybody can publish', () => {
    const { properties } = mark
    assert.equal(decodeAwayMark(mark, publishAddress('y')), undefined)
    assert.equal(decodeAwayMark({ ...mark, properties: { ...properties, to: 'a/topic' } }, queue), undefined)
    assert.equal(decodeAwayMark({ ...mark, properties: { to: queue } }, queue), undefined)
  })
})
