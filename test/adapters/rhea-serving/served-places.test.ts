// Places at a broker: each ends once, with its server, the broker or the space.

import assert from 'node:assert/strict'
import { ServedPlaces } from '../../../adapters/rhea/serving/served-places.js'
import { AmqpError } from '../../../plugin/errors.js'
import type { Closeable } from '../../../plugin/host.js'

describe('places that a space serves', () => {
  let places: ServedPlaces
  let told: string[]
  beforeEach(() => {
    places = new ServedPlaces()
    told = []
  })

  /** `lose`: the broker takes the place away. */
  async function add(name: string): Promise<{ readonly place: Closeable; readonly lose: () => void }> {
    let lose: () => void = () => undefined
    const open = async (onLost: () => void): Promise<Closeable> => {
      lose = onLost
      return { close: async () => void told.push(`${name} closes`) }
    }
    const place = await places.add(open, () => told.push(`${name} is lost`))
    return { place, lose }
  }

  it('end with the space, but for those that were closed or lost before', async () => {
    await add('first')
    const { place } = await add('second')
    const { lose } = await add('third')
    await place.close()
    lose()
    assert.deepEqual(told.splice(0), ['second closes', 'third is lost'])
    await places.close()
    assert.deepEqual(told.splice(0), ['first closes'])
    await places.close()
    assert.deepEqual(told, [])
  })

  it('are not there where the broker took them away before they were open', async () => {
    const open = async (onLost: () => void): Promise<Closeable> => {
      onLost()
      return { close: async () => void told.push('closes') }
    }
    await places.add(open, () => told.push('is lost'))
    await places.close()
    assert.deepEqual(told, ['is lost'])
  })

  it('all end, whatever becomes of one', async () => {
    const gone = new AmqpError('amqp:connection:forced', 'the broker is gone')
    const place = await places.add(async () => ({ close: () => Promise.reject(gone) }), undefined)
    await add('other')
    await places.close()
    assert.deepEqual(told, ['other closes'])
    await assert.rejects(place.close(), gone)
  })

  it('are none where opening one fails', async () => {
    const taken = new AmqpError('amqp:resource-locked', 'it is served already')
    await assert.rejects(
      places.add(() => Promise.reject(taken), undefined),
      taken
    )
    await places.close()
  })
})
