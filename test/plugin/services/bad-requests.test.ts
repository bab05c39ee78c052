// Requests to the Subscription Service that cannot be read or may not be made, and stored records that say nothing.

import assert from 'node:assert/strict'
import type {
  AmqpConnection,
  AmqpValue,
  Message,
  MessageBody,
  Outcome,
  Sender
} from '../../../plugin/host.js'
import { publishAddress } from '../../../plugin/messages/addresses.js'
import { RunningGateway } from '../../fixtures/gateway.js'
import { ServiceClient } from '../../fixtures/service-client.js'

const MIB = 1 << 20

interface Parts {
  readonly subject?: string | undefined
  readonly correlationId?: Message['properties']['correlationId']
  readonly body?: MessageBody
  readonly app?: ReadonlyMap<string, AmqpValue>
}

const value = (inner: AmqpValue): MessageBody => ({ type: 'value', value: inner })
const filters = (names: readonly string[]): MessageBody => value(new Map(names.map(name => [name, '1'])))

describe('bad requests to the Subscription Service', () => {
  let service: RunningGateway
  let amqp: AmqpConnection
  let sender: Sender

  beforeEach(async () => {
    const users = [{ name: 'u', password: 'p', receive: ['mine/#'], clientIds: ['x'] }]
    service = await RunningGateway.start({ users })
    const credentials = { mechanism: 'PLAIN', username: 'u', password: Buffer.from('p') } as const
    const login = await service.space.authenticate(credentials)
    assert.ok('principal' in login)
    amqp = await service.space.connect(login.principal)
    sender = await amqp.openSender({ address: '$subctrl' })
  })
  afterEach(() => service.stop())

  async function send({
    subject = 'subscribe',
    correlationId = publishAddress('x'),
    body = filters(['mine/a']),
    app = new Map()
  }: Parts): Promise<string> {
    const message: Message = {
      ...{ durable: false, deliveryCount: 0, annotations: new Map(), applicationProperties: app, body },
      properties: { subject, correlationId }
    }
    const outcome = await new Promise<Outcome>(resolve => sender.send(message, resolve))
    if (outcome.type !== 'rejected') return outcome.type
    const info = [...(outcome.info ?? [])].reduce((sum, [name, code]) => sum + name.length + code.length, 0)
    assert.ok(outcome.description.length < 3000, `a description of ${outcome.description.length} characters`)
    assert.ok(info < 16_000, `info of ${info} characters`)
    return `${outcome.condition}: ${outcome.description}`
  }

  /** Each is rejected so, and the link serves the next. */
  async function refused(parts: Parts, expected: RegExp): Promise<void> {
    assert.match(await send(parts), expected)
    assert.equal(await send({ subject: 'unsubscribe', body: value('mine/a') }), 'accepted')
    assert.deepEqual(await service.space.queues.list('$mqtt.to.'), [])
    service.take('warn')
  }

  it('name the field that cannot be read', async () => {
    await refused({ subject: 'nonsense' }, /^amqp:not-implemented: subject "nonsense"/)
    await refused({ subject: '__proto__' }, /^amqp:not-implemented: subject "__proto__"/)
    await refused({ subject: 'constructor' }, /^amqp:not-implemented: subject "constructor"/)
    await refused({ correlationId: 7 }, /^amqp:decode-error: correlation-id/)
    await refused({ correlationId: '$mqtt.to.a/b.publish' }, /^amqp:decode-error: correlation-id/)
    await refused({ subject: 'list' }, /^amqp:decode-error: reply-to/)
    await refused({ body: { type: 'none' } }, /^amqp:decode-error: the body/)
    await refused({ body: { type: 'data', sections: [Buffer.from('a')] } }, /^amqp:decode-error: the body/)
    await refused({ body: value(new Map()) }, /^amqp:decode-error: the body names no filter/)
    await refused({ body: value([1]) }, /^amqp:decode-error: a filter must be a string/)
    await refused(
      { body: value(new Map([['mine/a', 7]])) },
      /^amqp:decode-error: the QoS of filter "mine\/a"/
    )
    for (const name of ['delivery', 'connection', 'replay-to'])
      await refused(
        { app: new Map([[name, 7]]) },
        new RegExp(`^amqp:decode-error: application property ${name}`)
      )
  })

  it('name the client id, the filters or the address that may not be used', async () => {
    await refused(
      { correlationId: publishAddress('foreign') },
      /^amqp:unauthorized-access: .*client id "foreign"/
    )
    await refused({ body: filters(['mine/a', 'other']) }, /^amqp:unauthorized-access: .*"other"$/)
    await refused(
      { body: filters(['mine/#/a']) },
      /^amqp:precondition-failed: .*"mine\/#\/a" is no valid topic filter/
    )
    for (const address of [
      '$mqtt.to.foreign.control',
      '$mqtt.to.foreign.publish',
      '$subctrl',
      '$mqtt.store.x'
    ])
      await refused({ app: new Map([['replay-to', address]]) }, /^amqp:not-allowed: replay-to/)
  })

  it('have a short answer, however long they are', async () => {
    const long = `mine/${'x'.repeat(65_000)}`
    const many = Array.from({ length: 160 }, (_, index) => `${long}${index}`)
    const bytes = many.reduce((sum, { length }) => sum + length, 0)
    assert.ok(bytes > 9.9 * MIB)
    const tooMany = Array.from({ length: 200_000 }, (_, index) => `mine/${index}/#/wrong/and/some/more/of/it`)
    const partial = new Map([['partial', true]])
    await refused({ body: filters(many.map(each => `${each}\0`)) }, /^amqp:precondition-failed/)
    await refused({ body: filters(tooMany) }, /and 199990 more$/)
    await refused({ body: filters(['mine/a', ...tooMany]), app: partial }, /^amqp:precondition-failed/)
    await refused({ body: filters(many.map(each => each.slice(1))) }, /^amqp:unauthorized-access/)
    await refused({ subject: 'x'.repeat(MIB) }, /^amqp:not-implemented/)
    await refused({ correlationId: 'x'.repeat(MIB) }, /^amqp:decode-error/)
  })

  it('with names that objects have by themselves are requests like others', async () => {
    const names = ['__proto__', 'constructor', 'toString'].map(name => `mine/${name}`)
    assert.equal(await send({ body: filters(names) }), 'accepted')
    const routes = await service.space.routes.list(publishAddress('x'))
    assert.deepEqual(routes.map(({ filter }) => filter).sort(), [...names].sort())
  })
})

