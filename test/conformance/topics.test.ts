// Topic names and filters of MQTT 3.1.1, chapter 4.7: which are valid, and which match.

import assert from 'node:assert/strict'
import { gatewayForSuite } from '../fixtures/gateway.js'
import { publish, subscribe } from '../fixtures/mqtt-bytes.js'
import { assertCloses, assertPayloads, freshId, subscriber } from './expectations.js'

/** Filter, topics that it matches, topics that it does not. */
const MATCHES: readonly (readonly [filter: string, yes: readonly string[], no: readonly string[]])[] = [
  [
    'sport/tennis/player1/#',
    ['sport/tennis/player1', 'sport/tennis/player1/ranking', 'sport/tennis/player1/a/b'],
    ['sport/tennis/player12', 'sport/tennis']
  ],
  ['sport/#', ['sport', 'sport/', 'sport/a'], ['sports', '/sport']],
  [
    'sport/tennis/+',
    ['sport/tennis/player1', 'sport/tennis/'],
    ['sport/tennis', 'sport/tennis/player1/ranking']
  ],
  ['sport/+', ['sport/', 'sport/a'], ['sport', 'sport/a/b']],
  ['+/tennis/#', ['sport/tennis', '/tennis', 'x/tennis/a/b'], ['tennis', 'a/b/tennis']],
  ['sport/+/player1', ['sport/a/player1', 'sport//player1'], ['sport/player1', 'sport/a/b/player1']],
  ['+/+', ['/finance', 'a/b', '/'], ['finance', 'a/b/c', '//']],
  ['/+', ['/finance', '/'], ['finance', 'a/b']],
  ['+', ['finance', ' '], ['/finance', 'finance/']]
]

describe('conformance: topics', () => {
  const gateway = gatewayForSuite()

  for (const [filter, yes, no] of MATCHES) {
    it(`matches ${filter} as the specification does [MQTT3-4.7.1-2] [MQTT3-4.7.1-3] [MQTT3-3.3.2-3]`, async () => {
      const client = await subscriber(gateway(), [filter, 0])
      const publisher = await gateway().connect(freshId())
      for (const topic of [...yes, ...no]) publisher.send(publish(topic, topic))
      await publisher.untilPong()
      await assertPayloads(client, ...yes)
      assert.deepEqual(await client.untilPong(), [])
    })
  }

  it('matches all topics with #, but for those that start with $ [MQTT3-4.7.1-2] [MQTT3-4.7.2-1]', async () => {
    const client = await subscriber(gateway(), ['#', 0], ['+/monitor', 0], ['+', 0], ['+/#', 0])
    const connection = await gateway().space.connect('service')
    const sender = await connection.openSender({ address: undefined })
    const send = (to: string): void =>
      sender.send({
        durable: false,
        deliveryCount: 0,
        annotations: new Map(),
        properties: { to },
        applicationProperties: new Map(),
        body: { type: 'data', sections: [Buffer.from(to)] }
      })
    for (const topic of ['$SYS', '$SYS/monitor', '$', 'x/monitor', '/', 'x']) send(topic)
    await assertPayloads(client, 'x/monitor', '/', 'x')
    assert.deepEqual(await client.untilPong(), [])
    await connection.close()
  })

  it('closes on a multi-level wildcard that is not the last level of its own [MQTT3-4.7.1-2]', async () => {
    for (const filter of ['sport/tennis#', 'sport/#/ranking', '#/', '##', '#a', 'a/b#'])
      await assertCloses(gateway(), subscribe(1, [filter, 0]), filter)
  })

  it('closes on a single-level wildcard that is not a whole level [MQTT3-4.7.1-3]', async () => {
    for (const filter of ['sport+', '+sport', 'a/b+/c', 'a/+b', '++', 'a/+#'])
      await assertCloses(gateway(), subscribe(1, [filter, 0]), filter)
  })

  it('takes the single-level wildcard at any level [MQTT3-4.7.1-3]', async () => {
    const client = await subscriber(gateway(), ['+/b/c', 0], ['a/+/c', 1], ['a/b/+', 0], ['+/+/+', 0])
    await (await gateway().connect(freshId())).publish('a/b/c', 'x')
    await assertPayloads(client, 'x')
    assert.deepEqual(await client.untilPong(), [])
  })

  it('closes on an empty topic name and an empty filter [MQTT3-4.7.3-1]', async () => {
    await assertCloses(gateway(), publish('', 'x'))
    await assertCloses(gateway(), publish('', 'x', { packetId: 1 }))
    await assertCloses(gateway(), subscribe(1, ['', 0]))
    await assertCloses(gateway(), subscribe(1, ['fine', 0], ['', 0]))
  })

  it('takes names and filters of 65535 bytes [MQTT3-4.7.3-3]', async () => {
    const topic = 'x'.repeat(65535)
    const client = await subscriber(gateway(), [topic, 0])
    client.send(publish(topic, 'long'))
    const got = await client.nextPublish()
    assert.ok(got.topic === topic)
    assert.equal(got.payload, 'long')
  })

  it('has a limit of levels: a filter over it is refused, a PUBLISH over it closes [MQTT3-3.8.4-5] [MQTT3-4.8.0-1]', async () => {
    const levels = (count: number): string => Array(count).fill('l').join('/')
    const client = await gateway().connect(freshId())
    assert.deepEqual(await client.subscribe([levels(200), 0], [levels(201), 0]), [0, 0x80])
    client.send(publish(levels(200), 'deep'))
    await assertPayloads(client, 'deep')
    await assertCloses(gateway(), publish(levels(201), 'x'))
  })

  it('closes on a PUBLISH to an address of the plugin or inside of another address [MQTT3-3.3.5-2]', async () => {
    for (const topic of ['$mqtt.to.x.publish', '$lwt', '$subctrl', '$retain.a', '$management', 'a::b']) {
      await assertCloses(gateway(), publish(topic, 'x'), topic)
      await assertCloses(gateway(), publish(topic, 'x', { packetId: 1 }), topic)
    }
  })

  it('changes no character: case, spaces, slashes, dots and composed letters all count [MQTT3-4.7.3-4]', async () => {
    const topics = [
      'Accounts',
      'ACCOUNTS',
      'accounts',
      'Accounts payable',
      '/a',
      'a',
      'a/',
      'a//',
      '//a',
      ' a',
      'a ',
      'a.b',
      'a%2Fb',
      'a/b',
      '\u00e9',
      'e\u0301',
      '\u00df',
      'ss',
      '\ufb01',
      'fi',
      'a*',
      'a>',
      'a\\b',
      '..',
      './a',
      '*',
      '>'
    ]
    const publisher = await gateway().connect(freshId())
    const clients = await Promise.all(topics.map(topic => subscriber(gateway(), [topic, 0])))
    for (const topic of topics) publisher.send(publish(topic, topic))
    await publisher.untilPong()
    for (const [index, client] of clients.entries()) {
      const got = await client.untilPong()
      assert.deepEqual(
        got.map(packet => packet.cmd === 'publish' && [packet.topic, packet.payload]),
        [[topics[index], topics[index]]]
      )
    }
  })

  it('takes wildcards in filters only [MQTT3-4.7.1-1]', async () => {
    const client = await subscriber(gateway(), ['wild/+/x/#', 1])
    client.send(publish('wild/a/x/b', 'fine'))
    await assertPayloads(client, 'fine')
    client.send(publish('wild/+/x/b', 'not'))
    assert.deepEqual(await client.untilClosed(), [])
  })
})
