// Why a space does not start or change, in one line for an operator.
// Rule: it names what is in the way.

const LISTEN_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EACCES: 'no permission',
  EADDRNOTAVAIL: 'no such address here',
  ENOTFOUND: 'no such address here'
}

/** `listener`: where it was to listen. */
export function reasonOf(error: unknown, listener: { readonly host: string; readonly port: number }): string {
  if (!(error instanceof Error)) return String(error)
  const fault = 'code' in error ? LISTEN_FAULTS[String(error.code)] : undefined
  if (fault === undefined) return error.message
  return `the MQTT listener cannot listen on ${listener.host}:${listener.port}: ${fault}`
}
