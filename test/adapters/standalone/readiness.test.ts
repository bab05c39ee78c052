// When the program is ready for clients, and the reasons when it is not.

import assert from 'node:assert/strict'

import { Readiness } from '../../../adapters/standalone/readiness.js'
import type { SpaceStatus } from '../../../plugin/host.js'

const READY: SpaceStatus = { state: 'ready', listeners: [] }

describe('readiness', () => {
  const statuses = new Map<string, SpaceStatus>()
  let readiness: Readiness

  beforeEach(() => {
    statuses.clear()
    readiness = new Readiness(['one', 'two'], space => statuses.get(space))
  })

  it('comes when all spaces are ready or off, and the start is over', () => {
    assert.deepEqual(readiness.reasons(), [
      'the program is starting',
      'space one: starting',
      'space two: starting'
    ])
    statuses.set('one', READY)
    assert.deepEqual(readiness.reasons(), ['the program is starting', 'space two: starting'])
    statuses.set('two', { state: 'off' })
    assert.deepEqual(readiness.reasons(), ['the program is starting'])
    readiness.started()
    assert.deepEqual(readiness.reasons(), [])
  })

  it('goes when a space fails or stops, and says which and why', () => {
    statuses.set('one', READY)
    statuses.set('two', { state: 'failed', reason: 'the port is in use', errors: [], listeners: [] })
    readiness.started()
    assert.deepEqual(readiness.reasons(), ['space two: the port is in use'])
    statuses.set('one', { state: 'stopped' })
    statuses.set('two', READY)
    assert.deepEqual(readiness.reasons(), ['space one: stopped'])
  })

  it('stays when a change of the configuration fails and the space runs on as it was', () => {
    statuses.set('one', READY)
    const listeners = [{ host: '127.0.0.1', port: 1883 }]
    statuses.set('two', { state: 'failed', reason: 'not valid', errors: [], listeners })
    readiness.started()
    assert.deepEqual(readiness.reasons(), [])
  })

  it('goes when the end begins, and does not come back', () => {
    statuses.set('one', READY)
    statuses.set('two', READY)
    readiness.started()
    readiness.draining()
    assert.deepEqual(readiness.reasons(), ['the program is stopping'])
    readiness.started()
    assert.deepEqual(readiness.reasons(), ['the program is stopping'])
  })
})
