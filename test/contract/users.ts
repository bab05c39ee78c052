// Users: who gets in, what each may do, and that links obey it.
// Rule: rights are asked on the links as well, per message where a link has no address; a refusal spoils nothing else.

import assert from 'node:assert/strict'
import type { Outcome } from '../../plugin/host.js'
import type { ContractCase, ContractFixture } from './fixture.js'
import { login } from './fixture.js'
import { durable, text } from './messages.js'
import { Peer, refused } from './peer.js'

const UNAUTHORIZED = 'amqp:unauthorized-access'
const password = (value: string): Uint8Array => Buffer.from(value)

async function refusal(t: ContractFixture, username: string, secret: string): Promise<string> {
  const credentials = { mechanism: 'PLAIN', username, password: password(secret) } as const
  const answer = await t.space.authenticate(credentials)
  assert.ok('refused' in answer, `${username} was let in`)
  assert.ok(answer.description.length > 0)
  return answer.refused
}

export const users: readonly ContractCase[] = [
  {
    title: 'lets users in with their names and passwords',
    part: 'users',
    async run(t) {
      for (const user of ['full', 'limited', 'reader'] as const) {
        assert.equal((await login(t, user)).name, t.users[user].name)
      }
    }
  },
  {
    title: 'refuses wrong passwords and unknown names',
    part: 'users',
    async run(t) {
      const reasons = ['bad-credentials', 'not-authorized']
      for (const secret of ['wrong', '', '\u0000', 'x'.repeat(10_000)]) {
        assert.ok(reasons.includes(await refusal(t, t.users.full.name, secret)))
        assert.ok(reasons.includes(await refusal(t, `${t.users.full.name}x`, secret)))
      }
      assert.ok(reasons.includes(await refusal(t, '__proto__', 'x')))
      assert.ok(reasons.includes(await refusal(t, '', '')))
      const { credentials } = t.users.limited
      assert.ok(credentials.mechanism === 'PLAIN')
      const others = Buffer.from(credentials.password).toString()
      assert.ok(reasons.includes(await refusal(t, t.users.full.name, others)))
    }
  },
  {
    title: 'lets clients without a name in, with all rights',
    part: 'users',
    requires: 'anonymous',
    async run(t) {
      const answer = await t.space.authenticate({ mechanism: 'ANONYMOUS' })
      assert.ok('principal' in answer)
      const peer = await Peer.open(t, answer.principal)
      const { inbox } = await peer.receive('any/#', { kind: 'topic' })
      await (await peer.sender('any/topic')).accepted(durable('1'))
      assert.deepEqual(await inbox.texts(1), ['1'])
    }
  },
  {
    title: 'refuses clients without a name',
    part: 'users',
    without: 'anonymous',
    async run(t) {
      assert.ok('refused' in (await t.space.authenticate({ mechanism: 'ANONYMOUS' })))
    }
  },
  {
    title: 'tells what a user may send, receive and use',
    part: 'users',
    async run(t) {
      const limited = await login(t, 'limited')
      for (const topic of ['allowed', 'allowed/a', 'allowed/a/b']) {
        assert.equal(await limited.maySend(topic), true, topic)
        assert.equal(await limited.mayReceive(topic), true, topic)
      }
      for (const topic of ['other', 'allowedx', 'x/allowed', '/allowed', 'Allowed/a']) {
        assert.equal(await limited.maySend(topic), false, topic)
        assert.equal(await limited.mayReceive(topic), false, topic)
      }
      for (const filter of ['allowed/#', 'allowed/+', 'allowed/+/b/#']) {
        assert.equal(await limited.mayReceive(filter), true, filter)
      }
      for (const filter of ['#', '+', '+/a', '+/#', 'other/#']) {
        assert.equal(await limited.mayReceive(filter), false, filter)
      }
      assert.equal(await limited.mayUse('limited-1'), true)
      for (const clientId of ['other', 'xlimited-1', 'Limited-1']) {
        assert.equal(await limited.mayUse(clientId), false, clientId)
      }
      const full = await login(t, 'full')
      assert.deepEqual(
        [await full.maySend('any/topic'), await full.mayReceive('#'), await full.mayUse('any')],
        [true, true, true]
      )
    }
  },
  {
    title: 'lets a user send and receive where it may',
    part: 'users',
    async run(t) {
      const peer = await Peer.open(t, 'limited')
      const { inbox } = await peer.receive('allowed/#', { kind: 'topic' })
      await (await peer.sender('allowed/a')).accepted(durable('1'))
      assert.deepEqual(await inbox.texts(1), ['1'])
    }
  },
  {
    title: 'refuses a sender to a topic that its user may not send to',
    part: 'users',
    async run(t) {
      const peer = await Peer.open(t, 'limited')
      const { inbox } = await (await Peer.open(t)).receive('#', { kind: 'topic' })
      for (const topic of ['other', 'allowedx', t.queue]) {
        await refused(peer.sender(topic), UNAUTHORIZED, `a sender to ${topic}`)
      }
      await (await peer.sender('allowed')).send(text('good'))
      assert.deepEqual(await inbox.texts(1), ['good'])
    }
  },
  {
    title: 'rejects over a sender without address what its user may not send, and takes the rest',
    part: 'users',
    requires: 'relay',
    async run(t) {
      const peer = await Peer.open(t, 'limited')
      const { inbox } = await (await Peer.open(t)).receive('#', { kind: 'topic' })
      await t.space.queues.create('$mqtt.to.other.publish')
      const relay = await peer.sender(undefined)
      const targets = ['allowed/1', 'other/2', 'allowed/3', '$mqtt.to.other.publish', t.queue, 'allowed/6']
      const sent = []
      for (const to of targets) sent.push(await relay.start(durable(to, { properties: { to } })))
      for (const [i, to] of targets.entries()) {
        const outcome: Outcome | undefined = await sent[i]?.outcome()
        if (to.startsWith('allowed/')) assert.equal(outcome?.type, 'accepted', to)
        else {
          assert.ok(outcome?.type === 'rejected', `${to}: ${outcome?.type}`)
          assert.equal(outcome.condition, UNAUTHORIZED)
        }
      }
      assert.deepEqual(await inbox.texts(3), ['allowed/1', 'allowed/3', 'allowed/6'])
      const service = await Peer.open(t)
      assert.deepEqual(await service.empty('$mqtt.to.other.publish'), [])
      assert.deepEqual(await service.empty(t.queue), [])
    }
  },
  {
    title: 'refuses a receiver that would get more than its user may receive',
    part: 'users',
    async run(t) {
      const peer = await Peer.open(t, 'limited')
      for (const filter of ['other', '#', '+/a', 'other/#', 'allowedx/#', t.queue]) {
        await refused(peer.receive(filter), UNAUTHORIZED, `a receiver of ${filter}`)
        if (filter === t.queue) continue
        await refused(peer.receive(filter, { kind: 'topic' }), UNAUTHORIZED, `a subscription to ${filter}`)
      }
      const { inbox } = await peer.receive('allowed/+')
      const service = await Peer.open(t)
      await (await service.sender('other')).send(text('secret'))
      await (await service.sender('allowed/a')).send(text('public'))
      assert.deepEqual(await inbox.texts(1), ['public'])
    }
  },
  {
    title: 'gives the queue of a client to users who may use the client, and to nobody else',
    part: 'users',
    async run(t) {
      const names = ['$mqtt.to.limited-1.publish', '$mqtt.to.other.publish', '$mqtt.other.pubrel']
      for (const name of names) await t.space.queues.create(name)
      const service = await Peer.open(t)
      for (const name of names) await (await service.sender(name)).accepted(durable(name))
      for (const user of ['limited', 'reader'] as const) {
        const peer = await Peer.open(t, user)
        for (const name of names.slice(1)) {
          await refused(peer.receive(name), UNAUTHORIZED, `${user} receives from ${name}`)
          await refused(peer.receive(name, { kind: 'queue' }), UNAUTHORIZED, `${user} receives from ${name}`)
        }
      }
      const owner = await (await Peer.open(t, 'limited')).receive('$mqtt.to.limited-1.publish')
      assert.deepEqual(await owner.inbox.texts(1), ['$mqtt.to.limited-1.publish'])
      for (const name of names.slice(1)) assert.deepEqual(await service.empty(name), [name])
    }
  },
  {
    title: 'lets no user send into the queue of a client that it may not use',
    part: 'users',
    async run(t) {
      await t.space.queues.create('$mqtt.to.other.publish')
      for (const user of ['limited', 'reader'] as const) {
        const attempt = (await Peer.open(t, user)).sender('$mqtt.to.other.publish')
        await refused(attempt, UNAUTHORIZED, `${user} sends to $mqtt.to.other.publish`)
      }
      assert.deepEqual(await (await Peer.open(t)).empty('$mqtt.to.other.publish'), [])
    }
  },
  {
    title: 'reads the client id of an address decoded when it asks for the right to it',
    part: 'users',
    async run(t) {
      const [mine, others] = ['$mqtt.to.limited-%2F1.publish', '$mqtt.to.limit%65d-1.publish']
      await t.space.queues.create(mine)
      await t.space.queues.create(others)
      const peer = await Peer.open(t, 'limited')
      await peer.receive(mine)
      // not the way this client id is written, so it is nobody's address
      await assert.rejects(peer.receive(others))
    }
  },
  {
    title: 'asks for no right of the user where a served address is its own judge',
    part: 'users',
    async run(t) {
      const names: string[] = []
      await t.space.serve('$mqtt.subscriptionservice', link => {
        names.push(link.user === 'service' ? 'service' : link.user.name)
        link.accept({ window: 1, onDelivery: () => undefined, onClosed: () => undefined })
      })
      await (await Peer.open(t, 'limited')).sender('$mqtt.subscriptionservice')
      assert.deepEqual(names, [t.users.limited.name])
    }
  },
  {
    title: 'keeps the links of one user apart from those of another',
    part: 'users',
    async run(t) {
      const [limited, full] = [await Peer.open(t, 'limited'), await Peer.open(t, 'full')]
      const { inbox } = await full.receive('#', { kind: 'topic' })
      await refused(limited.sender('other'), UNAUTHORIZED, 'a sender of the limited user')
      await (await full.sender('other')).send(text('1'))
      await refused(limited.sender('other'), UNAUTHORIZED, 'a sender of the limited user, later')
      assert.deepEqual(await inbox.texts(1), ['1'])
    }
  }
]
