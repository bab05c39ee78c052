// Requests and their answers over connections of ours to a core that a test makes answer.
// Rule: each request has one end: its answer, the end of its time, or the loss of what carried it.

import assert from 'node:assert/strict'
import type { ConnectionPool } from '../../../adapters/rhea/connection-pool.js'
import type { ChannelLinks, ChannelOptions } from '../../../adapters/rhea/request-channel.js'
import { RequestClient } from '../../../adapters/rhea/request-client.js'
import { AmqpError } from '../../../plugin/errors.js'
import type { Sent } from '../../fixtures/fake-core.js'
import { message, Scene, textOf } from './fixture.js'

const LOST = { condition: 'amqp:link:detach-forced', description: 'gone' }

describe('adapters/rhea as a client: requests', () => {
  let scene: Scene
  let pool: ConnectionPool
  let told: string[]
  let clients: RequestClient[]
  let client: RequestClient
  beforeEach(async () => {
    scene = new Scene()
    pool = await scene.pool()
    told = []
    clients = []
    client = clientWith({})
  })
  afterEach(async () => {
    for (const each of clients) each.close()
    await scene.end()
  })

  const attach: ChannelOptions['attach'] = async (connection, handlers): Promise<ChannelLinks> => {
    const { onDelivery, onCredit, onClosed } = handlers
    await connection.openReceiver({ address: 'answers', window: 10, onDelivery, onClosed })
    const sender = await connection.openSender({ address: 'requests', onCredit, onClosed })
    return { sender, replyTo: 'answers' }
  }

  function clientWith(options: Partial<ChannelOptions>): RequestClient {
    const tell = (what: string) => (): void => {
      told.push(what)
      scene.core.changed()
    }
    const connect = () => pool.connect({ username: undefined, password: undefined })
    const handlers = { onGone: tell('gone'), onBack: tell('back') }
    const made = new RequestClient({ connect, attach, ...handlers, ...options })
    clients.push(made)
    return made
  }

  const ask = async (text: string): Promise<unknown> =>
    textOf(await client.request(properties => ({ ...message(text), properties })))

  /** `index`: how many links for requests there were before. */
  async function requests(count: number, index = 0): Promise<readonly Sent[]> {
    const { sent } = await scene.core.sender(index)
    return scene.core.until(() => sent.length >= count && sent, `${count} requests`)
  }

  async function answer({ message: request }: Sent, text: string, index = 0): Promise<void> {
    const { correlationId } = request.properties
    const receiver = await scene.core.receiver(index)
    receiver.deliver({ ...message(text), properties: { correlationId } })
  }

  it('have the answers that name them, whatever order these come in', async () => {
    const asked = [ask('first'), ask('second')]
    const [first, second] = await requests(2)
    assert.ok(first !== undefined && second !== undefined)
    assert.deepEqual([textOf(first.message), textOf(second.message)], ['first', 'second'])
    assert.equal(first.message.properties.replyTo, 'answers')
    await answer(second, 'to the second')
    await answer(first, 'to the first')
    assert.deepEqual(await Promise.all(asked), ['to the first', 'to the second'])
  })

  it('wait for credit, and go out in the order of the calls', async () => {
    scene.core.senderCredit = 1
    const asked = ['a', 'b', 'c'].map(ask)
    for (const [at, text] of ['a', 'b', 'c'].entries()) {
      const sent = await requests(at + 1)
      const request = sent[at]
      assert.ok(request !== undefined && sent.length === at + 1)
      assert.equal(textOf(request.message), text)
      request.settle({ type: 'accepted' })
      const sender = await scene.core.sender()
      sender.credit = 1
      sender.options.onCredit?.()
      await answer(request, `to ${text}`)
    }
    assert.deepEqual(await Promise.all(asked), ['to a', 'to b', 'to c'])
  })

  it('fail when their time is over, each alone; an answer that comes then is nobody’s', async () => {
    client = clientWith({ timeoutMs: 50 })
    await assert.rejects(ask('slow'), /no answer within 50 ms/)
    const [slow] = await requests(1)
    assert.ok(slow !== undefined)
    await answer(slow, 'too late')
    client = clientWith({})
    const asked = ask('next')
    const [next] = await requests(1, 1)
    assert.ok(next !== undefined)
    await answer(next, 'in time', 1)
    assert.equal(await asked, 'in time')
    assert.deepEqual(told, [])
  })

  it('fail when a link of theirs ends; there is another connection at once, and that is told', async () => {
    const lost = ask('lost')
    await requests(1)
    const receiver = await scene.core.receiver()
    receiver.options.onClosed?.({ cause: 'error', error: LOST })
    await assert.rejects(lost, new AmqpError(LOST.condition, LOST.description))
    await scene.core.until(() => told.length === 2, 'that it is back')
    assert.deepEqual(told, ['gone', 'back'])
    const asked = ask('again')
    const [again] = await requests(1, 1)
    assert.ok(again !== undefined)
    await answer(again, 'here', 1)
    assert.equal(await asked, 'here')
  })

  it('fail when a link ends before all are there, and do not wait for ever', async () => {
    const never = new Promise<ChannelLinks>(() => undefined)
    client = clientWith({
      attach: (own, handlers) => attach(own, handlers).then(() => never)
    })
    const asked = ask('asked')
    await scene.core.sender()
    const receiver = await scene.core.receiver()
    receiver.options.onClosed?.({ cause: 'error', error: LOST })
    await assert.rejects(asked, new AmqpError(LOST.condition, LOST.description))
  })
})
