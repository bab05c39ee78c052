// A server as a child process: started, ready when a line of its output says so, and ended.
// Rule: a child that ends before it is ready, or does not end when told to, is an error that shows its output.

import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'

export interface StartOptions<Ready> {
  readonly command: string
  readonly args: readonly string[]
  /** what the child is ready with; undefined for any other line of its output */
  readonly ready: (line: string) => Ready | undefined
  readonly timeoutMs?: number
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export class ServerProcess<Ready> {
  readonly pid: number
  readonly ready: Ready
  /** when the process was made, as performance.now() */
  readonly startedAt: number
  /** when its ready line was read, as performance.now() */
  readonly readyAt: number
  readonly exited: Promise<Exit>
  /** its first lines so far */
  readonly output: readonly string[]
  readonly #child: ChildProcess

  private constructor(
    child: ChildProcess,
    pid: number,
    ready: Ready,
    startedAt: number,
    exited: Promise<Exit>,
    output: readonly string[]
  ) {
    this.output = output
    this.#child = child
    this.pid = pid
    this.ready = ready
    this.startedAt = startedAt
    this.readyAt = performance.now()
    this.exited = exited
  }

  static async start<Ready>(options: StartOptions<Ready>): Promise<ServerProcess<Ready>> {
    const { command, args, timeoutMs = 60_000 } = options
    const startedAt = performance.now()
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const output: string[] = []
    const exited = new Promise<Exit>(resolve => {
      // not 'exit': what traces the child may still be writing
      child.once('close', (code, signal) => resolve({ code, signal }))
    })
    const ready = new Promise<Ready>((resolve, reject) => {
      const fail = (why: string): void =>
        reject(new Error(`${command} ${args.join(' ')}: ${why}\n${output.join('\n')}`))
      const onLine = (line: string): void => {
        if (output.length < 200) output.push(line)
        const value = options.ready(line)
        if (value === undefined) return
        clearTimeout(timer)
        resolve(value)
      }
      for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', onLine)
      child.once('error', error => fail(error.message))
      child.once('close', () => fail('ended before it was ready'))
      const timer = setTimeout(() => {
        child.kill('SIGKILL')
        fail(`not ready after ${timeoutMs} ms`)
      }, timeoutMs)
      void exited.then(() => clearTimeout(timer))
      timer.unref()
    })
    const value = await ready
    if (child.pid === undefined) throw new Error('a child that is ready has a pid')
    return new ServerProcess(child, child.pid, value, startedAt, exited, output)
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exited
  }

  /** SIGINT, as Ctrl-C; killed when it does not end in time. Resolves with how it ended. */
  async stop(timeoutMs = 20_000): Promise<Exit> {
    this.#child.kill('SIGINT')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), timeoutMs)
    const exit = await this.exited
    clearTimeout(timer)
    return exit
  }
}
