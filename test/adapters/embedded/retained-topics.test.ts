import assert from 'node:assert/strict'
import { RetainedTopics } from '../../../adapters/embedded/retained-topics.js'
import { encodeMessage } from '../../../adapters/rhea/message.js'
import type { AmqpValue, Message } from '../../../plugin/host.js'
import { encodePublication } from '../../../plugin/messages/publish.js'
import { message } from './broker-fixture.js'

const publication = (retain: boolean): Message =>
  encodePublication({ topic: 'a', payload: Buffer.alloc(0), qos: 0, retain, dup: false })

const annotated = (...annotations: readonly (readonly [string, AmqpValue])[]): Message =>
  encodeMessage(message('x', { annotations: new Map(annotations) }))

describe('targets that take only publications with RETAIN', () => {
  let topics: RetainedTopics<string>

  beforeEach(() => (topics = new RetainedTopics()))

  function matches(topic: string, published = publication(true)): string[] {
    const found: string[] = []
    topics.match(topic, published, target => found.push(target))
    return found
  }

  it('take with # the topics that start with $, too, but no address of the plugin', () => {
    topics.add('#', 'all')
    for (const topic of ['a', 'a/b', '/', '$SYS/a', '$', '$mqtt', '$retain']) {
      assert.deepEqual(matches(topic), ['all'], topic)
    }
    for (const topic of ['$mqtt.to.c1.publish', '$lwt', '$subctrl', '$retain.a']) {
      assert.deepEqual(matches(topic), [], topic)
    }
    topics.remove('#', 'all')
    assert.deepEqual(matches('a'), [])
  })

  it('take with other wildcards at the first level no topic that starts with $ [MQTT3-4.7.2-1]', () => {
    topics.add('+/a', 'plus')
    topics.add('$SYS/#', 'system')
    assert.deepEqual(matches('x/a'), ['plus'])
    assert.deepEqual(matches('$SYS/a'), ['system'])
    topics.remove('+/a', 'plus')
    assert.deepEqual(matches('x/a'), [])
  })

  it('take what has the annotation true, in whatever form the message is', () => {
    topics.add('#', 'all')
    const taken = [
      publication(true),
      annotated(['x-opt-retain-message', true]),
      annotated(['x-opt-a', 'x-opt-retain-message'], ['x-opt-retain-message', true], ['x-opt-b', 1])
    ]
    const left = [
      publication(false),
      annotated(),
      annotated(['x-opt-retain-message', false]),
      annotated(['x-opt-retain-message', 'true']),
      annotated(['x-opt-a', 'x-opt-retain-message'], ['x-opt-b', true])
    ]
    for (const each of taken) assert.deepEqual(matches('a', each), ['all'])
    for (const each of left) assert.deepEqual(matches('a', each), [])
  })

  it('have nothing read of a message while there are none', () => {
    const unread = new Proxy(message('x'), {
      get: (_, field) => assert.fail(`${String(field)} was read`)
    })
    assert.deepEqual(matches('a', unread), [])
    topics.add('a', 'one')
    topics.remove('a', 'one')
    assert.deepEqual(matches('a', unread), [])
  })
})
