// Targets that take only publications with RETAIN, by topic filter.
// Rule: `#` reaches topics that start with `$`, too, but none that could be an address of the plugin; whether a publication has
// RETAIN is read when somebody asks for such publications, and nothing else of it is.

import type { Message } from '../../plugin/host.js'
import { isOwnedAddress } from '../../plugin/messages/addresses.js'
import { hasRetain, RETAIN } from '../../plugin/messages/publish.js'
import { TopicTree } from '../../plugin/mqtt/topic-tree.js'
import { EncodedMessage } from '../rhea/message.js'

export class RetainedTopics<T> {
  readonly #tree = new TopicTree<T>()
  readonly #all = new Set<T>()

  add(filter: string, target: T): void {
    if (filter === '#') this.#all.add(target)
    else this.#tree.add(filter, target)
  }

  remove(filter: string, target: T): void {
    if (filter === '#') this.#all.delete(target)
    else this.#tree.remove(filter, target)
  }

  match(topic: string, message: Message, visit: (target: T) => void): void {
    if ((this.#all.size === 0 && this.#tree.size === 0) || !isRetained(message)) return
    if (!isOwnedAddress(topic)) for (const target of this.#all) visit(target)
    this.#tree.match(topic, visit)
  }
}

function isRetained(message: Message): boolean {
  return message instanceof EncodedMessage ? message.annotation(RETAIN) === true : hasRetain(message)
}
