// What Linux says about a process: CPU time and peak memory, from /proc.
// Rule: the server is never asked about itself.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** CPU time of all threads of a process so far, user and system, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // the second field is the command's name in parentheses, which may hold spaces
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** Largest resident size of a process so far, in bytes. */
export function peakRssBytes(pid: number): number {
  return statusBytes(pid, 'VmHWM')
}

/** Resident size of a process, in bytes. */
export function rssBytes(pid: number): number {
  return statusBytes(pid, 'VmRSS')
}

/** Resident memory of a process that is its own: without mapped files, whose pages the system takes back when it needs them. */
export function anonymousBytes(pid: number): number {
  return statusBytes(pid, 'RssAnon')
}

function statusBytes(pid: number, key: string): number {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8')
    .split('\n')
    .find(l => l.startsWith(`${key}:`))
  if (line === undefined) throw new Error(`/proc/${pid}/status has no ${key}`)
  return Number(line.replace(/\D+/g, '')) * 1024
}
