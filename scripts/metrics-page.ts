// docs/metrics.md from the tables of metrics.

import { HOST_METRICS } from '../adapters/standalone/host-metrics.js'
import type { MetricRow } from '../adapters/standalone/metrics.js'
import { FAILURES } from '../plugin/errors.js'
import { METRICS } from '../plugin/metrics.js'

type Table = Readonly<Record<string, MetricRow>>

const HEAD = `# Metrics

Made from the tables in \`plugin/metrics.ts\` and \`adapters/standalone/host-metrics.ts\` by \`npm run docs\`; edit those.

The program tells them in the format of Prometheus at \`/metrics\` of its HTTP listener, which is off unless \`http\` is in the
configuration or \`--http-port\` on the command line. There is no login: listen on an address that only those who watch can reach.
Beside them are

- \`/healthz\`: 200 as long as the process answers. When it does not: restart it.
- \`/readyz\`: 200 when every space of the configuration is ready or off; else 503, a line for each reason: the program starts,
  a space starts, failed (with what is wrong) or stopped, the program is stopping. Send no clients meanwhile.

Each connection is good for one GET or HEAD, and for five seconds.

A platform that loads the plugin gets the plugin's metrics through \`Host.metrics\`, and their helps and labels as \`METRICS\` of
the module.
`

function rows(table: Table): string[] {
  return [
    '| name | type | labels | meaning |',
    '| --- | --- | --- | --- |',
    ...Object.entries(table).map(([name, { type, help, labels }]) => {
      return `| \`${name}\` | ${type} | ${labels.map(label => `\`${label}\``).join(', ')} | ${help} |`
    })
  ]
}

/** The page, not formatted yet. */
export function metricsPage(): string {
  const failures = Object.entries(FAILURES).map(
    ([code, { description }]) => `| \`${code}\` | ${description} |`
  )
  return [
    HEAD,
    '## The plugin\n',
    ...rows(METRICS),
    '\n## The program\n',
    ...rows(HOST_METRICS),
    '\n## Labels\n',
    '- `space`: name of the address space',
    '- `qos`: `0`, `1`, `2`',
    '- `protocol`: version of MQTT: `3.1`, `3.1.1`, `5.0`; `other`: a protocol level that is not served',
    '- `outcome` of a CONNECT: `accepted`, or the reason why not',
    '- `reason` of an end: `disconnect` (the client said DISCONNECT), or one of these, which log lines have as `code`:\n',
    '| reason | meaning |',
    '| --- | --- |',
    ...failures,
    ''
  ].join('\n')
}
