// Reads a trace of strace (-f -v -y -xx) as system calls with their bytes, each with the lines at which it began and ended.
// Rule: the order of lines is the order in which the kernel was entered and left; a call that spans lines keeps both.

import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

export interface SystemCall {
  readonly name: string
  /** what the fd is: a path, or `socket:[inode]` */
  readonly file: string
  /** what was read or written, as far as the result says */
  readonly bytes: Buffer
  readonly beganAt: number
  readonly endedAt: number
}

const COMPLETE = /^(\d+) +(\w+)\((.*)\) += (-?\d+)/s
const UNFINISHED = /^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$/s
const RESUMED = /^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+)/s

/** Calls in the order in which they ended. */
export async function* readTrace(path: string): AsyncGenerator<SystemCall> {
  const open = new Map<string, { readonly text: string; readonly beganAt: number }>()
  let line = 0
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    line += 1
    const unfinished = UNFINISHED.exec(text)
    if (unfinished !== null) {
      const [, thread = '', name = '', args = ''] = unfinished
      open.set(`${thread} ${name}`, { text: args, beganAt: line })
      continue
    }
    const resumed = RESUMED.exec(text)
    if (resumed !== null) {
      const [, thread = '', name = '', rest = '', result = ''] = resumed
      const begun = open.get(`${thread} ${name}`)
      if (begun === undefined) continue
      open.delete(`${thread} ${name}`)
      yield toCall(name, begun.text + rest, Number(result), begun.beganAt, line)
      continue
    }
    const complete = COMPLETE.exec(text)
    if (complete === null) continue
    const [, , name = '', args = '', result = ''] = complete
    yield toCall(name, args, Number(result), line, line)
  }
}

function toCall(name: string, args: string, result: number, beganAt: number, endedAt: number): SystemCall {
  const target = /^\d+<(.*?)>(?:,|$)/.exec(args)
  const quoted = Array.from(args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g), match => fromHex(match[1] ?? ''))
  const bytes = Buffer.concat(quoted).subarray(0, Math.max(0, result))
  const file = target?.[1] ?? ''
  return { name, file: file.startsWith('\\x') ? fromHex(file).toString() : file, bytes, beganAt, endedAt }
}

const fromHex = (escaped: string): Buffer => Buffer.from(escaped.replaceAll('\\x', ''), 'hex')
