import { expect, test } from 'vitest'
import { ServiceError } from '../../../src/core/errors.ts'
import type { ConfigPort } from '../../../src/http/config.ts'
import { createConsole } from '../../support/console.ts'

const FIGURES = {
  said: { version: 'sha256:1', keys: {}, by: 'ada', reason: 'r' },
  pools: [{ pool: 'web', state: 'watched' as const, sinceMs: 5 }],
  takenBackCount: 0,
}

async function post(body: string, reload: ConfigPort['reload']) {
  const config = { keys: () => ({}), figures: () => FIGURES, reload }
  const { app } = createConsole({ config })
  const answer = await app.request('/v1/config/reload', { method: 'POST', body })
  return { status: answer.status, body: (await answer.json()) as object }
}

test('what is in force is shown with who said it and which pools are watched', async () => {
  const keys = () => ({ 'policy.budget': '0.2' })
  const { app } = createConsole({ config: { keys, figures: () => FIGURES, reload: null } })
  expect(await (await app.request('/v1/config')).json()).toEqual({
    version: 'sha256:1',
    by: 'ada',
    pools: FIGURES.pools,
    takenBackCount: 0,
    keys: keys(),
  })
})

test.each([
  { body: 'no', detail: 'the body is not JSON' },
  { body: '{}', detail: 'reason: ' },
  { body: '{"reason":" "}', detail: 'reason: ' },
  { body: '{"reason":"r","file":"/etc/passwd"}', detail: 'file' },
])('$body is a bad request: $detail', async ({ body, detail }) => {
  const answer = await post(body, async () => ({ version: 'v', changes: [], unwatched: [] }))
  expect(answer).toMatchObject({ status: 400, body: { detail: expect.stringContaining(detail) } })
})

test.each([
  { code: 'CONFIG_INVALID', status: 400 },
  { code: 'CONFIG_FIXED', status: 409 },
  { code: 'BUS_UNREACHABLE', status: 503 },
] as const)('$code is answered with $status and its words', async ({ code, status }) => {
  const answer = await post('{"reason":"r"}', () => Promise.reject(new ServiceError(code, 'why')))
  expect(answer).toMatchObject({ status, body: { code, detail: 'why' } })
})

test('a reload that says something is accepted, one that has nothing to say is done', async () => {
  const change = { key: 'policy.budget', from: null, to: '0.2' }
  const said: string[] = []
  const taken = await post('{"by":"ada","reason":"r"}', async (by, reason) => {
    said.push(by, reason)
    return { version: 'v', changes: [change], unwatched: [] }
  })
  expect(taken).toEqual({ status: 202, body: { version: 'v', changes: [change], unwatched: [] } })
  expect(said).toEqual(['ada', 'r'])
  const same = await post('{"reason":"r"}', async () => ({
    version: 'v',
    changes: [],
    unwatched: [],
  }))
  expect(same.status).toBe(200)
})
