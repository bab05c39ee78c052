// What a scenario is: cases that are run against each server, and columns that say what was measured.
// Rule: a scenario runs inside the generator's process and knows a server only by its port and its pid.

export interface Target {
  readonly port: number
  readonly pid: number
}

/** What the command line asks of every scenario; undefined: the scenario's own default. */
export interface Load {
  /** measured messages of one round */
  readonly messages: number | undefined
  /** measured time of one round, instead of a count */
  readonly seconds: number | undefined
  readonly qos: readonly (0 | 1)[]
  /** connected clients, where a scenario is about their number */
  readonly clients: number | undefined
}

export interface Column {
  readonly key: string
  readonly title: string
  readonly digits: number
  /** show ours against each other server; `more` or `less` is better */
  readonly compare?: 'more' | 'less'
}

/** Column key to value. */
export type Sample = Readonly<Record<string, number>>

export interface Case {
  readonly name: string
  readonly parameters: Readonly<Record<string, number>>
}

export interface Scenario {
  readonly name: string
  readonly title: string
  readonly columns: readonly Column[]
  cases(load: Load): readonly Case[]
  /** One round. Rejects when something was lost or stands still. */
  run(target: Target, parameters: Readonly<Record<string, number>>): Promise<Sample>
}
