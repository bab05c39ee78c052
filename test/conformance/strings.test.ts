// UTF-8 strings of MQTT 3.1.1, chapter 1.5.3: what is no string ends the connection, what is one arrives as it was sent.

import assert from 'node:assert/strict'
import { gatewayForSuite } from '../fixtures/gateway.js'
import { byte, connect, publish, subscribe, unsubscribe } from '../fixtures/mqtt-bytes.js'
import { assertCloses, assertNoConnack, subscriber } from './expectations.js'

const around = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from('a'), bytes, Buffer.from('b')])

const ILL_FORMED: Readonly<Record<string, Buffer>> = {
  'a high surrogate': byte(0xed, 0xa0, 0x80),
  'a low surrogate': byte(0xed, 0xbf, 0xbf),
  'a pair of surrogates': byte(0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80),
  'an overlong slash': byte(0xc0, 0xaf),
  'an overlong NUL': byte(0xc0, 0x80),
  'an overlong euro sign': byte(0xf0, 0x82, 0x82, 0xac),
  'a continuation byte alone': byte(0x80),
  'a character that is cut off': byte(0xe2, 0x82),
  'a code point after U+10FFFF': byte(0xf4, 0x90, 0x80, 0x80),
  'a byte that UTF-8 does not have': byte(0xff)
}

const NUL = byte(0)

describe('conformance: UTF-8 strings', () => {
  const gateway = gatewayForSuite()

  for (const [what, bytes] of Object.entries(ILL_FORMED)) {
    it(`closes on ${what} in any string of any packet [MQTT3-1.5.3-1]`, () => assertNoString(around(bytes)))
  }

  it('closes on U+0000 in any string of any packet [MQTT3-1.5.3-2] [MQTT3-4.7.3-2]', () =>
    assertNoString(around(NUL)))

  it('closes on U+0000 at the start and end of a string [MQTT3-1.5.3-2]', async () => {
    await assertNoString(Buffer.concat([NUL, Buffer.from('a')]))
    await assertNoString(Buffer.concat([Buffer.from('a'), NUL]))
    await assertNoString(NUL)
  })

  async function assertNoString(text: Buffer): Promise<void> {
    for (const refused of [
      connect({ clientId: text }),
      connect({ will: { topic: text } }),
      connect({ username: text }),
      connect({ username: text, password: 'x' })
    ])
      await assertNoConnack(gateway(), refused)
    for (const refused of [
      publish(text, 'x'),
      publish(text, 'x', { packetId: 1 }),
      subscribe(1, [text, 0]),
      subscribe(1, ['fine', 0], [text, 0]),
      unsubscribe(1, text),
      unsubscribe(1, 'fine', text)
    ])
      await assertCloses(gateway(), refused)
  }

  it('does not look into payloads and passwords', async () => {
    const bytes = Buffer.concat([NUL, ...Object.values(ILL_FORMED)])
    const client = await subscriber(gateway(), ['bytes', 0])
    const sent = publish('bytes', bytes)
    client.send(sent)
    assert.equal(await client.nextBytes(), sent.toString('hex'))
  })

  it('keeps U+FEFF wherever it is: a topic with it is another one [MQTT3-1.5.3-3] [MQTT3-4.7.3-4]', async () => {
    const mark = '\ufeff'
    const client = await subscriber(gateway(), [`${mark}bom/a${mark}`, 0], ['bom/a', 0])
    const sent = publish(`${mark}bom/a${mark}`, 'with')
    assert.ok(sent.includes(byte(0xef, 0xbb, 0xbf)))
    client.send(sent, publish('bom/a', 'without'), publish(`${mark}bom/a`, 'nobody'))
    assert.equal(await client.nextBytes(), sent.toString('hex'))
    assert.equal((await client.nextPublish()).payload, 'without')
    assert.deepEqual(await client.untilPong(), [])
  })

  it('takes characters of one to four bytes, and those that text seldom has [MQTT3-1.5.3-1]', async () => {
    const client = await subscriber(gateway(), ['chars/#', 0])
    for (const text of [
      '\u007f',
      '\u0080',
      '\u07ff',
      '\u0800',
      '\ud7ff',
      '\ue000',
      '\uffff',
      '\u{10000}',
      '\u{10ffff}',
      '\u0001'
    ]) {
      const sent = publish(`chars/${text}`)
      client.send(sent)
      assert.equal(await client.nextBytes(), sent.toString('hex'))
    }
  })
})
