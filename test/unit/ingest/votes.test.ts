import { expect, test } from 'vitest'
import { toBytes } from '../../../src/core/bytes.ts'
import { decodeVote } from '../../../src/ingest/votes.ts'

const VOTE = { pool: 'web', ballot: 'web.7.b0', node: 'n1', choice: 'yes', mac: 'ab'.repeat(32) }
const CONTEXT = { nowMs: 10_000, appendedAtMs: 9_000 }

function decode(body: object) {
  return decodeVote(toBytes(JSON.stringify(body)), CONTEXT)
}

test('a vote without a pool is one of the default pool, and without a time of when it came', () => {
  const { pool: _, ...rest } = VOTE
  expect(decode(rest)).toEqual({ ok: true, value: { ...rest, pool: 'default', atMs: 9_000 } })
  expect(decode({ ...VOTE, at: 5_000 })).toMatchObject({ ok: true, value: { atMs: 5_000 } })
})

test.each([
  { more: { choice: 'maybe' }, field: 'choice', mend: '"yes"|"no"' },
  { more: { mac: 'AB' }, field: 'mac', mend: '64 digits of 0-9 and a-f' },
  { more: { ballot: '' }, field: 'ballot', mend: 'the id of an open ballot' },
  { more: { node: '' }, field: 'node', mend: 'expected 1 to' },
])('$more is refused, naming the field and the mend', ({ more, field, mend }) => {
  const decoded = decode({ ...VOTE, ...more })
  if (decoded.ok) throw new Error('it was taken')
  expect(decoded.detail).toContain(`\`${field}\``)
  expect(decoded.detail).toContain(mend)
})
