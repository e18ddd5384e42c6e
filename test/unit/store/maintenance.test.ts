import { expect, test } from 'vitest'
import { createConsole, outputRecord } from '../../support/console.ts'

const WINDOW = {
  window: 'w1',
  pool: null,
  node: 'n1',
  zone: null,
  startMs: 1_000,
  endMs: 2_000,
  holds: 'preemptive',
  by: 'ada',
  reason: 'new disks',
}

function told(window: string, state: string, atMs: number, more: object = {}) {
  const body = { ...WINDOW, window, state, ...more }
  return outputRecord('journal', { kind: 'control', atMs, node: 'n1', window: body })
}

test('windows are listed until they end or are withdrawn, the next one first', async () => {
  const { app, views } = createConsole({}, { windowsMax: 3 })
  views.fold(told('w1', 'planned', 1, { startMs: 5_000 }))
  views.fold(told('w2', 'planned', 2))
  views.fold(told('w3', 'planned', 3, { node: null, zone: 'z' }))
  views.fold(told('w4', 'planned', 4))
  expect(views.maintenance.leftOutCount).toBe(1)
  views.fold(told('w2', 'running', 5))
  views.fold(told('w2', 'planned', 2))
  const items = async (query: string) => {
    const answer = await (await app.request(`/v1/maintenance${query}`)).json()
    return (answer as { items: { window: string }[] }).items.map(({ window }) => window)
  }
  expect(await items('')).toEqual(['w2', 'w3', 'w1'])
  expect(await items('?state=running')).toEqual(['w2'])
  expect(await items('?zone=z')).toEqual(['w3'])
  views.fold(told('w2', 'ended', 6))
  views.fold(told('w3', 'withdrawn', 7))
  expect(await items('')).toEqual(['w1'])
})
