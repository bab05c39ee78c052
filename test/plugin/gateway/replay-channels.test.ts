// The pool of replay channels: what is given back is used again, and what is not clean is closed.
import assert from 'node:assert/strict'
import { AmqpError } from '../../../plugin/errors.js'
import { ReplayChannels, type ReplayReceiver } from '../../../plugin/gateway/replay-channels.js'
import type { AmqpConnection, Delivery, Logger, ReceiverOptions } from '../../../plugin/host.js'

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined
}

/** A host that has reply nodes and nothing else. */
class ReplyNodes {
  readonly open = new Map<string, ReceiverOptions>()
  opened = 0
  credit = 0
  settled = 0
  refuse: AmqpError | undefined

  readonly connection = {
    openReceiver: (options: ReceiverOptions) => {
      if (this.refuse !== undefined) return Promise.reject(this.refuse)
      const address = `node ${this.opened++}`
      this.open.set(address, options)
      return Promise.resolve({
        name: address,
        address,
        addCredit: (credit: number) => (this.credit += credit),
        drain: () => Promise.resolve(),
        close: () => Promise.resolve(void this.open.delete(address))
      })
    }
  } as unknown as AmqpConnection

  deliver(address: string): void {
    const delivery = { settle: () => (this.settled += 1) } as unknown as Delivery
    this.open.get(address)?.onDelivery(delivery)
  }
}

class User implements ReplayReceiver {
  deliveries = 0
  interruptions = 0

  onDelivery(): void {
    this.deliveries += 1
  }

  onInterrupted(): void {
    this.interruptions += 1
  }
}

describe('replay channels', () => {
  const start = (): { host: ReplyNodes; channels: ReplayChannels; user: User } => {
    const host = new ReplyNodes()
    return { host, channels: new ReplayChannels(host.connection, silent), user: new User() }
  }

  async function borrow(
    channels: ReplayChannels,
    user: User
  ): Promise<NonNullable<Awaited<ReturnType<ReplayChannels['borrow']>>>> {
    return (await channels.borrow(user)) ?? assert.fail('no channel')
  }

  it('are used again, and closed where more than 64 wait', async () => {
    const { host, channels, user } = start()
    const used = await Promise.all(Array.from({ length: 100 }, () => borrow(channels, user)))
    assert.equal(host.opened, 100)
    for (const channel of used) channels.giveBack(channel)
    assert.deepEqual([host.open.size, channels.size], [64, 64])
    await Promise.all(Array.from({ length: 64 }, () => borrow(channels, user)))
    assert.equal(host.opened, 100)
    await borrow(channels, user)
    assert.equal(host.opened, 101)
  })

  it('bring what comes to whoever has them, and to nobody else', async () => {
    const { host, channels, user } = start()
    const channel = await borrow(channels, user)
    host.deliver(channel.address)
    channels.giveBack(channel)
    const [next, third] = [new User(), new User()]
    assert.equal(await borrow(channels, next), channel)
    host.deliver(channel.address)
    assert.deepEqual([user.deliveries, next.deliveries], [1, 1])
    channels.giveBack(channel)
    // nobody asked for this one
    host.deliver(channel.address)
    assert.deepEqual([host.settled, host.open.size, channels.size], [1, 0, 0])
    await borrow(channels, third)
    assert.equal(host.opened, 2)
  })

  it('give credit up to what may come, and not one by one', async () => {
    const { host, channels, user } = start()
    const channel = await borrow(channels, user)
    channel.allow(20)
    channel.allow(20)
    assert.equal(host.credit, 20)
    for (let index = 0; index < 4; index++) host.deliver(channel.address)
    channel.allow(20)
    assert.equal(host.credit, 20)
    host.deliver(channel.address)
    channel.allow(20)
    assert.equal(host.credit, 25)
    for (let index = 0; index < 20; index++) host.deliver(channel.address)
    channel.allow(0)
    channel.allow(1)
    assert.equal(host.credit, 26)
  })

  it('tell whoever has one, or waits for one, of a service that may be another', async () => {
    const { host, channels, user } = start()
    const [waiting, left, done] = [new User(), new User(), new User()]
    await borrow(channels, user)
    channels.giveBack(await borrow(channels, done))
    channels.wait(waiting)
    channels.wait(left)
    channels.forget(left)
    channels.interrupt()
    channels.interrupt()
    assert.deepEqual(
      [user, waiting, left, done].map(({ interruptions }) => interruptions),
      [2, 1, 0, 0]
    )
    assert.equal(host.open.size, 2)
  })

  it('tell whoever has one that it was lost, and forget those that nobody has', async () => {
    const { host, channels, user } = start()
    const channel = await borrow(channels, user)
    host.open.get(channel.address)?.onClosed?.({ cause: 'lost' })
    assert.equal(user.interruptions, 1)
    channels.discard(channel)
    const idle = await borrow(channels, user)
    channels.giveBack(idle)
    host.open.get(idle.address)?.onClosed?.({ cause: 'lost' })
    assert.deepEqual([user.interruptions, channels.size], [1, 0])
  })

  it('are undefined where the host makes no reply nodes, and reject with any other error', async () => {
    const { host, channels, user } = start()
    host.refuse = new AmqpError('amqp:not-implemented', 'no reply nodes')
    assert.equal(await channels.borrow(user), undefined)
    host.refuse = new AmqpError('amqp:resource-limit-exceeded', 'too many links')
    await assert.rejects(channels.borrow(user), host.refuse)
    host.refuse = undefined
    await borrow(channels, user)
  })
})
