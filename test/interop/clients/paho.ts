// Drives clients/paho-client.py: paho-mqtt in a process of its own, which a test may kill.

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { PYTHON } from '../tools.js'
import { ReceivedQueue } from './queue.js'

const SCRIPT = fileURLToPath(new URL('paho-client.py', import.meta.url))

export interface PahoMessage {
  readonly topic: string
  readonly payload: string
  readonly qos: number
  readonly retain: boolean
  readonly dup: boolean
  readonly packetId: number
}

type Line = { readonly message: PahoMessage } | { readonly result: unknown } | { readonly error: string }

export class PahoClient {
  readonly received = new ReceivedQueue<PahoMessage>('message of paho')
  /** what the last CONNACK said */
  sessionPresent: unknown
  readonly #child: ChildProcessWithoutNullStreams
  readonly #answers = new ReceivedQueue<Line>('answer of paho')
  readonly #exited: Promise<void>

  private constructor() {
    this.#child = spawn(PYTHON, [SCRIPT], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child.stdin.on('error', () => undefined) // the process may have been killed
    let errors = ''
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    this.#exited = new Promise(resolve =>
      this.#child.once('close', () => {
        this.#answers.push({ error: `it ended: ${errors}` })
        resolve()
      })
    )
    createInterface({ input: this.#child.stdout }).on('line', text => {
      const line = JSON.parse(text) as Line
      if ('message' in line) this.received.push(line.message)
      else this.#answers.push(line)
    })
  }

  static async connect(port: number, clientId: string, clean: boolean): Promise<PahoClient> {
    const client = new PahoClient()
    const { present, code } = (await client.#call('connect', { port, client_id: clientId, clean })) as {
      readonly present: boolean
      readonly code: number
    }
    if (code !== 0) throw new Error(`CONNACK ${code}`)
    client.sessionPresent = present
    return client
  }

  /** Granted QoS. */
  subscribe(topic: string, qos: 0 | 1): Promise<unknown> {
    return this.#call('subscribe', { topic, qos })
  }

  /** Resolves when it is acknowledged. */
  async publish(topic: string, payload: string, retain = false): Promise<void> {
    const published = await this.#call('publish', { topic, payload, qos: 1, retain })
    if (published !== true) throw new Error('no PUBACK')
  }

  /** It acknowledges nothing of what comes from now on. */
  async hold(): Promise<void> {
    await this.#call('hold', {})
  }

  /** DISCONNECT, and the end of the process. */
  async end(): Promise<void> {
    await this.#call('disconnect', {})
    this.#child.stdin.end()
    await this.#exited
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  async #call(call: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify({ call, arguments: args })}\n`)
    const answer = await this.#answers.next()
    if ('result' in answer) return answer.result
    throw new Error('error' in answer ? answer.error : 'a message is no answer')
  }
}
