// The plugin's connection to the host: made again when it turns out to be gone, and closed for good.

import assert from 'node:assert/strict'
import { AmqpError } from '../../plugin/errors.js'
import type { AmqpConnection, Sender } from '../../plugin/host.js'
import { ServiceConnection } from '../../plugin/service-connection.js'

/** A host whose connections the test ends. */
class FakeHost {
  made = 0
  closed = 0
  /** the connection that works */
  alive = 1
  refuse: AmqpError | undefined

  connect(): Promise<AmqpConnection> {
    if (this.refuse !== undefined) return Promise.reject(this.refuse)
    const number = ++this.made
    return Promise.resolve({
      openSender: async () => {
        if (number < this.alive) throw new AmqpError('amqp:connection:forced', 'gone')
        return { name: `of ${number}` } as Sender
      },
      openReceiver: () => Promise.reject(new AmqpError('amqp:not-found', 'nothing is there')),
      close: async () => void this.closed++
    })
  }
}

const open = (connection: AmqpConnection): Promise<string> =>
  connection.openSender({ address: 'a' }).then(({ name }) => name)

describe("the plugin's connection to the host", () => {
  it('is one for all, and made again once for those that find it gone', async () => {
    const host = new FakeHost()
    const connection = await ServiceConnection.open(host)
    assert.deepEqual(await Promise.all([open(connection), open(connection)]), ['of 1', 'of 1'])
    host.alive = 2
    assert.deepEqual(await Promise.all([open(connection), open(connection)]), ['of 2', 'of 2'])
    assert.equal(host.made, 2)
  })

  it('says what it is refused with, and tries again when it is asked again', async () => {
    const host = new FakeHost()
    const connection = await ServiceConnection.open(host)
    await assert.rejects(connection.openReceiver({ address: 'a', window: 1, onDelivery: () => undefined }), {
      condition: 'amqp:not-found'
    })
    host.alive = 2
    host.refuse = new AmqpError('amqp:connection:forced', 'the host is away')
    await assert.rejects(open(connection), { description: 'the host is away' })
    host.refuse = undefined
    assert.equal(await open(connection), 'of 2')
  })

  it('stays closed', async () => {
    const host = new FakeHost()
    const connection = await ServiceConnection.open(host)
    await connection.close()
    host.alive = 2
    await assert.rejects(open(connection), { condition: 'amqp:connection:forced' })
    assert.deepEqual([host.made, host.closed], [1, 1])
  })
})
