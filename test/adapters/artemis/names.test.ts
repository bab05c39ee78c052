import assert from 'node:assert/strict'
import {
  divertName,
  isPluginQueue,
  readersPrefix,
  readersQueue,
  routeOf,
  serveQueue,
  storeShard
} from '../../../adapters/artemis/names.js'
import type { Route } from '../../../plugin/host.js'
import { publishAddress, pubrelAddress } from '../../../plugin/messages/addresses.js'

const IDS = ['c1', 'a.b', 'a|b', '%', 'to', 'käse/2', '$mqtt.%.sub.x']
const FILTERS = ['a', '#', '+/b', 'a|b', 'a/ü/\u{1f600}', 'mqtt|a|x|y', 'a b/%7C', '/']

describe('names on the broker', () => {
  it('tell a route from the name of its divert, whatever its filter and client are', () => {
    for (const id of IDS) {
      for (const filter of FILTERS) {
        for (const only of [undefined, 'retained'] as const) {
          const route: Route = { filter, queue: publishAddress(id), ...(only && { only }) }
          assert.deepEqual(routeOf(divertName(route)), route)
        }
      }
    }
  })

  it('tell no route from diverts of others', () => {
    for (const name of [
      '',
      'x',
      'mqtt|a|',
      'mqtt|a|work|a',
      'mqtt|a|$mqtt.to.c1.publish|a|b',
      'mqtt|s|$mqtt.%.sub.1'
    ]) {
      assert.equal(routeOf(name), undefined, name)
    }
  })

  it('keep what is inside apart from the queues of any client', () => {
    for (const id of IDS) {
      assert.ok(isPluginQueue(publishAddress(id)), id)
      assert.ok(isPluginQueue(pubrelAddress(id)), id)
      for (const inside of [storeShard(id, 0), serveQueue(id), readersQueue(id)])
        assert.ok(!isPluginQueue(inside), inside)
    }
    assert.ok(!isPluginQueue('work'))
    assert.ok(!isPluginQueue('$mqtt.reply.1'))
  })

  it('tell the prefix of readers', () => {
    for (const prefix of ['$retain.', '$lwt', 'ü/.'])
      assert.equal(readersPrefix(readersQueue(prefix)), prefix)
  })
})
