import { describe, expect, test } from 'vitest'
import { toBytes } from '../../../src/core/bytes.ts'
import { decodeControl } from '../../../src/ingest/controls.ts'
import { createConsole } from '../../support/console.ts'
import { textOf } from '../../support/output.ts'

const SAID = { kind: 'maintenance', window: 'w1', by: 'ada', reason: 'new disks' }

async function post(body: object) {
  const { app, produced } = createConsole()
  const answer = await app.request('/v1/controls', { method: 'POST', body: JSON.stringify(body) })
  return { status: answer.status, body: (await answer.json()) as { detail: string }, produced }
}

test('what the console takes is what ingest makes of the topic', async () => {
  const said = { ...SAID, zone: 'z', start: '2026-01-01T00:00:00Z', end: 1_767_229_200_000 }
  const { status, produced } = await post(said)
  expect(status).toBe(202)
  const decoded = decodeControl(toBytes(textOf(produced[0].value)))
  expect(decoded).toEqual({
    ok: true,
    value: {
      ...SAID,
      pool: null,
      withdrawn: false,
      node: null,
      zone: 'z',
      startMs: 1_767_225_600_000,
      endMs: 1_767_229_200_000,
      holds: 'preemptive',
    },
  })
})

test('the console names a window that has no name, and withdraws one by its name', async () => {
  const named = await post({ kind: 'maintenance', node: 'n1', end: 9, reason: 'r' })
  expect(named.body).toMatchObject({ window: expect.stringMatching(/^[0-9a-f-]{36}$/) })
  expect((await post({ ...SAID, withdrawn: true })).status).toBe(202)
})

describe('what is wrong is named with its mend, by console and ingest alike', () => {
  test.each([
    { more: { end: 9 }, field: 'node', mend: 'name what is worked on' },
    { more: { node: 'n', zone: 'z', end: 9 }, field: 'zone', mend: 'leave one of them out' },
    { more: { node: 'n' }, field: 'end', mend: 'expected when the window is over' },
    { more: { node: 'n', start: 9, end: 9 }, field: 'end', mend: 'expected a time after `start`' },
    { more: { node: 'n', start: 0, end: 1e12 }, field: 'end', mend: 'at most' },
    { more: { node: 'n', end: 'noon' }, field: 'end', mend: 'ms since 1970 or an RFC 3339 time' },
    { more: { node: 'n', end: 9, holds: 'all' }, field: 'holds', mend: 'preemptive' },
  ])('$more', async ({ more, field, mend }) => {
    const { status, body, produced } = await post({ ...SAID, ...more })
    expect(status).toBe(400)
    expect(body.detail).toMatch(new RegExp(`^${field}: `))
    expect(body.detail).toContain(mend)
    expect(produced).toEqual([])
    const decoded = decodeControl(toBytes(JSON.stringify({ ...SAID, ...more })))
    if (decoded.ok) throw new Error('ingest took it')
    expect(decoded.detail).toContain(`\`${field}\``)
    expect(decoded.detail).toContain(mend)
  })
})
