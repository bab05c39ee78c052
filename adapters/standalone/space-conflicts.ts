// What a schema cannot say of spaces: what must be there once, and what must be a topic filter.
// Rule: of two that are in each other's way the later one is wrong.

import type { ConfigError } from '../../plugin/host.js'
import { isValidTopicFilter } from '../../plugin/mqtt/topic.js'
import type { SpaceConfiguration, UserConfiguration } from './configuration.js'

/**
 * What the schema cannot say: names are unique; rights are topic filters. `listening`: the spaces have AMQP listeners, no two the same,
 * and log users in, who need passwords.
 */
export function findConflicts(spaces: readonly SpaceConfiguration[], listening: boolean): ConfigError[] {
  return [
    ...findRepeated(
      'name',
      spaces.map(({ pointer, name }) => [`${pointer}/name`, name])
    ),
    ...findRepeated(
      'listener',
      spaces.map(({ pointer, amqp }) => [
        `${pointer}/amqp`,
        amqp.port === 0 || !listening ? undefined : `${amqp.host}:${amqp.port}`
      ])
    ),
    ...spaces.flatMap(({ pointer, users, addresses }) => [
      ...users.flatMap((user, j) => findUserFaults(user, `${pointer}/users/${j}`, listening)),
      ...findRepeated(
        'user',
        users.map((user, j) => [`${pointer}/users/${j}/name`, user.name])
      ),
      ...findRepeated(
        'address',
        addresses.map((address, j) => [`${pointer}/addresses/${j}/name`, address.name])
      )
    ])
  ]
}

function findUserFaults(
  { name, password, send, receive }: UserConfiguration,
  path: string,
  listening: boolean
): ConfigError[] {
  const filters = [
    ...send.map((filter, i) => [`${path}/send/${i}`, filter] as const),
    ...receive.map((filter, i) => [`${path}/receive/${i}`, filter] as const)
  ]
  const invalid = filters.filter(([, filter]) => !isValidTopicFilter(filter))
  return [
    ...(listening && password === undefined && name !== 'anonymous'
      ? [{ path, message: 'must have a password' }]
      : []),
    ...invalid.map(([at, filter]) => ({
      path: at,
      message: `must be a topic filter, not ${JSON.stringify(filter)}`
    }))
  ]
}

/** An entry for each value that was there before; undefined is no value. */
export function findRepeated(
  what: string,
  entries: readonly (readonly [path: string, value: string | undefined])[]
): ConfigError[] {
  const first = new Map<string, string>()
  return entries.flatMap(([path, value]) => {
    if (value === undefined) return []
    const before = first.get(value)
    if (before !== undefined) {
      return [{ path, message: `must be another ${what} than ${before}, not ${JSON.stringify(value)} again` }]
    }
    first.set(value, path)
    return []
  })
}
