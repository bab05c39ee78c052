// A broker that is not set up as docs/artemis.md says: the program names the lines that are missing.

import assert from 'node:assert/strict'
import { openArtemisSpace } from '../../adapters/artemis/index.js'
import { AmqpError } from '../../plugin/errors.js'
import { LOG } from '../contract/embedded.js'
import { SERVICE, type ArtemisBroker } from '../fixtures/artemis.js'
import { withArtemis } from '../fixtures/artemis-suite.js'

const open = ({ host, port }: ArtemisBroker, service: { name: string; password: string } = SERVICE) =>
  openArtemisSpace({ name: 'check', host, port, service, addresses: [], mqtt: {}, log: LOG })

async function refusal(opening: Promise<unknown>): Promise<AmqpError> {
  const error: unknown = await opening.then(
    () => undefined,
    (failure: unknown) => failure
  )
  assert.ok(error instanceof AmqpError, `opened, or ${String(error)}`)
  return error
}

describe('an Artemis broker without wildcards of MQTT', () => {
  withArtemis(
    [],
    broker => {
      it('is refused with the lines to add', async () => {
        const { condition, description } = await refusal(open(broker()))
        assert.equal(condition, 'amqp:precondition-failed')
        assert.match(description, /<wildcard-addresses>.*<delimiter>\/<\/delimiter>/)
      })
    },
    'wildcards'
  )
})

describe('an Artemis broker without duplicate detection', () => {
  withArtemis(
    [],
    broker => {
      it('is refused with what to add', async () => {
        const { condition, description } = await refusal(open(broker()))
        assert.equal(condition, 'amqp:precondition-failed')
        assert.match(description, /amqpDuplicateDetection=true/)
      })

      it('refuses a plugin with a wrong password, and a user that is not the plugin’s', async () => {
        const wrong = await refusal(open(broker(), { name: SERVICE.name, password: 'wrong' }))
        assert.equal(wrong.condition, 'amqp:unauthorized-access')
        const user = await refusal(open(broker(), { name: 'full', password: 'full secret' }))
        assert.equal(user.condition, 'amqp:unauthorized-access')
      })
    },
    'duplicate detection'
  )
})
