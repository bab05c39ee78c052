import assert from 'node:assert/strict'
import { Users } from '../../../adapters/embedded/users.js'
import type { Principal } from '../../../plugin/host.js'

const plain = (username: string, password: string) =>
  ({ mechanism: 'PLAIN', username, password: Buffer.from(password) }) as const
const ANONYMOUS = { mechanism: 'ANONYMOUS' } as const

const USERS = [
  { name: 'alice', password: 'secret' },
  {
    name: 'bob',
    password: 'pässword',
    send: ['in/+', 'alarm'],
    receive: ['out/#', 'in/+/state'],
    clientIds: ['bob-*', 'robert']
  }
]

function principalOf(users: Users, name: string, password: string): Principal {
  const answer = users.authenticate(plain(name, password))
  assert.ok('principal' in answer)
  return answer.principal
}

describe('users of the embedded host', () => {
  const users = new Users({ users: USERS, anonymous: false })

  it('lets in who knows the password, in UTF-8', () => {
    assert.equal(principalOf(users, 'alice', 'secret').name, 'alice')
    assert.equal(principalOf(users, 'bob', 'pässword').name, 'bob')
  })

  it('says the same of an unknown user and a wrong password', () => {
    const answers = [plain('alice', 'wrong'), plain('alice', ''), plain('mallory', 'secret'), plain('', '')]
    for (const credentials of answers) {
      assert.deepEqual(users.authenticate(credentials), {
        refused: 'bad-credentials',
        description: 'unknown user or wrong password'
      })
    }
  })

  it('lets nobody in without a name unless it may', () => {
    const refused = users.authenticate(ANONYMOUS)
    assert.ok('refused' in refused && refused.refused === 'not-authorized')
    const answer = new Users({ users: [], anonymous: true }).authenticate(ANONYMOUS)
    assert.ok('principal' in answer)
    const { principal } = answer
    assert.equal(principal.name, 'anonymous')
    assert.deepEqual(
      [principal.maySend('a/b'), principal.mayReceive('#'), principal.mayUse('anything')],
      [true, true, true]
    )
  })

  it('gives who has no name the rights of the user `anonymous`, who cannot log in without a password', () => {
    const some = new Users({
      users: [{ name: 'anonymous', send: ['public/#'], receive: [] }],
      anonymous: true
    })
    const answer = some.authenticate(ANONYMOUS)
    assert.ok('principal' in answer)
    assert.deepEqual(
      [answer.principal.maySend('public/a'), answer.principal.maySend('a'), answer.principal.mayReceive('a')],
      [true, false, false]
    )
    assert.ok('refused' in some.authenticate(plain('anonymous', '')))
  })

  it('lets a user send to the topics that its filters match', () => {
    const bob = principalOf(users, 'bob', 'pässword')
    for (const topic of ['in/a', 'in/', 'alarm']) assert.equal(bob.maySend(topic), true, topic)
    for (const topic of ['in', 'in/a/b', 'alarm/a', 'out/a']) assert.equal(bob.maySend(topic), false, topic)
  })

  it('lets a user receive only from filters whose every topic it may read', () => {
    const bob = principalOf(users, 'bob', 'pässword')
    for (const filter of ['out/#', 'out', 'out/+/a', 'in/a/state', 'in/+/state']) {
      assert.equal(bob.mayReceive(filter), true, filter)
    }
    for (const filter of ['#', '+/#', 'in/#', 'in/a/+', '+', 'in/+/+']) {
      assert.equal(bob.mayReceive(filter), false, filter)
    }
  })

  it('lets a user use the client ids of its patterns', () => {
    const bob = principalOf(users, 'bob', 'pässword')
    for (const id of ['bob-1', 'bob-', 'robert']) assert.equal(bob.mayUse(id), true, id)
    for (const id of ['bob', 'robert2', 'alice', '']) assert.equal(bob.mayUse(id), false, id)
    assert.equal(principalOf(users, 'alice', 'secret').mayUse('bob-1'), true)
  })

  it('gives nobody a right to an address that starts with $', () => {
    const alice = principalOf(users, 'alice', 'secret')
    for (const address of ['$mqtt.to.alice.publish', '$retain.a', '$SYS/a']) {
      assert.deepEqual([alice.maySend(address), alice.mayReceive(address)], [false, false])
    }
  })

  it('refuses rights that are no topic filters', () => {
    const wrong = [{ name: 'eve', password: 'x', send: ['a/#/b'] }]
    assert.throws(() => new Users({ users: wrong, anonymous: false }), /eve.*a\/#\/b/)
  })
})
