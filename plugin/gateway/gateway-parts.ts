// What the clients of one gateway share.

import type { Config } from '../config.js'
import type { Address, AddressSpace, Counter, Logger } from '../host.js'
import type { Peer } from '../messages/peer.js'
import type { ClientOptions } from './client-options.js'
import type { Clients } from './clients.js'
import type { Control } from './control.js'
import type { SocketFlusher } from './client-socket.js'
import type { PublishCache } from './packet-stream.js'
import type { Inbox } from './inbox.js'
import type { ReplayChannels } from './replay-channels.js'
import type { SubscriptionRequests } from './subscription-requests.js'

type ByQos = readonly [Counter, Counter, Counter]

export interface GatewayParts {
  readonly space: AddressSpace
  readonly config: () => Config
  /** addresses of the space as they are now */
  readonly addresses: () => readonly Address[]
  readonly options: ClientOptions
  /** what the other parts of the space are */
  readonly peer: Peer
  readonly log: Logger
  readonly clients: Clients
  readonly inbox: Inbox
  readonly replays: ReplayChannels
  readonly requests: SubscriptionRequests
  readonly control: Control
  readonly flusher: SocketFlusher
  /** of the publication that is fanned out now */
  readonly encoding: PublishCache
  readonly counters: {
    readonly inbound: ByQos
    readonly outbound: ByQos
    readonly dropped: ByQos
    readonly rejected: ByQos
    readonly connects: (protocol: string, outcome: string) => Counter
    readonly disconnects: (reason: string) => Counter
  }
}
