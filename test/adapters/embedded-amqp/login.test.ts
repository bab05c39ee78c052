import assert from 'node:assert/strict'
import { FakeCore, principal } from '../../fixtures/fake-core.js'
import { AMQP_HEADER, frame, SASL_HEADER, symbol } from '../../fixtures/amqp-frames.js'
import { RawAmqp } from '../../fixtures/raw-amqp.js'

const plain = (user: string, password: string | Uint8Array) =>
  frame('saslInit', 0, [symbol('PLAIN'), Buffer.concat([Buffer.from(`\0${user}\0`), Buffer.from(password)])])

describe('login of AMQP clients', () => {
  let core: FakeCore
  let port: number
  let client: RawAmqp

  const start = async (options: Parameters<FakeCore['listen']>[0] = {}): Promise<void> => {
    port = await core.listen(options)
    client = new RawAmqp(port)
  }

  beforeEach(() => {
    core = new FakeCore()
  })

  afterEach(async () => {
    client.close()
    await core.close()
  })

  it('offers PLAIN, and ANONYMOUS where nobody needs a name', async () => {
    await start()
    client.write(SASL_HEADER)
    assert.deepEqual((await client.next('saslMechanisms')).fields, [['PLAIN', 'ANONYMOUS']])
    assert.deepEqual(client.headers, [SASL_HEADER])
  })

  it('offers PLAIN alone where everybody needs a name', async () => {
    core.anonymous = false
    await start()
    client.write(SASL_HEADER)
    assert.deepEqual((await client.next('saslMechanisms')).fields, [['PLAIN']])
    client.write(frame('saslInit', 0, [symbol('ANONYMOUS')]))
    assert.deepEqual((await client.next('saslOutcome')).fields, [1])
    await client.ended
    assert.deepEqual(core.connections, [])
  })

  it('lets a client in whose open came with its login in one piece', async () => {
    await start()
    client.write(
      SASL_HEADER,
      frame('saslInit', 0, [symbol('ANONYMOUS')]),
      AMQP_HEADER,
      frame('open', 0, ['me'])
    )
    assert.deepEqual((await client.next('saslOutcome')).fields, [0])
    const [containerId, , maxFrameSize, channelMax, idleTimeOut] = (await client.next('open')).fields
    assert.deepEqual([containerId, maxFrameSize, channelMax, idleTimeOut], ['fake', 65536, 255, 30000])
    assert.equal((await core.connection()).user.name, 'nobody')
  })

  it('lets a client in that sends every byte on its own', async () => {
    await start()
    const bytes = [
      SASL_HEADER,
      frame('saslInit', 0, [symbol('ANONYMOUS')]),
      AMQP_HEADER,
      frame('open', 0, ['me'])
    ]
    for (const byte of Buffer.concat(bytes)) {
      await new Promise<void>(resolve => client.socket.write(Buffer.from([byte]), () => resolve()))
    }
    await client.next('open')
  })

  it('checks name and password, all bytes of it', async () => {
    core.authentication = { principal: principal('ann') }
    await start()
    const password = Buffer.from([0xff, 0xfe, 0x01])
    client.write(SASL_HEADER, plain('ann', password), AMQP_HEADER, frame('open', 0, ['me']))
    assert.deepEqual((await client.next('saslOutcome')).fields, [0])
    await client.next('open')
    assert.equal((await core.connection()).user.name, 'ann')
    const [, credentials] = core.credentials
    assert.deepEqual(credentials, {
      mechanism: 'PLAIN',
      username: 'ann',
      password: Uint8Array.from(password)
    })
  })

  it('refuses with the outcome `auth`, once', async () => {
    await start()
    client.write(SASL_HEADER, plain('ann', 'wrong'), plain('ann', 'again'))
    assert.deepEqual((await client.next('saslOutcome')).fields, [1])
    await client.ended
    assert.equal(core.credentials.filter(({ mechanism }) => mechanism === 'PLAIN').length, 1)
    const [line] = core.log
    assert.equal(line?.message, 'the login of an AMQP client was refused')
    assert.doesNotMatch(JSON.stringify(line), /wrong/)
  })

  for (const [what, answer] of [
    ['is unavailable', async () => ({ refused: 'unavailable', description: 'no' }) as const],
    ['fails', async () => Promise.reject(new Error('broken'))]
  ] as const) {
    it(`says that it may be tried again where the authentication ${what}`, async () => {
      await start()
      core.authentication = answer()
      core.authentication.catch(() => {})
      client.write(SASL_HEADER, plain('ann', 'x'))
      assert.deepEqual((await client.next('saslOutcome')).fields, [4])
      await client.ended
    })
  }

  it('does not let a client in before the answer is there, and none that has gone by then', async () => {
    let answer = (): void => {}
    core.authentication = new Promise(resolve => (answer = () => resolve({ principal: principal('ann') })))
    await start()
    client.write(SASL_HEADER, plain('ann', 'x'), AMQP_HEADER, frame('open', 0, ['me']))
    await client.next('saslMechanisms')
    await core.until(() => core.credentials.length === 2, 'the question')
    assert.equal(client.frames.length, 1)
    client.close()
    await client.ended
    const second = new RawAmqp(port)
    second.write(SASL_HEADER, plain('ann', 'x'), AMQP_HEADER, frame('open', 0, ['me']))
    await core.until(() => core.credentials.length === 4, 'the second question')
    answer()
    await second.next('open')
    second.close()
    await core.until(
      () => core.connections.length === 2 && core.connections[0]?.ended === 'lost',
      'the first to be lost'
    )
  })

  it('takes a client without SASL for an anonymous one, where those are welcome', async () => {
    await start()
    client.write(AMQP_HEADER, frame('open', 0, ['me']))
    await client.next('open')
    assert.deepEqual(client.headers, [AMQP_HEADER])
    assert.equal((await core.connection()).user.name, 'nobody')
  })

  for (const [what, anonymous, bytes] of [
    ['starts without SASL where it needs a name', false, AMQP_HEADER],
    ['speaks AMQP 0-9-1', true, Buffer.from('AMQP\0\0\x09\x01', 'latin1')]
  ] as const) {
    it(`tells a client that ${what} what it speaks, and ends [AMQP-2.2]`, async () => {
      core.anonymous = anonymous
      await start()
      client.write(bytes)
      await client.ended
      assert.deepEqual(client.headers, [SASL_HEADER])
      assert.equal(core.log.length, 1)
      assert.deepEqual(core.connections, [])
    })
  }

  it('tells a client with another protocol behind SASL what it speaks, and ends [AMQP-2.2]', async () => {
    await start()
    client.write(
      SASL_HEADER,
      frame('saslInit', 0, [symbol('ANONYMOUS')]),
      Buffer.from('AMQP\0\x01\x01\0', 'latin1')
    )
    await client.ended
    assert.deepEqual(client.headers, [SASL_HEADER, AMQP_HEADER])
    assert.equal(core.connections[0]?.ended, 'lost')
  })

  const garbage: readonly [string, Buffer][] = [
    ['no AMQP', Buffer.from('GET / HTTP/1.1\r\n')],
    ['a frame of 64 MB', Buffer.concat([SASL_HEADER, Buffer.from('0400000002010000', 'hex')])],
    ['a frame without an end', Buffer.concat([SASL_HEADER, Buffer.from('00001001', 'hex')])],
    ['a frame of no bytes', Buffer.concat([SASL_HEADER, Buffer.from('0000000002010000', 'hex')])],
    ['a frame of AMQP', Buffer.concat([SASL_HEADER, frame('open', 0, ['me'])])],
    ['an outcome', Buffer.concat([SASL_HEADER, frame('saslOutcome', 0, [0])])],
    ['PLAIN without a response', Buffer.concat([SASL_HEADER, frame('saslInit', 0, [symbol('PLAIN')])])],
    [
      'PLAIN without a password',
      Buffer.concat([SASL_HEADER, frame('saslInit', 0, [symbol('PLAIN'), Buffer.from('\0ann')])])
    ],
    ['an empty frame', Buffer.concat([SASL_HEADER, Buffer.from('0000000802010000', 'hex')])],
    ['an init that is no list', Buffer.concat([SASL_HEADER, Buffer.from('0000000c0201000000534140', 'hex')])]
  ]
  for (const [what, bytes] of garbage) {
    it(`cuts a client that sends ${what} before it is known`, async () => {
      await start()
      client.write(bytes)
      await client.ended
      assert.deepEqual(core.connections, [])
      assert.equal(core.log[0]?.message, 'an AMQP client broke the protocol')
      assert.equal(core.log[0].level, 'warn')
    })
  }

  it('cuts a client that does not open its connection in time', async () => {
    await start({ openTimeoutMs: 30 })
    client.write(SASL_HEADER, frame('saslInit', 0, [symbol('ANONYMOUS')]), AMQP_HEADER)
    await client.ended
    assert.equal(core.log[0]?.message, 'an AMQP client did not open its connection in time')
    await core.until(() => core.connections[0]?.ended === 'lost', 'the loss')
  })
})
