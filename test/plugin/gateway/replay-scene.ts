// A gateway, and the Subscription Service that it asks for retained messages, which says what the test wants.

import assert from 'node:assert/strict'
import { RunningGateway, type GatewayOptions } from '../../fixtures/gateway.js'
import { ScriptedService } from '../../fixtures/scripted-service.js'

interface Replaying {
  readonly gateway: RunningGateway
  readonly service: ScriptedService
}

export class ReplayScene {
  #running: Replaying | undefined

  async start(options: GatewayOptions = {}): Promise<Replaying> {
    const gateway = await RunningGateway.start({ roles: ['gateway'], ...options })
    return (this.#running = { gateway, service: await ScriptedService.open(gateway.space) })
  }

  /** The service goes, and another one comes. */
  async nextService(): Promise<ScriptedService> {
    const { gateway, service } = this.#running ?? assert.fail('it was not started')
    await service.close()
    const next = await ScriptedService.open(gateway.space)
    this.#running = { gateway, service: next }
    return next
  }

  async stop(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    await running?.gateway.stop()
    await running?.service.close()
  }
}
