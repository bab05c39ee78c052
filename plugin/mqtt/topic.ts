// Topic names and topic filters: which are valid, and which match which.
// Rule: everything here walks the characters once and allocates nothing; whoever calls anything but the isValid functions
// passes what they called valid.

const NUL = 0x00
const HASH = 0x23
const DOLLAR = 0x24
const PLUS = 0x2b
const SLASH = 0x2f

/** The plugin's own addresses and the management node of AMQP brokers. */
const RESERVED = ['$mqtt', '$lwt', '$subctrl', '$retain', '$management'] as const

/** Bytes that a UTF-8 string of MQTT can have. */
const MAX_BYTES = 65535

/** Can be published to: no wildcards, 1 to 65535 bytes of UTF-8, at most `maxLevels` levels. */
export function isValidTopicName(topic: string, maxLevels = Infinity): boolean {
  if (!hasValidLength(topic)) return false // [MQTT3-4.7.3-1] [MQTT3-4.7.3-3]
  let levels = 1
  for (let i = 0; i < topic.length; i++) {
    const c = topic.charCodeAt(i)
    if (c === SLASH) levels++
    // [MQTT3-3.3.2-2] [MQTT3-4.7.1-1] [MQTT3-4.7.3-2]
    else if (c === PLUS || c === HASH || c === NUL) return false
    else if (isSurrogate(c)) {
      if (!isPair(topic, i)) return false
      i++
    }
  }
  return levels <= maxLevels
}

/** Can be subscribed to: wildcards only where they may be, 1 to 65535 bytes of UTF-8, at most `maxLevels` levels. */
export function isValidTopicFilter(filter: string, maxLevels = Infinity): boolean {
  if (!hasValidLength(filter)) return false
  const last = filter.length - 1
  let levels = 1
  for (let i = 0; i <= last; i++) {
    const c = filter.charCodeAt(i)
    if (c === SLASH) levels++
    else if (c === NUL) return false
    else if (c === PLUS || c === HASH) {
      const startsLevel = i === 0 || filter.charCodeAt(i - 1) === SLASH
      const endsLevel = i === last || (c === PLUS && filter.charCodeAt(i + 1) === SLASH)
      if (!startsLevel || !endsLevel) return false // [MQTT3-4.7.1-2] [MQTT3-4.7.1-3]
    } else if (isSurrogate(c)) {
      if (!isPair(filter, i)) return false
      i++
    }
  }
  return levels <= maxLevels
}

/** The filter has a wildcard: it is no topic name. */
export function isWildcard(filter: string): boolean {
  return filter.includes('+') || filter.charCodeAt(filter.length - 1) === HASH
}

/**
 * A topic name or filter that reaches into addresses that are no topics, so that MQTT clients may not use it: those of the
 * plugin's services, and queues inside an address (`::`). No wildcard at the first level matches `$`.
 */
export function isReservedTopic(topic: string): boolean {
  if (topic.charCodeAt(0) === DOLLAR && RESERVED.some(prefix => topic.startsWith(prefix))) return true
  return topic.includes('::')
}

/** The filter matches the topic name. */
export function matches(filter: string, topic: string): boolean {
  if (startsWithWildcard(filter) && topic.charCodeAt(0) === DOLLAR) return false // [MQTT3-4.7.2-1]
  let f = 0
  let t = 0
  for (;;) {
    const c = filter.charCodeAt(f)
    if (c === HASH) return true
    const end = levelEnd(topic, t)
    if (c === PLUS) f++
    else {
      const size = end - t
      if (levelEnd(filter, f) - f !== size || !sameCharacters(filter, f, topic, t, size)) return false
      f += size
    }
    t = end
    if (f === filter.length) return t === topic.length
    if (t === topic.length) return isRestHash(filter, f)
    f++
    t++
  }
}

/** Every topic name that `filter` matches is matched by `allowed`. */
export function covers(allowed: string, filter: string): boolean {
  if (startsWithWildcard(allowed) && filter.charCodeAt(0) === DOLLAR) return false
  let a = 0
  let f = 0
  for (;;) {
    const c = allowed.charCodeAt(a)
    if (c === HASH) return true
    const end = levelEnd(filter, f)
    // `#` stands for no level too, and `+/#` does not, unless no level would be the empty topic name, which is none.
    if (filter.charCodeAt(f) === HASH) return (f === 0 || filter === '/#') && isRestPlusHash(allowed, a)
    if (c === PLUS) a++
    else {
      const size = end - f
      if (levelEnd(allowed, a) - a !== size || !sameCharacters(allowed, a, filter, f, size)) return false
      a += size
    }
    f = end
    if (a === allowed.length) return f === filter.length
    if (f === filter.length) return isRestHash(allowed, a)
    a++
    f++
  }
}

/** The first level is a wildcard, so that no topic that starts with `$` is matched. */
function startsWithWildcard(filter: string): boolean {
  const c = filter.charCodeAt(0)
  return c === HASH || c === PLUS
}

/** What follows the level that ends at `end` is `/#`, which stands for no level too. */
function isRestHash(filter: string, end: number): boolean {
  return end + 2 === filter.length && filter.charCodeAt(end + 1) === HASH
}

/** What starts at `start` is `+/#`. */
function isRestPlusHash(filter: string, start: number): boolean {
  return filter.charCodeAt(start) === PLUS && isRestHash(filter, start + 1)
}

function levelEnd(levels: string, start: number): number {
  for (let i = start; i < levels.length; i++) if (levels.charCodeAt(i) === SLASH) return i
  return levels.length
}

function sameCharacters(a: string, aStart: number, b: string, bStart: number, size: number): boolean {
  for (let i = 0; i < size; i++) if (a.charCodeAt(aStart + i) !== b.charCodeAt(bStart + i)) return false
  return true
}

function hasValidLength(text: string): boolean {
  if (text.length === 0 || text.length > MAX_BYTES) return false
  return text.length * 3 <= MAX_BYTES || Buffer.byteLength(text) <= MAX_BYTES
}

function isSurrogate(c: number): boolean {
  return (c & 0xf800) === 0xd800
}

/** A high surrogate and its low one start at `i`; anything else has no encoding in UTF-8. */
function isPair(text: string, i: number): boolean {
  return (text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00
}
