// The configured limits of AMQP clients as the listener and the broker take them.
// Rule: every limit of the configuration is given to one of the two.

import type { AmqpListenerOptions } from '../rhea/listener/listener.js'
import type { Limits } from '../embedded/index.js'
import type { AmqpLimits } from './configuration.js'

export function listenerLimits(limits: AmqpLimits): Omit<AmqpListenerOptions, 'host' | 'port' | 'log'> {
  return {
    maxConnections: limits.connections,
    openTimeoutMs: limits.openTimeoutMs,
    idleTimeOutMs: limits.idleTimeoutMs,
    maxFrameSize: limits.frameBytes,
    maxMessageSize: limits.messageBytes,
    maxSessions: limits.sessionsPerConnection,
    maxLinks: limits.linksPerConnection
  }
}

export function brokerLimits(limits: AmqpLimits): Partial<Limits> {
  return {
    senderCredit: limits.creditPerSender,
    unsettled: limits.unsettledPerReceiver,
    subscriptionBytes: limits.bufferedBytes,
    volatileQueueBytes: limits.nodeBytes,
    duplicateIds: limits.duplicateIds
  }
}
