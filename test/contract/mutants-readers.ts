// Broken hosts that get the links wrong on which the plugin sends to those who receive.

import { AmqpError } from '../../plugin/errors.js'
import type { Closeable, ServedReader } from '../../plugin/host.js'
import type { Mutant } from './mutant.js'

type Handlers = Parameters<ServedReader['accept']>[0]

/** The link with some of its parts replaced. */
const changed = (inner: ServedReader, changes: Partial<ServedReader>): ServedReader => ({
  ...{ name: inner.name, address: inner.address, user: inner.user },
  get credit() {
    return changes.credit ?? inner.credit
  },
  accept: changes.accept ?? (handlers => inner.accept(handlers)),
  send: changes.send ?? ((message, onOutcome) => inner.send(message, onOutcome)),
  close: changes.close ?? (error => inner.close(error))
})

const accepting = (inner: ServedReader, change: (handlers: Handlers) => Partial<Handlers>): ServedReader =>
  changed(inner, { accept: handlers => inner.accept({ ...handlers, ...change(handlers) }) })

export const readerMutants: readonly Mutant[] = [
  {
    title: 'gives the server of readers credit that the reader did not give',
    hints: ['gives the server of readers the credit of the reader, and no more'],
    mutate: () => ({ reader: inner => changed(inner, { credit: 10 }) })
  },
  {
    title: 'tells the server of readers that all was accepted',
    hints: ['brings each outcome of a reader to its server, the first one only'],
    mutate: () => ({
      reader: inner =>
        changed(inner, {
          send: (message, onOutcome) => inner.send(message, () => onOutcome?.({ type: 'accepted' }))
        })
    })
  },
  {
    title: 'tells the server of readers of a lost link as of a clean detach',
    hints: ['tells the server of readers of a lost link, and of no other'],
    mutate: () => ({
      reader: inner => accepting(inner, ({ onClosed }) => ({ onClosed: () => onClosed({ cause: 'clean' }) }))
    })
  },
  {
    title: 'does not tell the server of readers the error of a detach',
    hints: ['tells the server of readers of a detach with error, and which'],
    mutate: () => ({
      reader: inner =>
        accepting(inner, ({ onClosed }) => ({
          onClosed: ({ cause }) => onClosed({ cause: cause === 'error' ? 'clean' : cause })
        }))
    })
  },
  {
    title: 'answers a drain before the server of the reader has sent all',
    hints: ['answers the drain of a reader when its server has sent all there is'],
    mutate: () => ({ reader: inner => accepting(inner, () => ({ onDrain: async () => undefined })) })
  },
  {
    title: 'names the prefix to the server of readers in place of the address',
    hints: ['tells the server of readers the name, the whole address and the user of a link'],
    mutate: () => ({ reader: inner => ({ ...changed(inner, {}), address: '$retain.' }) })
  },
  {
    title: 'serves all readers as the plugin itself',
    hints: ['tells the server of readers the name, the whole address and the user of a link'],
    mutate: () => ({ reader: inner => ({ ...changed(inner, {}), user: 'service' }) })
  },
  {
    title: 'detaches a reader without the error of its server',
    hints: ['ends the reader whose link its server closes, with its error'],
    mutate: () => ({ reader: inner => changed(inner, { close: () => inner.close() }) })
  },
  {
    title: 'lets two serve one prefix to readers',
    hints: ['lets one serve a prefix to readers at a time, and another after it'],
    mutate: () => ({
      space: inner => ({
        ...inner,
        serveReaders: async (prefix, onReader): Promise<Closeable> => {
          try {
            return await inner.serveReaders(prefix, onReader)
          } catch (error) {
            if (error instanceof AmqpError) return { close: async () => undefined }
            throw error
          }
        }
      })
    })
  },
  {
    title: 'keeps serving readers after their server went',
    hints: ['knows no served reader address before its prefix is served, nor after'],
    mutate: () => ({
      space: inner => ({
        ...inner,
        serveReaders: async (prefix, onReader) => {
          await inner.serveReaders(prefix, onReader)
          return { close: async () => undefined }
        }
      })
    })
  }
]
