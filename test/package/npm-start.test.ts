// `npm start` on a terminal, as a first user runs it: Ctrl-C reaches shell, npm and program, and all of it ends well.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { TemporaryDirectory } from '../fixtures/program.js'

const CTRL_C = '\x03'

describe('npm start', () => {
  const directory = new TemporaryDirectory()
  after(() => directory.remove())

  it('says that it is ready, and ends with 0 at Ctrl-C', async () => {
    // exec: whichever shell `script` takes, it is not what Ctrl-C meets first
    const command = `exec npm start -- --mqtt-port 0 --amqp-port 0 --data ${directory.path}`
    // script gives it a terminal, and exits with its exit code
    const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      stdio: ['pipe', 'pipe', 'pipe']
    })
    let output = ''
    let interrupted = false
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (interrupted || !output.includes('"msg":"ready"')) return
      interrupted = true
      child.stdin.write(CTRL_C)
    })
    const code = await new Promise(resolve => child.once('close', resolve))
    assert.equal(code, 0, output)
    assert.match(output, /"msg":"stopped"/)
  })
})
