import assert from 'node:assert/strict'
import type { AmqpListenerOptions } from '../../../adapters/rhea/listener/listener.js'
import { FakeCore } from '../../fixtures/fake-core.js'
import {
  attachReceiver,
  attachSender,
  begin,
  detach,
  flow,
  frame,
  symbol,
  transfer,
  uint,
  ushort,
  AMQP_HEADER,
  SASL_HEADER
} from '../../fixtures/amqp-frames.js'
import { closedWith } from '../../fixtures/amqp-links.js'
import { RawAmqp } from '../../fixtures/raw-amqp.js'

describe('what an AMQP client may cost', () => {
  let core: FakeCore
  let port: number
  let client: RawAmqp

  const start = async (options: Partial<AmqpListenerOptions> = {}): Promise<void> => {
    port = await core.listen(options)
    client = await core.client(port)
  }

  beforeEach(() => {
    core = new FakeCore()
  })

  afterEach(() => core.close())

  const frames: readonly [string, Buffer, string][] = [
    ['a frame over the announced size', Buffer.from('00010001', 'hex'), 'amqp:connection:framing-error'],
    ['a frame of 4 GB', Buffer.from('ffffffff', 'hex'), 'amqp:connection:framing-error'],
    ['a frame of 3 bytes', Buffer.from('00000003', 'hex'), 'amqp:connection:framing-error'],
    [
      'a data offset beyond its frame',
      Buffer.from('0000000803000000', 'hex'),
      'amqp:connection:framing-error'
    ],
    [
      'a data offset within the header',
      Buffer.from('0000000801000000', 'hex'),
      'amqp:connection:framing-error'
    ],
    ['a SASL frame', frame('saslInit', 0, [symbol('ANONYMOUS')]), 'amqp:connection:framing-error'],
    [
      'a list longer than its frame',
      Buffer.from('0000001402000000005310d0000000ff000000ff', 'hex'),
      'amqp:decode-error'
    ],
    ['an unknown performative', Buffer.from('0000000c0200000000539945', 'hex'), 'amqp:internal-error'],
    ['no performative', Buffer.from('000000090200000040', 'hex'), 'amqp:internal-error'],
    ['a second open', frame('open', 0, ['again']), 'amqp:connection:framing-error'],
    ['an attach on no session', attachSender('a', { channel: 9 }), 'amqp:connection:framing-error'],
    ['a begin on a channel in use', begin(0), 'amqp:not-allowed'],
    ['a begin over channel-max', begin(256), 'amqp:connection:framing-error'],
    ['an answer to no begin', frame('begin', 1, [ushort(0), uint(0), uint(1), uint(1)]), 'amqp:not-allowed'],
    ['a handle over handle-max', attachSender('a', { handle: 5000 }), 'amqp:connection:framing-error'],
    ['an attach without a name', frame('attach', 0, [null, uint(0), false]), 'amqp:decode-error'],
    ['a name that is a number', frame('attach', 0, [uint(7), uint(0), false]), 'amqp:decode-error'],
    ['a transfer on no link', transfer(Buffer.alloc(1)), 'amqp:session:unattached-handle'],
    ['a flow on no link', flow(1), 'amqp:session:unattached-handle'],
    ['a detach of no link', detach(3), 'amqp:session:unattached-handle'],
    ['a disposition of no ids', frame('disposition', 0, [true]), 'amqp:decode-error'],
    [
      'a transfer to its receiver',
      Buffer.concat([attachReceiver('a'), transfer(Buffer.alloc(1))]),
      'amqp:not-allowed'
    ],
    [
      'a handle twice',
      Buffer.concat([attachSender('a'), attachSender('b', { name: 'other' })]),
      'amqp:session:handle-in-use'
    ],
    [
      'a link name twice',
      Buffer.concat([attachSender('a', { name: 'x' }), attachSender('b', { name: 'x', handle: 1 })]),
      'amqp:not-allowed'
    ]
  ]
  for (const [what, bytes, condition] of frames) {
    it(`closes the connection for ${what}`, async () => {
      await start()
      client.write(bytes)
      await closedWith(core, client, condition)
    })
  }

  it('reads no array of 4 billion nulls', async () => {
    await start()
    // open, a list of one field, an array: size, count, the constructor of null
    const body = Buffer.from('005310' + 'd00000000e00000001' + 'f000000005ffffffff40', 'hex')
    const head = Buffer.from('0000000002000000', 'hex')
    head.writeUInt32BE(body.length + 8)
    client.write(head, body)
    await closedWith(core, client, 'amqp:decode-error')
  })

  it('takes a frame of exactly the announced size', async () => {
    await start({ maxFrameSize: 1024 })
    client.write(
      frame(
        'flow',
        0,
        [uint(0), uint(1), uint(0), uint(1), null, null, null, null, false, true],
        Buffer.alloc(0)
      )
    )
    await client.next('flow')
    const padded = flow(0, { handle: null, echo: true })
    const whole = Buffer.concat([padded, Buffer.alloc(1024 - padded.length)])
    whole.writeUInt32BE(1024)
    client.write(whole)
    await client.next('flow')
  })

  const opens: readonly [string, Buffer][] = [
    ['a max-frame-size of less than 512', frame('open', 0, ['me', null, uint(511)])],
    [
      'an idle-time-out that asks for heartbeats without end',
      frame('open', 0, ['me', null, null, null, uint(1)])
    ]
  ]
  for (const [what, open] of opens) {
    it(`closes the connection for ${what}`, async () => {
      port = await core.listen()
      client = new RawAmqp(port)
      client.write(SASL_HEADER, frame('saslInit', 0, [symbol('ANONYMOUS')]), AMQP_HEADER, open)
      await client.next('open')
      await client.next('close')
      await client.ended
    })
  }

  it('takes nothing before open', async () => {
    port = await core.listen()
    client = new RawAmqp(port)
    client.write(SASL_HEADER, frame('saslInit', 0, [symbol('ANONYMOUS')]), AMQP_HEADER, begin(0))
    await client.ended
    assert.equal(core.log[0]?.level, 'warn')
  })

  it('announces how many sessions and links there may be', async () => {
    await start({ maxSessions: 3, maxLinks: 7 })
    assert.equal(client.frames.find(({ name }) => name === 'open')?.fields[3], 2)
    assert.equal(client.frames.find(({ name }) => name === 'begin')?.fields[4], 6)
  })

  it('closes the connection for too many links, in all of its sessions', async () => {
    await start({ maxLinks: 3 })
    client.write(begin(1), attachSender('a'), attachSender('b', { handle: 1 }), detach(1))
    client.write(attachSender('b', { handle: 1 }), attachReceiver('c', { channel: 1 }))
    for (let i = 0; i < 4; i++) await client.next('attach')
    client.write(attachReceiver('d', { channel: 1, handle: 1 }))
    await closedWith(core, client, 'amqp:resource-limit-exceeded')
  })

  it('frees sessions and links that ended', async () => {
    await start({ maxSessions: 1, maxLinks: 2 })
    for (let i = 0; i < 5; i++) {
      client.write(
        attachSender('a'),
        attachSender('b', { handle: 1 }),
        detach(0),
        frame('end', 0, []),
        begin(0)
      )
      for (const name of ['attach', 'detach', 'attach', 'end', 'begin'] as const) await client.next(name)
    }
  })

  it('has at most the configured number of connections', async () => {
    await start({ maxConnections: 1 })
    const second = new RawAmqp(port)
    await second.ended
    assert.equal(core.log[0]?.message, 'too many AMQP connections: new ones are closed')
  })
})
