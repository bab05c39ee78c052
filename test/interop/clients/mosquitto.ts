// mosquitto_pub and mosquitto_sub as processes, with the options that every test gives them.

import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

import { ReceivedQueue } from './queue.js'

export interface Finished {
  readonly code: number | null
  readonly stderr: string
}

/** Runs mosquitto_pub to its end; `input` is its stdin. */
export async function mosquittoPub(port: number, args: readonly string[], input = ''): Promise<Finished> {
  const child = spawn('mosquitto_pub', ['-h', '127.0.0.1', '-p', String(port), ...args])
  child.stdin.on('error', () => undefined) // with -m it never reads stdin, and may be gone before we close it
  child.stdin.end(input)
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return await new Promise(resolve => child.once('close', code => resolve({ code, stderr })))
}

/** mosquitto_sub with one line for each publication: topic, QoS, RETAIN, payload; a line break in a payload is not escaped. */
export class MosquittoSub {
  readonly lines = new ReceivedQueue<string>('line of mosquitto_sub')
  readonly exited: Promise<Finished>
  readonly #child: ChildProcessByStdio<null, Readable, Readable>

  private constructor(port: number, args: readonly string[], onSubscribed: () => void) {
    const format = ['-F', '> %t %q %r %p']
    // -d: it says on stdout when it is subscribed; stdbuf: a line at once, though stdout is a pipe
    const command = ['-oL', 'mosquitto_sub', '-h', '127.0.0.1', '-p', String(port), '-d', ...format, ...args]
    this.#child = spawn('stdbuf', command, { stdio: ['ignore', 'pipe', 'pipe'] })
    let stderr = ''
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    createInterface({ input: this.#child.stdout }).on('line', line => {
      if (line.startsWith('> ')) this.lines.push(line.slice(2))
      else if (line.startsWith('Subscribed')) onSubscribed()
    })
    this.exited = new Promise(resolve => {
      this.#child.once('close', code => resolve({ code, stderr }))
    })
  }

  /** Resolves when the SUBACK has come. */
  static async start(port: number, args: readonly string[]): Promise<MosquittoSub> {
    return await new Promise((resolve, reject) => {
      const client = new MosquittoSub(port, args, () => resolve(client))
      void client.exited.then(({ code, stderr }) =>
        reject(new Error(`mosquitto_sub ended with ${code}: ${stderr}`))
      )
    })
  }

  /** Ends it as Ctrl-C does. */
  async stop(): Promise<void> {
    this.#child.kill('SIGINT')
    await this.exited
  }
}
