// Durable sessions that nobody comes back for: when they go, and what keeps them.

import assert from 'node:assert/strict'
import { parseConfig } from '../../../plugin/config.js'
import { publishAddress } from '../../../plugin/messages/addresses.js'
import { AbandonedSessions } from '../../../plugin/services/abandoned-sessions.js'
import type { ClientSession } from '../../../plugin/services/client-sessions.js'
import { ClientTurns } from '../../../plugin/services/client-turns.js'
import { NOBODY, type Holder } from '../../../plugin/services/subscription-records.js'

const AGE_MS = 1000

class Scene {
  time = 10_000
  removed = 0
  unattended: string[] = []
  readonly sessions = new Map<string, ClientSession>()
  readonly turns = new ClientTurns(Promise.resolve())
  readonly records = new Map<string, number | undefined>()
  readonly lines: string[] = []

  add(
    clientId: string,
    delivery: 'queue' | 'inbox' = 'queue',
    leftAt?: number,
    holder: Holder = NOBODY
  ): void {
    const [filters, owed] = [new Map(), new Set<string>()]
    this.sessions.set(clientId, { delivery, filters, owed, holder, madeBy: undefined, leftAt })
  }

  /** A service that has just started, with the sessions as they are. */
  service(timeoutMs = 5000): AbandonedSessions {
    const parsed = parseConfig({ sessions: { abandonedAfterMs: AGE_MS }, services: { timeoutMs } })
    assert.ok('value' in parsed)
    const write = (_fields: object, message: string): void => void this.lines.push(message)
    return new AbandonedSessions({
      queues: {
        unattended: async prefix =>
          this.unattended.map(publishAddress).filter(each => each.startsWith(prefix))
      },
      sessions: {
        get: clientId => this.sessions.get(clientId),
        durable: () => [...this.sessions].filter(([, { delivery }]) => delivery === 'queue'),
        setLeftAt: async (clientId, session, leftAt) => {
          this.records.set(clientId, leftAt)
          session.leftAt = leftAt
        },
        remove: async clientId => void this.sessions.delete(clientId)
      },
      turns: this.turns,
      config: () => parsed.value,
      expired: { add: count => (this.removed += count) },
      log: { debug: write, info: write, warn: write, error: write },
      now: () => this.time
    })
  }
}

describe('abandoned sessions', () => {
  let scene: Scene

  beforeEach(() => {
    scene = new Scene()
    for (const clientId of ['a', 'b', 'aa']) scene.add(clientId)
    scene.add('inbox', 'inbox')
  })

  it('go as soon as nobody can be on the way to their queue where they are clean ones, and are not counted', async () => {
    scene.add('clean', 'queue', undefined, { ...NOBODY, clean: true })
    scene.unattended = ['a', 'clean']
    const service = scene.service(AGE_MS / 4)
    await service.sweep()
    scene.time += AGE_MS / 4 - 1
    await service.sweep()
    assert.ok(scene.sessions.has('clean'))
    scene.time += 1
    await service.sweep()
    assert.deepEqual([...scene.sessions.keys()], ['a', 'b', 'aa', 'inbox'])
    assert.equal(scene.removed, 0)
  })

  it('go when nobody has received from their queue for as long as configured, and are counted', async () => {
    scene.unattended = ['a', 'unknown']
    const service = scene.service()
    await service.sweep()
    assert.deepEqual([...scene.records], [['a', 10_000]])
    scene.time += AGE_MS - 1
    await service.sweep()
    assert.equal(scene.removed, 0)
    scene.time += 1
    await service.sweep()
    assert.deepEqual([...scene.sessions.keys()], ['b', 'aa', 'inbox'])
    assert.equal(scene.removed, 1)
    assert.deepEqual(scene.lines, ['a session was removed: nobody came back for it'])
  })

  it('go at their time through a restart, for the record says when they were left', async () => {
    scene.add('a', 'queue', scene.time - AGE_MS)
    scene.unattended = ['a', 'b']
    await scene.service().sweep()
    assert.equal(scene.sessions.has('a'), false)
    assert.deepEqual([...scene.records], [['b', 10_000]])
  })

  it('stay where somebody receives again, or was seen in the turn in which they were to go', async () => {
    scene.add('a', 'queue', scene.time - AGE_MS)
    scene.add('b', 'queue', scene.time - AGE_MS)
    scene.add('aa', 'queue', scene.time - AGE_MS)
    scene.unattended = ['b', 'aa']
    const asks = new Promise<void>(resolve => {
      scene.turns.take('b', undefined, async () => {
        const session = scene.sessions.get('b')
        if (session !== undefined) session.leftAt = undefined
        resolve()
      })
      scene.turns.take('aa', undefined, async () => void scene.unattended.splice(1))
    })
    const swept = scene.service().sweep()
    await asks
    await swept
    assert.deepEqual([...scene.sessions.keys()], ['a', 'b', 'aa', 'inbox'])
    assert.equal(scene.records.get('a'), undefined)
    assert.equal(scene.records.get('b'), 10_000)
    assert.equal(scene.records.get('aa'), undefined)
    assert.equal(scene.removed, 0)
  })

  it('have their time again where the clock went back', async () => {
    scene.add('a', 'queue', scene.time + 1_000_000)
    scene.unattended = ['a']
    const service = scene.service()
    await service.sweep()
    assert.equal(scene.records.get('a'), 10_000)
    scene.time += AGE_MS
    await service.sweep()
    assert.equal(scene.sessions.has('a'), false)
  })
})
