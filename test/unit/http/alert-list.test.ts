import { describe, expect, test } from 'vitest'
import { toBytes } from '../../../src/core/bytes.ts'
import { decodeControl } from '../../../src/ingest/controls.ts'
import { alertOf, endOf, entryOf } from '../../support/alerts.ts'
import { createConsole, outputRecord } from '../../support/console.ts'
import { textOf } from '../../support/output.ts'

interface Listed {
  readonly items: readonly Record<string, unknown>[]
  readonly nextCursor: string | null
}

function consoleWith(...records: readonly (readonly [string, object])[]) {
  const { app, views, produced } = createConsole()
  for (const [topic, body] of records) views.fold(outputRecord(topic, body))
  const get = async (path: string) => (await (await app.request(path)).json()) as Listed
  const post = async (body: object) => {
    const answer = await app.request('/v1/controls', { method: 'POST', body: JSON.stringify(body) })
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }
  return { get, post, produced, views }
}

const node = (n: number) => alertOf(n, { node: `n${n}` as never, incidentId: `i${n}` as never })

test('alerts say their state, fingerprint, who has acknowledged and what silences them', async () => {
  const { get, views } = consoleWith(['alerts', node(1)], ['alerts', node(2)])
  const [{ fingerprint }] = (await get('/v1/alerts?node=n1')).items
  const by = { pool: null, by: 'ada', reason: 'on it' }
  const acknowledged = { kind: 'acknowledge', fingerprint, acknowledged: true, ...by }
  const silence = { kind: 'silence', silence: 's', withdrawn: false, matchers: { node: 'n2' } }
  views.fold(outputRecord('journal', entryOf(3, { said: acknowledged as never })))
  views.fold(
    outputRecord('journal', entryOf(3, { said: { ...silence, untilMs: 9, ...by } as never })),
  )
  views.fold(outputRecord('journal', endOf('i2', 4)))
  expect((await get('/v1/alerts')).items).toMatchObject([
    { node: 'n2', state: 'resolved', silencedBy: 's', acknowledgedBy: null },
    { node: 'n1', state: 'firing', silencedBy: null, acknowledgedBy: { by: 'ada' } },
  ])
  expect((await get('/v1/alerts?state=firing')).items).toHaveLength(1)
  expect((await get('/v1/silences')).items).toMatchObject([{ silence: 's', untilMs: 9 }])
  views.fold(outputRecord('nodes', { node: 'n1', atMs: 9 }))
  expect((await get('/v1/silences')).items).toEqual([])
})

test('pages cover every alert once', async () => {
  const { get } = consoleWith(...[1, 2, 3].map((n) => ['alerts', node(n)] as const))
  const first = await get('/v1/alerts?limit=2')
  const second = await get(`/v1/alerts?limit=2&cursor=${first.nextCursor}`)
  expect([...first.items, ...second.items].map((each) => each['node'])).toEqual(['n3', 'n2', 'n1'])
  expect(second.nextCursor).toBeNull()
})

test('what the console takes is what ingest makes of the topic', async () => {
  const { post, produced } = consoleWith()
  const said = { kind: 'silence', matchers: { pool: 'w*' }, until: 9_000, reason: 'drill' }
  const { status, body } = await post(said)
  expect(status).toBe(202)
  const decoded = decodeControl(toBytes(textOf(produced[0].value)))
  const silence = body['silence']
  expect(decoded).toMatchObject({
    value: { silence, matchers: { pool: 'w*' }, untilMs: 9_000, withdrawn: false, by: 'console' },
  })
  await post({ kind: 'acknowledge', fingerprint: '0123456789abcdef', reason: 'on it' })
  expect(decodeControl(toBytes(textOf(produced[1].value)))).toMatchObject({
    value: { kind: 'acknowledge', fingerprint: '0123456789abcdef', acknowledged: true },
  })
})

describe('what is wrong is named with its mend, by console and ingest alike', () => {
  test.each([
    { said: { kind: 'silence', silence: 's', matchers: { pool: 'w' } }, field: 'until' },
    { said: { kind: 'silence', silence: 's', until: 9 }, field: 'matchers' },
    {
      said: { kind: 'silence', silence: 's', until: 9, matchers: { host: 'x' } },
      field: 'matchers',
    },
    { said: { kind: 'acknowledge', fingerprint: 'n1' }, field: 'fingerprint' },
  ])('$said', async ({ said, field }) => {
    const { post, produced } = consoleWith()
    const whole = { by: 'ada', reason: 'r', ...said }
    const { status, body } = await post(whole)
    expect(status).toBe(400)
    expect(body['detail']).toMatch(new RegExp(`^${field}`))
    expect(produced).toEqual([])
    const decoded = decodeControl(toBytes(JSON.stringify(whole)))
    if (decoded.ok) throw new Error('ingest took it')
    expect(decoded.detail).toContain(field)
  })
})
