import assert from 'node:assert/strict'
import type { EmbeddedConnection } from '../../../adapters/embedded/index.js'
import type { Outcome, Principal, ServedLink } from '../../../plugin/host.js'
import { ACCEPTED, Bench, empty, fleeting, message, receive, RELEASED, send, turn } from './broker-fixture.js'

const NOT_FOUND = { condition: 'amqp:not-found' }
const UNAUTHORIZED = { condition: 'amqp:unauthorized-access' }
const to = (address: string, text = '1') => message(text, { properties: { to: address } })

describe('links of the embedded host', () => {
  let bench: Bench
  let service: EmbeddedConnection
  let user: EmbeddedConnection

  const CONTROL = '$mqtt.to.bob.control'
  const PUBLISH = '$mqtt.to.bob.publish'
  const PUBREL = '$mqtt.bob.pubrel'

  beforeEach(async () => {
    bench = await Bench.open({
      users: [
        { name: 'bob', password: 'x', send: ['in/#', 'work'], receive: ['out/#', 'work'], clientIds: ['bob'] }
      ],
      limits: { senderCredit: 5, volatileQueueBytes: 2000 }
    })
    service = await bench.space.connect('service')
    const login = await bench.space.authenticate({
      mechanism: 'PLAIN',
      username: 'bob',
      password: Buffer.from('x')
    })
    assert.ok('principal' in login)
    user = await bench.space.connect(login.principal)
  })

  afterEach(() => bench.close())

  const receiver = (connection: EmbeddedConnection, address: string) =>
    connection.openReceiver({ address, window: 1, onDelivery() {} })

  const serve = (address: string) =>
    bench.space.serve(address, link => {
      link.accept({ window: 5, onDelivery: delivery => delivery.settle(ACCEPTED), onClosed() {} })
    })

  it('lets a user reach the addresses of its client ids, and nothing else that the plugin owns', async () => {
    for (const name of [PUBLISH, PUBREL, '$mqtt.to.eve.publish', '$mqtt.store.x', '$mqtt.eve.pubrel']) {
      await bench.space.queues.create(name)
    }
    await serve('$subctrl')
    for (const address of [CONTROL, PUBLISH, PUBREL]) await receiver(user, address)
    for (const address of [PUBREL, '$subctrl']) await (await user.openSender({ address })).close()
    const gateway = '$mqtt.gw.0d4f4cd5-6cf2-4bd4-9b9c-6f6d0b4e3a11.control'
    for (const address of ['$mqtt.to.eve.publish', '$mqtt.to.eve.control', '$mqtt.store.x', gateway]) {
      await assert.rejects(receiver(user, address), UNAUTHORIZED, address)
    }
    for (const address of [CONTROL, PUBLISH, '$mqtt.eve.pubrel', '$mqtt.store.x']) {
      await assert.rejects(user.openSender({ address }), UNAUTHORIZED, address)
    }
  })

  it('asks the right to topics and to the host’s own queues', async () => {
    await (await user.openSender({ address: 'in/a' })).close()
    await (await user.openSender({ address: 'work' })).close()
    await receiver(user, 'out/+')
    await receiver(user, 'work')
    await assert.rejects(user.openSender({ address: 'out/a' }), UNAUTHORIZED)
    await assert.rejects(receiver(user, '#'), UNAUTHORIZED)
    await assert.rejects(receiver(user, 'DLQ'), UNAUTHORIZED)
  })

  it('asks the right to each address that a relay sends to', async () => {
    const relay = await user.openSender({ address: undefined })
    const got = await receive(service, 'in/#')
    const results: string[] = []
    for (const address of ['in/a', 'out/a', 'in/b', 'out/a', '$mqtt.to.bob.publish', '$nothing']) {
      relay.send(to(address), outcome => {
        results.push(outcome.type === 'rejected' ? outcome.condition : outcome.type)
      })
    }
    assert.deepEqual(results, [
      'accepted',
      'amqp:unauthorized-access',
      'accepted',
      'amqp:unauthorized-access',
      'amqp:unauthorized-access',
      'amqp:not-found'
    ])
    assert.equal(got.deliveries.length, 2)
  })

  it('keeps the order of a relay whose rights take time, and rejects what has no address', async () => {
    const answers: ((value: boolean) => void)[] = []
    const slow: Principal = {
      name: 'slow',
      maySend: topic => (topic === 'b' ? true : new Promise(resolve => answers.push(resolve))),
      mayReceive: () => true,
      mayUse: () => false
    }
    const relay = await (await bench.space.connect(slow)).openSender({ address: undefined })
    const got = await receive(service, '#')
    const outcomes: Outcome[] = []
    for (const sent of [to('a', '1'), to('b', '2'), to('c', '3'), to('a', '4')]) {
      relay.send(sent, outcome => outcomes.push(outcome))
    }
    await turn()
    assert.deepEqual(got.texts(), [])
    answers.shift()?.(true)
    await turn()
    assert.deepEqual(got.texts(), ['1', '2'])
    answers.shift()?.(false)
    await turn()
    assert.deepEqual(got.texts(), ['1', '2', '4'])
    assert.deepEqual(
      outcomes.map(({ type }) => type),
      ['accepted', 'accepted', 'rejected', 'accepted']
    )
    const outcome = await new Promise<Outcome>(resolve => relay.send(message('nowhere'), resolve))
    assert.ok(outcome.type === 'rejected' && outcome.condition === 'amqp:invalid-field')
  })

  it('takes no more than its credit without an outcome, and says when there is credit again', async () => {
    let credits = 0
    const sender = await service.openSender({ address: 'work', onCredit: () => credits++ })
    const outcomes: Outcome[] = []
    for (let i = 0; i < 5; i++) sender.send(message(String(i)), outcome => outcomes.push(outcome))
    assert.equal(sender.credit, 0)
    assert.throws(() => sender.send(message('6')), RangeError)
    while (outcomes.length < 5) await turn()
    assert.deepEqual([sender.credit, credits], [5, 1])
  })

  it('does not take a message that has no encoding, and keeps the credit for it', async () => {
    const sender = await service.openSender({ address: 'work' })
    const broken = message('1', { properties: { messageId: { type: 'uuid', value: 'no bytes' } } })
    assert.throws(() => sender.send(broken))
    assert.equal(sender.credit, 5)
    assert.deepEqual((await empty(service, 'work')).texts(), [])
  })

  it('has a control address as long as somebody receives from it', async () => {
    await assert.rejects(service.openSender({ address: CONTROL }), NOT_FOUND)
    const relay = await service.openSender({ address: undefined })
    const relayed = (text: string): Promise<Outcome> =>
      new Promise(resolve => relay.send(to(CONTROL, text), resolve))
    assert.deepEqual(await relayed('early'), RELEASED)
    const first = await receive(user, CONTROL)
    const second = await receive(service, CONTROL)
    assert.deepEqual(await relayed('1'), ACCEPTED)
    await first.receiver.close()
    const sender = await service.openSender({ address: CONTROL })
    await second.receiver.close()
    const outcome = await new Promise<Outcome>(resolve => sender.send(message('2'), resolve))
    assert.deepEqual(outcome, RELEASED)
    assert.equal(first.deliveries.length + second.deliveries.length, 1)
  })

  it('names a reply node that nobody can guess, takes messages of anybody, and no more than its bound', async () => {
    const [one, two] = [
      await receive(user, undefined, { window: 0 }),
      await receive(user, undefined, { window: 0 })
    ]
    assert.match(one.receiver.address, /^\$mqtt\.reply\.[0-9a-f-]{36}$/)
    assert.notEqual(one.receiver.address, two.receiver.address)
    await assert.rejects(receiver(user, one.receiver.address))
    const outcomes: Outcome[] = []
    for (let i = 0; i < 20; i++) outcomes.push(await send(user, one.receiver.address, fleeting(String(i))))
    const accepted = outcomes.filter(({ type }) => type === 'accepted').length
    assert.ok(accepted > 1 && accepted < 20, String(accepted))
    const last = outcomes.at(-1)
    assert.ok(last?.type === 'rejected' && last.condition === 'amqp:resource-limit-exceeded')
    one.receiver.addCredit(100)
    assert.equal(one.deliveries.length, accepted)
  })

  it('tells the server of a link how its client went', async () => {
    const causes: string[] = []
    const links: ServedLink[] = []
    await bench.space.serve('$lwt', link => {
      links.push(link)
      link.accept({ window: 5, onDelivery() {}, onClosed: ({ cause }) => causes.push(cause) })
    })
    const open = async () =>
      (await bench.space.connect('service')).openSender({ address: '$lwt', name: 'client 1' })
    await (await open()).close()
    await (await open()).close({ condition: 'amqp:link:detach-forced', description: 'gone' })
    const [closed, lost] = [await bench.space.connect('service'), await bench.space.connect('service')]
    await closed.openSender({ address: '$lwt' })
    await lost.openSender({ address: '$lwt' })
    await closed.close()
    lost.lose()
    assert.deepEqual(causes, ['clean', 'error', 'clean', 'lost'])
    assert.deepEqual([links[0]?.name, links[0]?.user], ['client 1', 'service'])
  })

  it('ends all links when the space is closed, after the outcomes of what was sent', async () => {
    const events: string[] = []
    const sender = await service.openSender({
      address: 'work',
      onClosed: ({ cause }) => events.push(`sender ${cause}`)
    })
    sender.send(message('1'), ({ type }) => events.push(type))
    const { closed } = await receive(service, 'a')
    await bench.stop()
    assert.deepEqual(events, ['accepted', 'sender lost'])
    assert.deepEqual(closed[0]?.error?.condition, 'amqp:connection:forced')
    await assert.rejects(service.openSender({ address: 'a' }), { condition: 'amqp:connection:forced' })
  })

  it('sends to the kind of address that was asked for', async () => {
    await assert.rejects(service.openSender({ address: 'a', kind: 'queue' }), NOT_FOUND)
    const topic = await receive(service, 'work/#')
    const sender = await service.openSender({ address: 'work', kind: 'topic' })
    sender.send(message('1'))
    assert.deepEqual(topic.texts(), ['1'])
    assert.deepEqual((await empty(service, 'work')).texts(), [])
  })
})
