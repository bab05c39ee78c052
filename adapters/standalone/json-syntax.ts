// Finds the place where a text stops being JSON, which JSON.parse of this runtime does not always tell.
// Rule: it accepts what JSON.parse accepts; it makes no values.

/** Line and column from 1. */
export interface SyntaxFault {
  readonly line: number
  readonly column: number
  readonly expected: string
}

const TOKEN =
  /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[{}[\],:]/y
const SPACE = /[ \t\n\r]*/y

const EXPECTED = {
  value: 'a value',
  firstValue: "a value or ']'",
  key: 'a name in double quotes',
  firstKey: "a name in double quotes or '}'",
  colon: "':'",
  afterMember: "',' or '}'",
  afterElement: "',' or ']'",
  end: 'the end of the text'
} as const

type State = keyof typeof EXPECTED

/** undefined: the text is JSON. */
export function findSyntaxFault(text: string): SyntaxFault | undefined {
  const open: ('{' | '[')[] = []
  const afterValue = (): State => {
    const container = open.at(-1)
    return container === undefined ? 'end' : container === '{' ? 'afterMember' : 'afterElement'
  }
  let state: State = 'value'
  let offset = 0
  for (;;) {
    SPACE.lastIndex = offset
    offset += SPACE.exec(text)?.[0].length ?? 0
    TOKEN.lastIndex = offset
    const token = TOKEN.exec(text)?.[0]
    if (token === undefined) {
      if (state === 'end' && offset === text.length) return undefined
      return { ...place(text, offset), expected: EXPECTED[state] }
    }
    const next = step(state, token, open, afterValue)
    if (next === undefined) return { ...place(text, offset), expected: EXPECTED[state] }
    state = next
    offset += token.length
  }
}

/** The state after `token`; undefined: it may not come here. Keeps `open` in step. */
function step(state: State, token: string, open: ('{' | '[')[], afterValue: () => State): State | undefined {
  switch (state) {
    case 'value':
    case 'firstValue':
      if (token === '{' || token === '[') {
        open.push(token)
        return token === '{' ? 'firstKey' : 'firstValue'
      }
      if (token === ']' && state === 'firstValue') break
      return /^[}\],:]/.test(token) ? undefined : afterValue()
    case 'key':
    case 'firstKey':
      if (token === '}' && state === 'firstKey') break
      return token.startsWith('"') ? 'colon' : undefined
    case 'colon':
      return token === ':' ? 'value' : undefined
    case 'afterMember':
      if (token === ',') return 'key'
      if (token === '}') break
      return undefined
    case 'afterElement':
      if (token === ',') return 'value'
      if (token === ']') break
      return undefined
    case 'end':
      return undefined
    default:
      return state satisfies never
  }
  open.pop()
  return afterValue()
}

function place(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split('\n')
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 }
}
