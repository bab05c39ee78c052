// The configuration file as JSON.
// Rule: what keeps it from being read is said in one line, with the place in the file.

import { readFileSync } from 'node:fs'

import { findSyntaxFault } from './json-syntax.js'
import { StartupError } from './startup-error.js'

/** Throws StartupError. */
export function readConfigurationFile(file: string): unknown {
  let text: string
  try {
    text = readFileSync(file, 'utf8').replace(/^\uFEFF/, '')
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException
    const reason = READ_FAULTS[code] ?? code
    throw new StartupError(2, `--config: cannot read ${file}: ${reason}`)
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    const fault = findSyntaxFault(text)
    if (fault === undefined) throw error
    throw new StartupError(2, `${file}:${fault.line}:${fault.column}: not JSON: expected ${fault.expected}`)
  }
}

const READ_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied'
}
