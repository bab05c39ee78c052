// What a platform says when it registers the plugin.

import assert from 'node:assert/strict'
import { SUBSCRIPTION_SERVICE_ADDRESSES } from '../../plugin/messages/addresses.js'
import { parseOptions } from '../../plugin/options.js'
import { RunningGateway } from '../fixtures/gateway.js'

describe('options of the plugin', () => {
  it('give a process all roles where they do not say which', () => {
    for (const options of [undefined, {}])
      assert.deepEqual(parseOptions(options).roles, ['gateway', 'subscription'])
    assert.deepEqual(parseOptions({ roles: ['gateway'] }).roles, ['gateway'])
  })

  it('are refused with what is wrong', () => {
    const refused = (options: unknown, message: RegExp): void =>
      assert.throws(() => parseOptions(options), { name: 'TypeError', message })
    refused({ roles: ['gatway'] }, /\/roles\/0 must be one of "gateway", "subscription"/)
    refused({ roles: [] }, /\/roles must NOT have fewer than 1 items/)
    refused({ role: 'gateway' }, /\/role is not an option/)
    refused('gateway', /must be object/)
  })

  it('start the gateway alone, or the service alone', async () => {
    const gateway = await RunningGateway.start({ roles: ['gateway'] })
    const connection = await gateway.space.connect('service')
    const [address] = SUBSCRIPTION_SERVICE_ADDRESSES
    await assert.rejects(connection.openSender({ address }), { condition: 'amqp:not-found' })
    const service = await RunningGateway.start({ roles: ['subscription'], on: gateway.space })
    assert.deepEqual(service.status(), { state: 'ready', listeners: [] })
    await (await connection.openSender({ address })).close()
    await gateway.connect('client')
    await service.stop()
    await gateway.stop()
  })
})
