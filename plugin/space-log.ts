// A log whose lines say which address space they are about.
// Rule: everything that belongs to one space logs through this; nobody names the space himself.

import type { Logger } from './host.js'

/** Lines of `log` with `space` among their fields. */
export function spaceLog(log: Logger, space: string): Logger {
  return {
    debug: (fields, message) => log.debug({ space, ...fields }, message),
    info: (fields, message) => log.info({ space, ...fields }, message),
    warn: (fields, message) => log.warn({ space, ...fields }, message),
    error: (fields, message) => log.error({ space, ...fields }, message)
  }
}
