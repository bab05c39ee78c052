// A bound for waiting.

/** Resolves when `done` does, after `ms` at the latest. */
export async function within(ms: number, done: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>(resolve => (timer = setTimeout(resolve, Math.max(0, ms))))
  await Promise.race([done, late])
  clearTimeout(timer)
}
