import assert from 'node:assert/strict'
import type { LinkClosed, ServedReader } from '../../../plugin/host.js'
import { refused } from '../../contract/peer.js'
import {
  amqpError,
  attachReceiver,
  attachSender,
  detach,
  flow,
  transfer
} from '../../fixtures/amqp-frames.js'
import { bytes, subjectOf } from '../../fixtures/amqp-links.js'
import { message } from '../embedded/broker-fixture.js'
import { refusalOf, Scene, SERVICE } from './scene.js'

describe('AMQP clients of a listener beside a host, and who serves them', () => {
  let scene: Scene

  beforeEach(async () => {
    scene = await Scene.open()
  })

  afterEach(() => scene.close())

  it('reach a server in this process without a connection to the host', async () => {
    const { links, texts } = await scene.serve()
    const client = await scene.connect()
    client.write(attachSender(SERVICE, { name: 'mine' }))
    await client.next('flow')
    client.write(transfer(bytes('request')))
    await client.next('disposition')
    assert.deepEqual(texts, ['request'])
    const [link] = links
    assert.ok(link !== undefined && link.user !== 'service')
    assert.deepEqual([link.name, link.address, link.user.name], ['mine', SERVICE, 'anonymous'])
    assert.equal(scene.host.connections.length, 0)
  })

  it('are told apart by a server: who detached, who said why, and who vanished', async () => {
    const { closed } = await scene.serve()
    for (const end of [detach(0), detach(0, { error: amqpError('amqp:link:detach-forced') }), undefined]) {
      const client = await scene.connect()
      client.write(attachSender(SERVICE))
      await client.next('flow')
      const known = closed.length
      if (end === undefined) client.close()
      else client.write(end)
      await scene.until(() => closed[known], 'the end of the link')
    }
    assert.deepEqual(
      closed.map(({ cause, error }) => [cause, error?.condition]),
      [
        ['clean', undefined],
        ['error', 'amqp:link:detach-forced'],
        ['lost', undefined]
      ]
    )
  })

  it('lose their links when the server loses its place, which hears of it once, after its links', async () => {
    const { closed, lost } = await scene.serve()
    const client = await scene.connect()
    client.write(attachSender(SERVICE))
    await client.next('flow')
    const inProcess = await scene.space.connect('service')
    const ends: LinkClosed[] = []
    await inProcess.openSender({ address: SERVICE, onClosed: end => void ends.push(end) })
    for (const takeAway of scene.host.places) takeAway()
    const [, , error] = (await client.next('detach')).fields
    assert.equal((error as unknown[])[0], 'amqp:link:detach-forced')
    assert.deepEqual(
      closed.map(({ cause }) => cause),
      ['orphaned', 'orphaned']
    )
    assert.deepEqual(lost, [2])
    assert.deepEqual(
      ends.map(({ cause }) => cause),
      ['error']
    )
    await refused(inProcess.openSender({ address: SERVICE }), 'amqp:not-found', 'an attach without a server')
    await scene.serve() // another may have the place
  })

  it('read what is served to them, and the server learns of a place it lost', async () => {
    const closed: LinkClosed[] = []
    let reader: ServedReader | undefined
    await scene.space.serveReaders('$retain.', offered => {
      reader = offered
      const pump = (): void => offered.send(message('kept', { properties: { subject: offered.address } }))
      offered.accept({ onCredit: pump, onClosed: end => void closed.push(end) })
    })
    const client = await scene.connect()
    client.write(attachReceiver('$retain.a'), flow(1))
    assert.equal(subjectOf((await client.next('transfer')).payload), '$retain.a')
    assert.equal(reader?.address, '$retain.a')
    for (const takeAway of scene.host.places) takeAway()
    await client.next('detach')
    assert.deepEqual(
      closed.map(({ cause }) => cause),
      ['orphaned']
    )
  })

  it('get the reason for what they may not use', async () => {
    await scene.serve()
    const client = await scene.connect()
    client.write(attachSender('$mqtt.nothing'))
    assert.equal(await refusalOf(client), 'amqp:unauthorized-access')
    client.write(attachReceiver(SERVICE, { name: 'r', handle: 1 }))
    assert.notEqual(await refusalOf(client), undefined)
    client.write(attachReceiver('$retain.a', { name: 'unserved', handle: 2 }))
    assert.equal(await refusalOf(client), 'amqp:not-found')
    client.write(attachSender('$mqtt.gw.0.control', { name: 'order', handle: 3 }))
    assert.equal(await refusalOf(client), 'amqp:unauthorized-access')
  })
})
