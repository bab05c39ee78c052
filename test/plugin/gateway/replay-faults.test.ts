// Retained messages whose replay is cut off, refused, or cannot be: with a service that says what the test wants.

import assert from 'node:assert/strict'
import { AmqpError } from '../../../plugin/errors.js'
import { Killable } from '../../fixtures/killable.js'
import { publish, subscribe } from '../../fixtures/mqtt-bytes.js'
import { takeCopies, withReplyNodes } from '../../fixtures/scripted-service.js'
import { ReplayScene } from './replay-scene.js'

describe('replays that do not end as they should', () => {
  const scene = new ReplayScene()
  afterEach(() => scene.stop())

  it('are asked for again where the service goes before their end, and only those', async () => {
    const { gateway, service } = await scene.start()
    const [done, cut] = [await gateway.connect('done'), await gateway.connect('cut')]
    const first = await service.subscribed(done, 1, ['a/#', 1])
    await first.end()
    const [kept, left] = [await service.subscribed(cut, 1, ['a/#', 1], ['left', 1]), await done.untilPong()]
    assert.deepEqual(left, [])
    await kept.copy(['a/1'])
    assert.deepEqual(await takeCopies(cut, 1), ['a/1'])
    await cut.unsubscribe('left')
    const successor = await scene.nextService()
    const announced = [await successor.next(), await successor.next()]
    assert.deepEqual(
      announced.map(({ request }) => [request.clientId, request.replayTo]),
      [
        ['done', undefined],
        ['cut', undefined]
      ]
    )
    for (const each of announced) each.accept()
    const again = await successor.next()
    assert.deepEqual([again.request.clientId, again.filters], ['cut', ['a/#']])
    again.accept()
    await again.copy(['a/1', 'a/2'])
    await again.end()
    assert.deepEqual(await takeCopies(cut, 2), ['a/1', 'a/2'])
    assert.deepEqual(await cut.untilPong(), [])
    assert.equal(successor.untaken, 0)
  })

  it('of a SUBSCRIBE that no service has answered come from the next one', async () => {
    const { gateway, service } = await scene.start()
    const client = await gateway.connect('c')
    client.send(subscribe(1, ['#', 1]))
    const lost = await service.next()
    await lost.copy(['old'])
    const successor = await scene.nextService()
    const announced = await successor.next()
    assert.equal(announced.request.replayTo, undefined)
    announced.accept()
    const repeated = await successor.next()
    assert.equal(repeated.request.packetId, 1)
    repeated.accept()
    assert.deepEqual(await client.next(), { cmd: 'suback', packetId: 1, codes: [1] })
    const asked = await successor.next()
    assert.notEqual(asked.replayTo, lost.replayTo)
    asked.accept()
    await asked.copy(['new'])
    assert.deepEqual(await takeCopies(client, 1), ['new'])
  })

  it('are asked for again where the host loses the gateway’s connection', async () => {
    const lossy = new Killable()
    const { gateway, service } = await scene.start({ wrap: lossy.wrap })
    const client = await gateway.connect('c')
    const lost = await service.subscribed(client, 1, ['#', 0])
    await lost.copy(['one'])
    assert.deepEqual(await takeCopies(client, 1), ['one'])
    lossy.loseConnections()
    const announced = await service.next()
    assert.equal(announced.request.replayTo, undefined)
    announced.accept()
    const asked = await service.next()
    asked.accept()
    await asked.copy(['one', 'two'])
    await asked.end()
    assert.deepEqual(await takeCopies(client, 2), ['one', 'two'])
  })

  it('end a client whose replay the service will not make again, for it would miss some', async () => {
    const { gateway, service } = await scene.start()
    const client = await gateway.connect('c')
    const first = await service.subscribed(client, 1, ['a', 1])
    await service.subscribed(client, 2, ['b', 1])
    await first.end()
    const rest = await service.next()
    rest.reject('amqp:resource-limit-exceeded')
    assert.deepEqual(await client.untilClosed(), [])
    assert.equal(gateway.take('warn').at(-1)?.fields['code'], 'sourceLost')
  })

  it('come for the filters that the service granted, of those that it was asked for [MQTT3-3.8.4-5]', async () => {
    const { gateway, service } = await scene.start()
    const client = await gateway.connect('c')
    client.send(subscribe(1, ['good', 1], ['bad', 1]))
    const asked = await service.next()
    asked.reject('amqp:precondition-failed', new Map([['bad', '135']]))
    assert.deepEqual(await client.next(), { cmd: 'suback', packetId: 1, codes: [1, 0x80] })
    await asked.copy(['good'])
    await asked.end()
    assert.deepEqual(await takeCopies(client, 1), ['good'])
    gateway.take('warn')
  })

  it('leave a subscription as it is where the host makes no reply nodes, and that is told once', async () => {
    const wrap = withReplyNodes(() => {
      throw new AmqpError('amqp:not-found', 'there is no such address')
    })
    const { gateway, service } = await scene.start({ wrap })
    const client = await gateway.connect('c')
    for (const packetId of [1, 2]) {
      const asked = await service.subscribed(client, packetId, ['a', 1])
      assert.equal(asked.request.replayTo, undefined)
    }
    client.send(publish('a', 'live'))
    assert.equal((await client.nextPublish()).payload, 'live')
    assert.equal(service.untaken, 0)
    const told = gateway.take('warn').filter(({ message }) => message.includes('reply nodes'))
    assert.equal(told.length, 1)
  })

  it('make a SUBSCRIBE fail where the host has no link for them [MQTT3-3.8.4-5]', async () => {
    const wrap = withReplyNodes(() => {
      throw new AmqpError('amqp:resource-limit-exceeded', 'too many links')
    })
    const { gateway } = await scene.start({ wrap })
    const client = await gateway.connect('c')
    assert.deepEqual(await client.subscribe(['a', 1]), [0x80])
    assert.match(gateway.take('warn').at(-1)?.message ?? '', /no replay channel/)
    client.send(publish('a', 'ghost'))
    assert.deepEqual(await client.untilPong(), [])
  })
})
