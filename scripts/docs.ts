// `npm run docs`: writes what is made from the schemas.

import { writeFileSync } from 'node:fs'
import { generate } from './generated.js'

for (const { url, path, text } of await generate()) {
  writeFileSync(url, text)
  process.stdout.write(`${path}\n`)
}
