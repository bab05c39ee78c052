import assert from 'node:assert/strict'
import { FakeCore } from '../../fixtures/fake-core.js'
import {
  amqpError,
  attachReceiver,
  attachSender,
  detach,
  source,
  target,
  transfer
} from '../../fixtures/amqp-frames.js'
import { attachedSender, bytes } from '../../fixtures/amqp-links.js'
import { RawAmqp } from '../../fixtures/raw-amqp.js'

describe('links on which AMQP clients send', () => {
  let core: FakeCore
  let port: number
  let client: RawAmqp

  beforeEach(async () => {
    core = new FakeCore()
    port = await core.listen()
    client = await core.client(port)
  })

  afterEach(() => core.close())

  const attached = (...link: [Parameters<typeof attachedSender>[2]?, (string | null)?]) =>
    attachedSender(core, client, ...link)

  it('have their attach answered with what the link has', async () => {
    client.write(attachSender('to/a', { name: 'mine', handle: 5, sndSettleMode: 0, rcvSettleMode: 1 }))
    const { fields } = await client.next('attach')
    const [name, handle, role, snd, rcv, from, to, , , , maxMessageSize] = fields
    assert.deepEqual([name, handle, role, snd, rcv], ['mine', 0, true, 0, 1])
    assert.deepEqual((to as unknown[])[0], 'to/a')
    assert.ok(Array.isArray(from))
    assert.equal(maxMessageSize, 16 * 1024 * 1024)
    const { options, name: coreName } = await core.sender()
    assert.equal(coreName, 'mine')
    assert.equal(options.address, 'to/a')
    assert.equal(options.kind, undefined)
  })

  it('say by a capability what their target must be', async () => {
    const symbols = { type: 'symbol', value: 'queue' } as const
    client.write(attachSender('q', { target: target(['q', null, null, null, null, null, symbols]) }))
    const { fields } = await client.next('attach')
    assert.deepEqual((fields[6] as unknown[])[6], ['queue'])
    assert.equal((await core.sender()).options.kind, 'queue')
  })

  it('reach the anonymous relay with a target that has no address', async () => {
    const sender = await attached({}, null)
    assert.equal(sender.options.address, undefined)
  })

  it('get an attach without target, then a detach with the error, when refused [AMQP-2.6.3]', async () => {
    client.write(attachSender('refused/a'))
    const { fields } = await client.next('attach')
    assert.equal(fields[6] ?? null, null)
    const [handle, closed, error] = (await client.next('detach')).fields
    assert.deepEqual([handle, closed, error], [0, true, ['amqp:not-found', 'there is no refused/a']])
    client.write(detach(0), attachSender('to/a', { name: 'link-0' }))
    assert.equal(((await client.next('attach')).fields[6] as unknown[])[0], 'to/a')
  })

  it('get an internal error, and we a line in the log, when the core has a bug', async () => {
    client.write(attachSender('broken'))
    assert.equal(((await client.next('detach')).fields[2] as unknown[])[0], 'amqp:internal-error')
    assert.equal(core.log[0]?.level, 'error')
  })

  const odd: readonly [string, Parameters<typeof attachSender>[1], string][] = [
    ['no target', { target: null }, 'amqp:invalid-field'],
    ['a dynamic target', { target: target([null, null, null, null, true]) }, 'amqp:not-implemented'],
    ['a transaction coordinator', { target: { descriptor: 0x30, fields: [] } }, 'amqp:not-implemented'],
    ['a source of no known kind', { source: { descriptor: 0x99, fields: [] } }, 'amqp:not-implemented']
  ]
  for (const [what, options, condition] of odd) {
    it(`are refused with ${what}`, async () => {
      client.write(attachSender('to/a', options))
      assert.equal(((await client.next('detach')).fields[2] as unknown[])[0], condition)
      assert.equal(core.connections[0]?.senders.length, 0)
    })
  }

  it('may send and receive under one name in one session', async () => {
    client.write(
      attachSender('to/a', { name: 'same', handle: 0 }),
      attachReceiver('to/a', { name: 'same', handle: 1 })
    )
    const answers = [await client.next('attach'), await client.next('attach')]
    assert.deepEqual(answers.map(({ fields }) => [fields[0], fields[2]]).sort(), [
      ['same', false],
      ['same', true]
    ])
    client.write(detach(0), detach(1))
    await client.next('detach')
    await client.next('detach')
  })

  it('may attach a name again in the same breath as they detach it', async () => {
    const sender = await attached({ name: 'again' })
    client.write(detach(0), attachSender('to/b', { name: 'again', handle: 0 }), detach(0, { closed: false }))
    assert.deepEqual((await client.next('detach')).fields.slice(0, 2), [0, true])
    await client.next('attach')
    assert.deepEqual((await client.next('detach')).fields.slice(0, 2), [0, false])
    assert.equal(sender.closedWith, null)
  })

  it("end the core's sender as they end the link", async () => {
    const sender = await attached()
    client.write(detach(0, { error: amqpError('amqp:link:detach-forced', 'killed') }))
    await client.next('detach')
    assert.deepEqual(sender.closedWith, { condition: 'amqp:link:detach-forced', description: 'killed' })
  })

  it('may go before the core has answered their attach', async () => {
    let open = (): void => {}
    core.gate = new Promise(resolve => (open = resolve))
    client.write(attachSender('to/a'), detach(0, { error: amqpError('amqp:link:detach-forced', 'killed') }))
    await client.next('attach')
    await client.next('detach')
    open()
    const sender = await core.sender()
    await core.until(() => sender.closedWith !== undefined, 'the end of the sender')
    assert.equal(sender.closedWith?.description, 'killed')
  })

  it('get known outcomes before the answer to their detach', async () => {
    const sender = await attached()
    client.write(transfer(bytes('a')))
    ;(await core.until(() => sender.sent[0], 'the message')).settle({ type: 'accepted' })
    client.write(detach(0))
    await client.next('disposition')
    await client.next('detach')
  })

  it('are detached when the core ends their sender', async () => {
    const sender = await attached()
    client.write(transfer(bytes('a')))
    await core.until(() => sender.sent.length === 1, 'the message')
    sender.options.onClosed?.({
      cause: 'error',
      error: { condition: 'amqp:resource-deleted', description: 'gone' }
    })
    sender.sent[0]?.settle({ type: 'accepted' })
    assert.deepEqual((await client.next('detach')).fields[2], ['amqp:resource-deleted', 'gone'])
    client.write(detach(0), attachSender('to/a', { handle: 0 }))
    await client.next('attach')
    assert.ok(!client.frames.some(({ name }) => name === 'disposition'))
  })

  it('have a source answered as they named it', async () => {
    client.write(attachSender('to/a', { source: source(['from/me']) }))
    assert.equal(((await client.next('attach')).fields[5] as unknown[])[0], 'from/me')
  })
})
