// `--check`: all that is wrong with a configuration, and nothing started.
// Rule: it finds what the program would refuse, in the words it would use; ports and disks are not looked at.

import { parseConfig } from '../../plugin/index.js'
import type { ConfigError } from '../../plugin/host.js'
import type { RunArguments } from './arguments.js'
import { describeErrors, examine, sourceOf, type SpaceConfiguration } from './configuration.js'
import { findRepeated } from './space-conflicts.js'
import { StartupError } from './startup-error.js'

/** Throws StartupError with a line for each fault. */
export function check(args: RunArguments): void {
  const { configuration, errors } = examine(args)
  const spaces = configuration?.spaces ?? []
  const all = [...errors, ...spaces.flatMap(findPluginFaults), ...findListenersTwice(spaces)]
  if (all.length > 0) throw new StartupError(2, describeErrors(sourceOf(args), all))
}

function findPluginFaults({ pointer, mqtt }: SpaceConfiguration): ConfigError[] {
  if (mqtt === undefined) return []
  const parsed = parseConfig(mqtt)
  if (!('errors' in parsed)) return []
  return parsed.errors.map(({ path, message }) => ({ path: `${pointer}/mqtt${path}`, message }))
}

/** MQTT listeners where there is another one, of MQTT or AMQP. */
function findListenersTwice(spaces: readonly SpaceConfiguration[]): ConfigError[] {
  const amqp = spaces.map(({ pointer, amqp }) => [`${pointer}/amqp`, placeOf(amqp)] as const)
  const mqtt = spaces.flatMap(space => {
    const parsed = space.mqtt === undefined ? undefined : parseConfig(space.mqtt)
    if (parsed === undefined || !('value' in parsed) || !parsed.value.enabled) return []
    return [[`${space.pointer}/mqtt/listener`, placeOf(parsed.value.listener)] as const]
  })
  return findRepeated('listener', [...amqp, ...mqtt])
}

const placeOf = ({ host, port }: { readonly host: string; readonly port: number }): string | undefined =>
  port === 0 ? undefined : `${host}:${port}`
