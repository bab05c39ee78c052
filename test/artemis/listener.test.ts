import { artemis, QUEUE } from '../contract/artemis.js'
import { describeContract } from '../contract/describe.js'
import { beside } from '../contract/served.js'
import { withArtemis } from '../fixtures/artemis-suite.js'

describe('the listener beside ActiveMQ Artemis', () => {
  withArtemis([QUEUE], broker => {
    describeContract(beside(artemis(broker), 'one'), ['served-links', 'served-readers'])
    describeContract(beside(artemis(broker), 'listener'), [
      ...(['served-links', 'served-readers', 'links', 'users', 'reply-nodes', 'control-addresses'] as const)
    ])
  })
})