describe('stored records of the Subscription Service that say nothing', () => {
  let service: RunningGateway

  afterEach(() => service.stop())

  it('are set aside and reported once; sessions and the other subscriptions go on', async () => {
    service = await RunningGateway.start()
    const amqp = await service.space.connect('service')
    const client = (id: string): ServiceClient => new ServiceClient(amqp, id, undefined)
    for (const id of ['good', 'bad']) assert.equal(await client(id).subscribe('a', 'b'), 'accepted')
    await service.hooks.addressSpaceRemoved('default')
    const store = await service.space.store('subscriptions')
    const broken = async (key: string): Promise<void> => {
      const record = (await store.get('session/good')) ?? assert.fail()
      const { durable, deliveryCount, annotations, properties, applicationProperties } = record
      const body = { type: 'data', sections: [Buffer.from('nonsense')] } as const
      await store.put(key, { durable, deliveryCount, annotations, properties, applicationProperties, body })
    }
    const keys = ['session/bad', 'session/%%', 'filter/bad/a', 'filter/nobody/a', 'filter/good/a/#/b']
    for (const key of keys) await broken(key)
    for (const _time of [1, 2]) {
      await service.hooks.addressSpaceAdded(service.space)
      assert.deepEqual(
        new Set((await service.space.routes.list()).map(({ filter, queue }) => `${filter} ${queue}`)),
        new Set([
          '# $mqtt.store.retained-feed',
          ...['a', 'b'].map(filter => `${filter} $mqtt.to.good.publish`),
          'b $mqtt.to.bad.publish'
        ])
      )
      assert.equal(await client('bad').subscribe('b'), 'accepted')
      await service.hooks.addressSpaceRemoved('default')
    }
    const damaged = await service.space.store('damaged')
    const aside: string[] = []
    for await (const [key] of damaged.entries()) aside.push(key)
    assert.deepEqual(aside.sort(), keys.map(key => `subscriptions/${key}`).sort())
    assert.deepEqual(
      service
        .take('error')
        .map(({ message, fields }) => `${message} ${fields['key']}`)
        .sort(),
      keys.map(key => `a stored record cannot be used and was set aside ${key}`).sort()
    )
  })
})
