// Turns of the requests of one client, and of a connection that is being taken over.

import assert from 'node:assert/strict'
import { ClientTurns } from '../../../plugin/services/client-turns.js'

/** A promise, and how to resolve it. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open: (() => void) | undefined
  const opened = new Promise<void>(resolve => (open = resolve))
  return { opened, open: () => open?.() }
}

describe('turns of clients', () => {
  it('act one after the other for one client, and not before they may', async () => {
    const [ready, first] = [gate(), gate()]
    const turns = new ClientTurns(ready.opened)
    const acted: string[] = []
    turns.take('a', undefined, async () => {
      acted.push('a1')
      await first.opened
      acted.push('a1 done')
    })
    turns.take('a', undefined, async () => void acted.push('a2'))
    const other = gate()
    turns.take('b', undefined, async () => {
      acted.push('b1')
      other.open()
    })
    await Promise.resolve()
    assert.deepEqual(acted, [])
    ready.open()
    await other.opened
    assert.deepEqual(acted, ['a1', 'b1'])
    first.open()
    await turns.idle()
    assert.deepEqual(acted, ['a1', 'b1', 'a1 done', 'a2'])
  })

  it('of a connection act while another one waits for it, whether they came before that or after', async () => {
    const turns = new ClientTurns(Promise.resolve())
    const [begin, over, late] = [gate(), gate(), gate()]
    const acted: string[] = []
    const act = (name: string) => async () => void acted.push(name)
    turns.take('a', 'new', async () => {
      await begin.opened
      assert.equal(
        await turns.yieldTo(
          'a',
          'old',
          over.opened.then(() => 'it is over')
        ),
        'it is over'
      )
      acted.push('new')
    })
    turns.take('a', 'new', act('after new'))
    turns.take('a', 'old', act('old before'))
    begin.open()
    turns.take('a', 'other', act('other'))
    turns.take('a', 'old', async () => {
      acted.push('old after')
      late.open()
    })
    await late.opened
    assert.deepEqual(acted, ['old before', 'old after'])
    turns.take('a', 'old', async () => {
      over.open()
      acted.push('the last of old')
    })
    await turns.idle()
    assert.deepEqual(acted.slice(2), ['the last of old', 'new', 'after new', 'other'])
  })
})
