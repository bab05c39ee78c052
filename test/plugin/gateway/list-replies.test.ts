import assert from 'node:assert/strict'
import { ListReplies, type ListReply } from '../../../plugin/gateway/list-replies.js'
import { publishAddress } from '../../../plugin/messages/addresses.js'
import { decodeSubscriptions, encodeSubscriptions } from '../../../plugin/messages/subscriptions.js'

function reply(clientId: string, connection: string | undefined): ListReply {
  const correlationId = publishAddress(clientId)
  const message = encodeSubscriptions('to', {
    ...{ correlationId, connection, sessionPresent: true, filters: new Map() }
  })
  return decodeSubscriptions(message) ?? assert.fail()
}

describe('replies to AMQP_LIST', () => {
  it('go to the connection that they name, and to nobody else of the client', async () => {
    const lists = new ListReplies()
    const [first, second] = [lists.expect('x', 'c1'), lists.expect('x', 'c2')]
    lists.came(reply('x', 'c2'))
    assert.equal((await second).connection, 'c2')
    lists.came(reply('y', 'c1'))
    lists.came(reply('x', 'c1'))
    assert.equal((await first).clientId, 'x')
  })

  it('go to the client where they name no connection, as those of an original service', async () => {
    const lists = new ListReplies()
    const [x, y] = [lists.expect('x', 'c1'), lists.expect('y', 'c2')]
    lists.came(reply('x', undefined))
    lists.came(reply('y', undefined))
    assert.deepEqual([(await x).clientId, (await y).clientId], ['x', 'y'])
  })

  it('are for nobody who does not wait any more', async () => {
    const lists = new ListReplies()
    const forgotten = lists.expect('x', 'c1')
    lists.forget('c1')
    lists.came(reply('x', 'c1'))
    lists.came(reply('x', undefined))
    assert.equal(await Promise.race([forgotten, Promise.resolve('nothing')]), 'nothing')
  })
})
