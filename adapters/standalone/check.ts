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
  const { configuration, errors, found } = examine(args)
  const spaces = configuration?.spaces ?? []
  const wrong = found.filter(({ pointer }) => !spaces.some(space => space.pointer === pointer))
  const all = [
    ...errors,
    ...spaces.flatMap(({ pointer, mqtt }) => findPluginFaults(pointer, mqtt)),
    ...wrong.flatMap(({ pointer, space }) => findPluginFaults(pointer, mqttOf(space))),
    ...findListenersTwice(spaces, args.broker === undefined)
  ]
  if (all.length > 0) throw new StartupError(2, describeErrors(sourceOf(args), all))
}

/** Of a space that may be anything; undefined where it is nothing for the plugin to judge. */
function mqttOf(space: unknown): object | undefined {
  const mqtt = typeof space === 'object' && space !== null && 'mqtt' in space ? space.mqtt : undefined
  return typeof mqtt === 'object' && mqtt !== null && !Array.isArray(mqtt) ? mqtt : undefined
}

function findPluginFaults(pointer: string, mqtt: object | undefined): ConfigError[] {
  const parsed = mqtt === undefined ? undefined : parseConfig(mqtt)
  if (parsed === undefined || 'value' in parsed) return []
  return parsed.errors.map(({ path, message }) => ({ path: `${pointer}/mqtt${path}`, message }))
}

/** MQTT listeners where there is another one, of MQTT or, where the spaces have those, of AMQP. */
function findListenersTwice(spaces: readonly SpaceConfiguration[], listening: boolean): ConfigError[] {
  const amqp = (listening ? spaces : []).map(
    ({ pointer, amqp }) => [`${pointer}/amqp`, placeOf(amqp)] as const
  )
  const mqtt = spaces.flatMap(space => {
    const parsed = space.mqtt === undefined ? undefined : parseConfig(space.mqtt)
    if (parsed === undefined || !('value' in parsed) || !parsed.value.enabled) return []
    return [[`${space.pointer}/mqtt/listener`, placeOf(parsed.value.listener)] as const]
  })
  return findRepeated('listener', [...amqp, ...mqtt])
}

const placeOf = ({ host, port }: { readonly host: string; readonly port: number }): string | undefined =>
  port === 0 ? undefined : `${host}:${port}`
