// The program's log: one JSON object a line on stdout.
// Rule: lines are written before the call returns, so that the last one is there however the process ends.

import { pino } from 'pino'

import type { Logger } from '../../plugin/host.js'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]

/** Writes lines of `level` and above to the file descriptor. */
export function createLogger(level: LogLevel, fileDescriptor: number): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) }
    },
    pino.destination({ dest: fileDescriptor, sync: true })
  )
}
