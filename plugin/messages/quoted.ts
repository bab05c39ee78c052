// What a peer sent, as a description of an error repeats it.
// Rule: a description is short, however much was sent: an outcome is one frame.

const MAX_CHARACTERS = 100
const MAX_TEXTS = 10

/** In quotes, its beginning where it is long. */
export const quoted = (text: string): string =>
  text.length <= MAX_CHARACTERS
    ? JSON.stringify(text)
    : `${JSON.stringify(text.slice(0, MAX_CHARACTERS))}… (${text.length} characters)`

/** The first few; `each` says one of them. */
export function listed<T>(texts: readonly T[], each: (text: T) => string): string {
  const shown = texts.slice(0, MAX_TEXTS).map(each).join(', ')
  return texts.length <= MAX_TEXTS ? shown : `${shown} and ${texts.length - MAX_TEXTS} more`
}
