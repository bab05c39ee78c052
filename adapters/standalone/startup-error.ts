// Why the program cannot start, as the one line that its user reads on stderr.
// Rule: it names the option, file, path, port or directory, and says what was expected; never a stack.

/** `exitCode`: 2 for a command line or a configuration that is wrong, 1 for a machine that does not let us. */
export class StartupError extends Error {
  readonly exitCode: 1 | 2

  constructor(exitCode: 1 | 2, message: string) {
    super(message)
    this.name = 'StartupError'
    this.exitCode = exitCode
  }
}
