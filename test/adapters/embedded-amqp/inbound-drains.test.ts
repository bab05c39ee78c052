import assert from 'node:assert/strict'
import { FakeCore, type FakeSender } from '../../fixtures/fake-core.js'
import { detach, flow, transfer } from '../../fixtures/amqp-frames.js'
import { attachedSender, bytes, processed } from '../../fixtures/amqp-links.js'
import type { RawAmqp } from '../../fixtures/raw-amqp.js'

const CREDIT = 10

describe('drains of AMQP clients that send', () => {
  let core: FakeCore
  let client: RawAmqp
  let sender: FakeSender
  let answered: boolean

  beforeEach(async () => {
    core = new FakeCore()
    core.senderCredit = CREDIT
    client = await core.client(await core.listen())
    sender = await attachedSender(core, client)
  })

  afterEach(() => core.close())

  /** Asks for a drain, and sees that the client is asked. */
  async function drain(credit: number, count = 0): Promise<void> {
    assert.ok(sender.options.onDrain)
    answered = false
    void sender.options.onDrain().then(() => {
      answered = true
      core.changed()
    })
    assert.deepEqual((await client.next('flow')).fields.slice(5, 9), [count, credit, null, true])
  }

  const send = (from: number, to: number): void => {
    for (let id = from; id < to; id++) client.write(transfer(bytes(`m${id}`), { id }))
  }
  const answer = (deliveryCount: number, credit = 0): void =>
    client.write(flow(credit, { deliveryCount, drain: true }))
  const end = (): Promise<unknown> => core.until(() => answered, 'the end of the drain')

  it('end when the client says that it has nothing [AMQP-2.6.7]', async () => {
    await drain(CREDIT)
    answer(CREDIT)
    await end()
    assert.equal(sender.sent.length, 0)
  })

  it('end when the client has sent what it has', async () => {
    await drain(CREDIT)
    send(0, 3)
    answer(CREDIT)
    await end()
    assert.equal(sender.sent.length, 3)
  })

  it('end when what was on its way has come, where the client answered before it', async () => {
    await drain(CREDIT)
    answer(7, 3)
    await processed(client)
    send(0, 2)
    await core.until(() => sender.sent.length === 2, 'two messages')
    await processed(client)
    assert.equal(answered, false)
    send(2, 3)
    await end()
    assert.equal(sender.sent.length, 3)
  })

  it('end when the client has used up its credit, and take no later answer for that of the next', async () => {
    await drain(CREDIT)
    send(0, CREDIT)
    await end()
    sender.credit = 5 // as if outcomes had come
    await drain(5, CREDIT)
    answer(CREDIT) // to the first
    await processed(client)
    assert.equal(answered, false)
    send(CREDIT, CREDIT + 1)
    answer(CREDIT + 5)
    await end()
    assert.equal(sender.sent.length, CREDIT + 1)
  })

  it('give new credit after them, which asks for no more', async () => {
    await drain(CREDIT)
    answer(CREDIT)
    await end()
    const { fields } = await client.next('flow')
    assert.deepEqual(fields.slice(5, 7), [CREDIT, CREDIT])
    assert.notEqual(fields[8], true)
    send(0, CREDIT)
    await core.until(() => sender.sent.length === CREDIT, 'what came on the new credit')
  })

  it('end with their link', async () => {
    await drain(CREDIT)
    client.write(detach(0))
    await end()
  })

  it('ask nothing of a client without credit', async () => {
    send(0, CREDIT)
    await core.until(() => sender.sent.length === CREDIT, 'all that the client may send')
    assert.ok(sender.options.onDrain)
    await sender.options.onDrain()
    await processed(client)
    assert.ok(!client.frames.some(({ name, fields }) => name === 'flow' && fields[8] === true))
  })
})
