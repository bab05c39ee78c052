// AMQP clients that are made to cost something, beside the witness on the MQTT port of the same process.

import assert from 'node:assert/strict'
import { encodeMessage } from '../../adapters/rhea/message.js'
import {
  AMQP_HEADER,
  attachReceiver,
  attachSender,
  begin,
  flow,
  frame,
  SASL_HEADER,
  source,
  symbol,
  transfer
} from '../fixtures/amqp-frames.js'
import { message } from '../fixtures/amqp-messages.js'
import { publish } from '../fixtures/mqtt-bytes.js'
import { RawAmqp } from '../fixtures/raw-amqp.js'
import { inParallel, Scene, SOAK, tell } from './scene.js'

const MESSAGES = SOAK ? 200_000 : 20_000
const PAYLOAD = 'x'.repeat(1024)
const MAX_CREDIT = 0xffff_ffff
const small = encodeMessage(message({ durable: true, body: { type: 'value', value: 'x' } })).bytes
const large = encodeMessage(
  message({ durable: false, body: { type: 'value', value: 'x'.repeat(30_000) } })
).bytes

describe('an AMQP listener with hostile clients', function () {
  this.timeout(SOAK ? 300_000 : 20_000)
  let scene: Scene
  let clients: RawAmqp[] = []
  afterEach(async () => {
    for (const client of clients) client.close()
    clients = []
    await scene.end()
  })

  const raw = (): RawAmqp => {
    const client = new RawAmqp(scene.server.amqpPort)
    clients.push(client)
    return client
  }
  const opened = async (channels = [0]): Promise<RawAmqp> => {
    const client = await RawAmqp.open(scene.server.amqpPort, { channels })
    clients.push(client)
    return client
  }
  const finish = async (maxMib: number): Promise<void> => {
    const { grownMib } = scene
    assert.ok(grownMib < maxMib, `${grownMib} MiB more`)
    const { messages, slowestMs } = await scene.finish()
    tell('witness', { messages, slowestMs, grownMib })
  }

  it('closes silent and slow ones in time, and those over the limit at once', async () => {
    scene = await Scene.start({ amqp: { port: 0, limits: { connections: 300, openTimeoutMs: 1500 } } })
    const silent = Array.from({ length: 300 }, raw)
    await inParallel(1000, 20, () => raw().ended)
    assert.equal(scene.linesOf('too many AMQP connections: new ones are closed'), 1)
    for (const client of silent.slice(0, 100)) client.write(SASL_HEADER)
    for (const client of silent.slice(0, 50))
      client.write(frame('saslInit', 0, [symbol('ANONYMOUS')]), AMQP_HEADER)
    await Promise.all(silent.map(client => client.ended))
    await opened() // there is room again
    await finish(60)
  })

  it('ends garbage and frames that are announced huge, before and after the login', async () => {
    scene = await Scene.start()
    const bad = [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.concat([SASL_HEADER, Buffer.from('7fffffff02010000', 'hex')]),
      Buffer.concat([SASL_HEADER, Buffer.alloc(100_000, 0x41)])
    ]
    await inParallel(300, 20, async index => {
      const client = index % 4 === 3 ? await opened() : raw()
      client.write(bad[index % 4] ?? Buffer.from('ffffffff02000000', 'hex'))
      await client.ended
    })
    await finish(60)
  })

  it('lets nobody have more sessions and links than the limits', async () => {
    const limits = { sessionsPerConnection: 20, linksPerConnection: 100 }
    scene = await Scene.start({ amqp: { port: 0, limits } })
    await inParallel(20, 5, async index => {
      const client = await opened()
      if (index % 2 === 0) for (let channel = 1; channel < 1000; channel++) client.write(begin(channel))
      else
        for (let handle = 0; handle < 1000; handle++)
          client.write(attachReceiver(`flood/${handle}`, { handle }))
      const [error] = (await client.next('close')).fields
      assert.ok(Array.isArray(error))
      await client.ended
    })
    await finish(80)
  })

  it('ends a client that sends without credit', async () => {
    const addresses = [{ name: 'work', type: 'queue' }]
    scene = await Scene.start({ addresses, amqp: { port: 0, limits: { creditPerSender: 50 } } })
    for (let i = 0; i < 10; i++) {
      const client = await opened()
      client.write(attachSender('work'))
      // on its way to the disk none of them has its outcome yet
      client.write(...Array.from({ length: 2000 }, (_, id) => transfer(small, { id })))
      const [, , error] = (await client.next('detach')).fields
      assert.ok(Array.isArray(error), 'its link is closed')
    }
    await finish(80)
  })

  it('holds a bounded part of a flood for receivers that give all credit and neither read nor settle', async () => {
    scene = await Scene.start()
    const receivers = await Promise.all(Array.from({ length: 3 }, () => opened()))
    for (const client of receivers) {
      client.write(attachReceiver('flood/x'), flow(MAX_CREDIT))
      await client.next('attach')
      client.socket.pause()
    }
    const publisher = await scene.connect('publisher')
    for (let sent = 0; sent < MESSAGES; sent += 100) {
      publisher.send(...Array.from({ length: 100 }, () => publish('flood/x', PAYLOAD)))
      await publisher.untilPong()
    }
    tell(`${MESSAGES} x 1 KB to three that do not read`, { grownMib: scene.grownMib })
    await finish(150)
  })

  it('holds a bounded part of what is sent to dynamic nodes that nobody reads', async () => {
    const limits = { linksPerConnection: 101, nodeBytes: 100_000 }
    scene = await Scene.start({ amqp: { port: 0, limits } })
    const client = await opened()
    for (let handle = 1; handle <= 100; handle++)
      client.write(attachReceiver(null, { handle, source: source([null, null, null, null, true]) }))
    const addresses: string[] = []
    for (let i = 0; i < 100; i++) {
      const attached = (await client.next('attach')).fields[5]
      const [address] = Array.isArray(attached) ? attached : []
      assert.ok(typeof address === 'string')
      addresses.push(address)
    }
    for (const address of addresses) {
      const other = raw()
      other.write(SASL_HEADER, frame('saslInit', 0, [symbol('ANONYMOUS')]), AMQP_HEADER)
      other.write(frame('open', 0, ['other']), begin(0), attachSender(address))
      await other.next('flow')
      for (let id = 0; id < 6; id++) {
        other.write(transfer(large, { id }))
        const outcome = (await other.next('disposition')).fields[4]
        assert.ok(outcome !== undefined && outcome !== null)
      }
      other.close()
    }
    await finish(100)
  })
})
