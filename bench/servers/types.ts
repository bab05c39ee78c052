// What a benchmark needs of a server.

export interface ServerOptions {
  /** options for node, where the server runs on it */
  readonly nodeArgs?: readonly string[] | undefined
}

export interface RunningServer {
  readonly pid: number
  readonly mqttPort: number
  /** the first lines that it wrote so far, for errors */
  readonly output: readonly string[]
  /** Ends it; resolves when the process is gone. */
  stop(): Promise<void>
}

export interface ServerKind {
  readonly name: string
  /** names of the scenarios that it can serve; undefined: all */
  readonly scenarios?: readonly string[]
  /** why it cannot be started here; undefined: it can */
  missing(): string | undefined
  start(options: ServerOptions): Promise<RunningServer>
}
