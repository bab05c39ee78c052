// Signals to the program: one Ctrl-C is one, whoever passes it on; a second one is meant.

import assert from 'node:assert/strict'

import { StopSignals } from '../../../adapters/standalone/stop-signals.js'

describe('stop signals', () => {
  it('stops at the first, whenever it comes', () => {
    assert.equal(new StopSignals().receive(0), 'stop')
    assert.equal(new StopSignals().receive(99_999), 'stop')
  })

  it('takes a second one at the same time for an echo of the first', () => {
    const signals = new StopSignals()
    signals.receive(1000)
    assert.equal(signals.receive(1003), 'echo')
    assert.equal(signals.receive(1299), 'echo')
  })

  it('ends the program at a later one', () => {
    const signals = new StopSignals()
    signals.receive(1000)
    signals.receive(1003)
    assert.equal(signals.receive(1300), 'kill')
  })
})
