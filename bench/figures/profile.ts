// Prints where the self time of .cpuprofile files went: the top functions, and the sum per file or package.

import { readFileSync } from 'node:fs'

interface CallFrame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const TOP = 30

/** The file within the project or the package, without what the machine's paths add. */
function shortUrl(url: string): string {
  return url.replace(/^.*node_modules\//, '').replace(/^file:\/\/.*\/(?=[^/]+\/[^/]+$)/, '')
}

function add(sums: Map<string, number>, key: string, us: number): void {
  sums.set(key, (sums.get(key) ?? 0) + us)
}

function print(sums: ReadonlyMap<string, number>, total: number): void {
  const sorted = [...sums].sort((a, b) => b[1] - a[1]).slice(0, TOP)
  for (const [key, us] of sorted) console.log(`${((us / total) * 100).toFixed(1).padStart(6)} %  ${key}`)
}

function report(path: string): void {
  const profile = JSON.parse(readFileSync(path, 'utf8')) as CpuProfile
  const frames = new Map(profile.nodes.map(node => [node.id, node.callFrame]))
  const functions = new Map<string, number>()
  const files = new Map<string, number>()
  let busy = 0
  for (const [i, id] of profile.samples.entries()) {
    const frame = frames.get(id)
    const us = profile.timeDeltas[i] ?? 0
    if (frame === undefined || frame.functionName === '(idle)' || frame.functionName === '(program)') continue
    const file = frame.url === '' ? '(runtime)' : shortUrl(frame.url)
    busy += us
    add(functions, `${frame.functionName || '(anonymous)'}  ${file}:${frame.lineNumber + 1}`, us)
    add(files, file, us)
  }
  console.log(`${path}: ${(busy / 1e6).toFixed(2)} s busy`)
  print(functions, busy)
  console.log('by file')
  print(files, busy)
}

if (process.argv.length < 3) throw new Error('usage: profile.ts FILE.cpuprofile …')
for (const path of process.argv.slice(2)) report(path)
