// The host of examples/ passes the core part of the contract suite.

import { MemoryConnection } from '../../examples/memory-connection.js'
import { MemorySpace } from '../../examples/memory-space.js'
import type { AddressSpace, AmqpConnection, Principal } from '../../plugin/host.js'
import { covers, matches } from '../../plugin/mqtt/topic.js'
import { CORE } from './contract.js'
import { describeContract } from './describe.js'
import type { ContractFixture, ContractHost } from './fixture.js'

const QUEUE = 'work'

const user = (name: string, filter: string, clientIds: string): Principal => ({
  name,
  maySend: topic => topic === QUEUE || matches(filter, topic),
  mayReceive: wanted => covers(filter, wanted),
  mayUse: clientId => clientId.startsWith(clientIds)
})
const USERS = new Map(
  [user('full', '#', ''), user('limited', 'allowed/#', 'limited-'), user('reader', '#', 'reader-')].map(
    principal => [principal.name, principal]
  )
)
const ANONYMOUS = user('anonymous', '#', '')

const authenticate: AddressSpace['authenticate'] = async credentials => {
  if (credentials.mechanism === 'ANONYMOUS') return { principal: ANONYMOUS }
  const { username, password } = credentials
  const principal = USERS.get(username)
  if (principal !== undefined && Buffer.from(password).toString() === 'secret') return { principal }
  return { refused: 'bad-credentials', description: `no user ${username} with this password` }
}

const login = (name: string): ContractFixture['users']['full'] => ({
  name,
  credentials: { mechanism: 'PLAIN', username: name, password: Buffer.from('secret') }
})

async function make(): Promise<ContractFixture> {
  const space = new MemorySpace('contract', {}, authenticate)
  await space.queues.create(QUEUE)
  const forgetful = (): never => {
    throw new Error('this host keeps nothing')
  }
  return {
    space,
    users: { full: login('full'), limited: login('limited'), reader: login('reader') },
    queue: QUEUE,
    patienceMs: 8000,
    now: () => Date.now(),
    elapse: forgetful,
    restart: forgetful,
    lose: async (connection: AmqpConnection) => {
      if (connection instanceof MemoryConnection) connection.lose()
    },
    close: async () => undefined
  }
}

const customHost: ContractHost = {
  name: 'examples/custom-host.ts',
  capabilities: new MemorySpace('contract', {}, authenticate).capabilities,
  offers: [],
  anonymous: true,
  make
}

describeContract(customHost, CORE)
