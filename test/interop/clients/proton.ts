// Drives clients/proton-client.py: Qpid Proton's Python binding as an AMQP client in a process of its own.

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { PYTHON } from '../tools.js'

const SCRIPT = fileURLToPath(new URL('proton-client.py', import.meta.url))

/** A value and the name of its Python type: int (which AMQP's int has in Proton), bool, str, binary (hex), dict… */
export type TypedValue = readonly [type: string, value: unknown]

export interface ProtonMessage {
  readonly address: string | null
  readonly subject: string | null
  readonly durable: boolean
  readonly correlationId: unknown
  readonly inferred: boolean
  readonly annotations: Readonly<Record<string, TypedValue>>
  readonly properties: Readonly<Record<string, TypedValue>>
  readonly body: TypedValue
}

export interface ProtonOutcome {
  readonly state: string
  readonly condition?: string
  readonly description?: string
}

/** What the library raised: `kind` is the name of the exception. */
export class ProtonError extends Error {
  readonly kind: string

  constructor(kind: string, message: string) {
    super(message)
    this.name = 'ProtonError'
    this.kind = kind
  }
}

type Answer = { readonly result: unknown } | { readonly error: string; readonly kind: string }

export class ProtonClient {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #answers: AsyncIterator<string>
  readonly #exited: Promise<void>
  #stderr = ''

  constructor() {
    this.#child = spawn(PYTHON, [SCRIPT])
    this.#exited = new Promise(resolve => this.#child.once('close', () => resolve()))
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** Opens a connection; `options` are keyword arguments of BlockingConnection (user, password, allowed_mechs). */
  async connect(port: number, options: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.#call('connect', { url: `amqp://127.0.0.1:${port}`, ...options })
  }

  /** `body`: a name in the script's table BODIES. */
  async send(
    address: string,
    body: string,
    fields: Readonly<Record<string, unknown>> = {}
  ): Promise<ProtonOutcome> {
    return (await this.#call('send', { address, body, ...fields })) as ProtonOutcome
  }

  async request(
    address: string,
    request: { subject: string; correlationId: string; body?: unknown; replyTo?: string }
  ): Promise<ProtonOutcome> {
    const { subject, correlationId, body, replyTo } = request
    const args = { address, subject, correlation_id: correlationId, body, reply_to: replyTo }
    return (await this.#call('request', args)) as ProtonOutcome
  }

  async attach(address: string): Promise<void> {
    await this.#call('attach', { address })
  }

  /** The next message of an attached receiver, accepted. */
  async receive(address: string): Promise<ProtonMessage> {
    return (await this.#call('receive', { address })) as ProtonMessage
  }

  async detach(address: string): Promise<void> {
    await this.#call('detach', { address })
  }

  /** Closes the connection; connect() may open another. */
  async disconnect(): Promise<void> {
    await this.#call('close', {})
  }

  /** Ends the process. */
  async end(): Promise<void> {
    this.#child.stdin.end()
    await this.#exited
  }

  async #call(call: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify({ call, arguments: args })}\n`)
    const line = await this.#answers.next()
    if (line.done === true) throw new Error(`the Proton client ended: ${this.#stderr}`)
    const answer = JSON.parse(line.value) as Answer
    if ('error' in answer) throw new ProtonError(answer.kind, answer.error)
    return answer.result
  }
}
