// The log calls of the sources: level and message of each.

import { readdirSync, readFileSync } from 'node:fs'

export interface LogCall {
  /** from the root of the project */
  readonly file: string
  /** undefined: chosen when it runs */
  readonly level: string | undefined
  /** undefined: no constant text */
  readonly message: string | undefined
}

const root = new URL('../', import.meta.url)

/** `log.warn(`, `#log.error(`, `log[level](`; pino's own calls look the same */
const CALL = /\blog(?:\??\.(debug|info|warn|error)|\[[^\]]*\])\(/g
/** an action of the session core that becomes a line */
const ACTION = /type: 'warn', message: '([^']*)'/g

/** What is between the parenthesis before `start` and its end. */
function argumentsAt(text: string, start: number): string {
  let depth = 1
  let quote = ''
  let at = start
  for (; at < text.length && depth > 0; at++) {
    const character = text[at] ?? ''
    if (quote !== '') {
      if (character === '\\') at++
      else if (character === quote) quote = ''
    } else if (`'"\``.includes(character)) quote = character
    else if ('([{'.includes(character)) depth++
    else if (')]}'.includes(character)) depth--
  }
  return text.slice(start, at - 1)
}

/** The calls in the text of one file. */
export function logCallsIn(file: string, text: string): LogCall[] {
  const calls = [...text.matchAll(CALL)].map(({ 0: call, 1: level, index }) => {
    const last = /,\s*'([^'\\]*)'\s*$/.exec(argumentsAt(text, index + call.length))
    return { file, level, message: last?.[1] }
  })
  const actions = [...text.matchAll(ACTION)].map(([, message]) => ({ file, level: 'warn', message }))
  return [...calls, ...actions]
}

/** All calls in plugin/ and adapters/. */
export function logCalls(): LogCall[] {
  return ['plugin', 'adapters'].flatMap(folder =>
    readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.ts'))
      .flatMap(name => {
        const file = `${folder}/${name.replaceAll('\\', '/')}`
        return logCallsIn(file, readFileSync(new URL(file, root), 'utf8'))
      })
  )
}
