import { expect, test } from 'vitest'
import { decodePlacement } from '../../../src/ingest/placements.ts'

const decode = (more: object) =>
  decodePlacement(new TextEncoder().encode(JSON.stringify({ workload: 'w', node: 'n', ...more })))

test('a placement may name its group, and is of none where it names none', () => {
  expect(decode({ group: 'web servers' })).toMatchObject({
    ok: true,
    value: { group: 'web servers' },
  })
  const alone = decode({})
  expect(alone.ok && 'group' in alone.value).toBe(false)
})

test.each([
  { group: '', because: 'it is empty' },
  { group: 'x'.repeat(257), because: 'it is too long' },
  { group: 'a\nb', because: 'it has a control character' },
  { group: 7, because: 'it is no text' },
])('a group is refused by name when $because', ({ group }) => {
  const decoded = decode({ group })
  expect(decoded.ok).toBe(false)
  expect(JSON.stringify(decoded)).toContain('group')
})

test('versions of executors are taken as they are, and bounded', () => {
  expect(decode({ versions: { east: 2 } })).toMatchObject({
    ok: true,
    value: { versions: { east: 2 } },
  })
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`e${i}`, 1]))
  expect(decode({ versions: many })).toMatchObject({
    ok: false,
    detail: '`versions`: expected at most 64 writers',
  })
  expect(decode({ versions: { east: -1 } }).ok).toBe(false)
})
