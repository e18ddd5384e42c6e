import { expect, test } from 'vitest'
import { toBytes } from '../../../src/core/bytes.ts'
import { decodeControl } from '../../../src/ingest/controls.ts'
import { createConsole, outputRecord } from '../../support/console.ts'
import { textOf } from '../../support/output.ts'

function told(pool: string, state: string, atMs: number, name = 'emergency') {
  const condition = { name, state, sinceMs: 1, summary: `${pool} ${state}` }
  return outputRecord('journal', { kind: 'condition', atMs, pool, condition })
}

test('what stands of pools is listed, whatever the order in which its lines are read', async () => {
  const { app, views } = createConsole()
  views.fold(told('a', 'standing', 1))
  views.fold(told('b', 'standing', 2))
  views.fold(told('b', 'standing', 3, 'split-brain'))
  views.fold(told('c', 'over', 9))
  views.fold(told('c', 'standing', 4))
  const items = async (query: string) => {
    const answer = await (await app.request(`/v1/conditions${query}`)).json()
    return (answer as { items: { pool: string; name: string }[] }).items.map(
      ({ pool, name }) => `${pool} ${name}`,
    )
  }
  expect(await items('')).toEqual(['b split-brain', 'b emergency', 'a emergency'])
  expect(await items('?pool=b&name=emergency')).toEqual(['b emergency'])
  views.fold(told('a', 'over', 5))
  expect(await items('?name=emergency')).toEqual(['b emergency'])
})

test('an emergency that the console takes is one that ingest takes', async () => {
  const { app, produced } = createConsole()
  const said = { kind: 'emergency', emergency: true, by: 'ada', reason: 'flood' }
  const post = (body: object) =>
    app.request('/v1/controls', { method: 'POST', body: JSON.stringify(body) })
  expect((await post(said)).status).toBe(202)
  const decoded = decodeControl(toBytes(textOf(produced[0].value)))
  expect(decoded).toEqual({ ok: true, value: { ...said, pool: null } })
  const refused = await post({ ...said, emergency: 'yes' })
  expect(refused.status).toBe(400)
  expect(((await refused.json()) as { detail: string }).detail).toMatch(/^emergency: .*boolean/)
})
