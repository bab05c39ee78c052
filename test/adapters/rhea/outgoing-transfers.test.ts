import assert from 'node:assert/strict'
import { OutgoingTransfers, type OutgoingOptions } from '../../../adapters/rhea/outgoing-transfers.js'
import type { RheaLink } from '../../../adapters/rhea/rhea.js'
import { decodeFrames, type RawFrame } from '../../fixtures/amqp-frames.js'

/** As much of a link as transfers need. */
const makeLink = (handle = 0): RheaLink =>
  ({ local: { handle }, credit: 1000, delivery_count: 0 }) as unknown as RheaLink

describe('transfers of a session', () => {
  let written: Buffer[]
  let link: RheaLink

  const make = (options: Partial<OutgoingOptions> = {}): OutgoingTransfers =>
    new OutgoingTransfers({
      channel: 3,
      maxFrameSize: 512,
      window: 1000,
      firstId: 0,
      write: bytes => written.push(bytes),
      ...options
    })

  const push = (transfers: OutgoingTransfers, text: string, to = link, settled = false): void =>
    transfers.push({ link: to, settled, onOutcome: () => {} }, Buffer.from(text))

  const frames = (): readonly RawFrame[] => decodeFrames(Buffer.concat(written))
  const ids = (transfers: OutgoingTransfers, first: number, last: number): number[] =>
    [...transfers.range(first, last)].map(([id]) => id)

  beforeEach(() => {
    written = []
    link = makeLink()
  })

  it('go out with channel, handle, id, tag and payload', () => {
    const transfers = make()
    push(transfers, 'one', makeLink(300))
    push(transfers, 'two', makeLink(1), true)
    transfers.process()
    const [first, second] = frames()
    assert.deepEqual(
      [first?.channel, first?.fields],
      [3, [300, 0, Buffer.from([0, 0, 0, 0]), 0, false, false]]
    )
    assert.deepEqual(second?.fields, [1, 1, Buffer.from([0, 0, 0, 1]), 0, true, false])
    assert.deepEqual(
      frames().map(({ payload }) => payload.toString()),
      ['one', 'two']
    )
  })

  it('use credit when their last frame is out', () => {
    const transfers = make({ window: 2 })
    push(transfers, 'x'.repeat(1200))
    transfers.process()
    assert.deepEqual([link.credit, link.delivery_count], [1000, 0])
    transfers.flow(2, 2)
    transfers.process()
    assert.deepEqual([link.credit, link.delivery_count], [999, 1])
    assert.deepEqual(
      frames().map(({ fields, payload }) => [fields[1], fields[5], payload.length <= 512]),
      [
        [0, true, true],
        [0, true, true],
        [0, false, true]
      ]
    )
  })

  it('with nothing in them need a window too', () => {
    const transfers = make({ window: 0 })
    push(transfers, '')
    transfers.process()
    assert.equal(written.length, 0)
    transfers.flow(0, 1)
    transfers.process()
    assert.equal(frames().length, 1)
  })

  it('have ids that wrap, as have their ranges', () => {
    const transfers = make({ firstId: 0xfffffffe })
    for (let i = 0; i < 4; i++) push(transfers, 'x')
    transfers.process()
    assert.deepEqual(
      frames().map(({ fields }) => fields[1]),
      [0xfffffffe, 0xffffffff, 0, 1]
    )
    assert.deepEqual(ids(transfers, 0xffffffff, 0), [0xffffffff, 0])
    assert.deepEqual(ids(transfers, 0x80000000, 0x7fffffff), [0xfffffffe, 0xffffffff, 0, 1])
    assert.deepEqual(ids(transfers, 2, 0xfffffffd), [])
    for (const id of [0xfffffffe, 0xffffffff, 0, 1]) transfers.settle(id, true)
    written = []
    transfers.process()
    const [disposition] = frames()
    assert.deepEqual([disposition?.name, disposition?.fields], ['disposition', [false, 0xfffffffe, 1, true]])
    assert.deepEqual(ids(transfers, 0, 0xffffffff), [])
  })

  it('are counted past the wrap of transfer ids', () => {
    const transfers = make({ window: 5, firstId: 0xfffffffe })
    transfers.flow(undefined, 5) // sent before our begin came
    for (let i = 0; i < 4; i++) push(transfers, 'x')
    transfers.process()
    assert.equal(transfers.next_transfer_id, 2)
    transfers.flow(0xffffffff, 5) // has seen one of four
    assert.equal(transfers.places, 2)
    transfers.flow(3, 5) // more than were sent
    assert.equal(transfers.places, 0)
  })

  it('of a link that ends do not go out, and no id is missing', () => {
    const transfers = make({ window: 1 })
    const other = makeLink(1)
    push(transfers, 'x'.repeat(1000))
    push(transfers, 'dropped')
    push(transfers, 'kept', other)
    transfers.process()
    transfers.drop(link)
    transfers.flow(1, 10)
    transfers.process()
    assert.deepEqual(
      frames().map(({ fields }) => [fields[0], fields[1]]),
      [
        [0, 0],
        [1, 1]
      ]
    )
    assert.deepEqual(ids(transfers, 0, 10), [1])
  })

  it('that are settled when they are sent leave nothing behind', () => {
    const transfers = make()
    push(transfers, 'x', link, true)
    transfers.process()
    assert.deepEqual(ids(transfers, 0, 10), [])
  })

  it('give their place back when their outcome is known, whoever waits for it to be settled', () => {
    const transfers = make({ window: 10_000 })
    const { places } = transfers
    for (let i = 0; i < places; i++) push(transfers, 'x')
    transfers.process()
    assert.equal(transfers.places, 0)
    for (let id = 0; id < places; id++) transfers.settle(id, id % 2 === 0)
    assert.equal(transfers.places, 10_000 - places)
    transfers.flow(places, 10_000)
    assert.equal(transfers.places, places)
  })

  it('share a disposition with their neighbours alone', () => {
    const transfers = make()
    for (let i = 0; i < 6; i++) push(transfers, 'x')
    transfers.process()
    written = []
    for (const id of [0, 1, 3, 4, 5]) transfers.settle(id, true)
    transfers.settle(2, false)
    transfers.settle(2, true) // known already
    transfers.process()
    assert.deepEqual(
      frames().map(({ fields }) => fields.slice(1, 3)),
      [
        [0, 1],
        [3, 5]
      ]
    )
  })
})
