import { expect, test } from 'vitest'
import { ServiceError } from '../../../src/core/errors.ts'
import type { IncidentId, NodeId, PoolId, WorkloadId } from '../../../src/core/ids.ts'
import { command, createConsole, outputRecord, result } from '../../support/console.ts'

interface Listed {
  readonly items: readonly Record<string, unknown>[]
  readonly nextCursor: string | null
}

async function listed(answer: Response | Promise<Response>): Promise<Listed> {
  return (await (await answer).json()) as Listed
}

test('the process is healthy also while it is not ready', async () => {
  const problems = ['broker 127.0.0.1:19092 does not answer']
  const readiness = () => ({ ready: false, problems, degraded: [] })
  const { app } = createConsole({ readiness })
  expect((await app.request('/healthz')).status).toBe(200)
  const answer = await app.request('/readyz')
  expect(answer.status).toBe(503)
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(await answer.json()).toMatchObject({
    title: 'Not ready',
    detail: 'broker 127.0.0.1:19092 does not answer',
    code: 'NOT_READY',
    instance: '/readyz',
    problems,
    degraded: [],
  })
})

test('a ready service says so, and names what it lacks, since when and what is lost', async () => {
  const plain = await createConsole().app.request('/readyz')
  expect(await plain.json()).toEqual({ status: 'ready', degraded: [] })
  const lacking = { mode: 'history-off', lost: 'records', detail: 'ENOSPC' } as const
  const readiness = () => ({
    ready: true,
    problems: [],
    degraded: [{ ...lacking, sinceMs: Date.UTC(2026, 0, 2) }],
  })
  const answer = await createConsole({ readiness }).app.request('/readyz')
  expect(answer.status).toBe(200)
  expect(await answer.json()).toEqual({
    status: 'ready',
    degraded: [{ ...lacking, since: '2026-01-02T00:00:00.000Z' }],
  })
})

test.each([
  {
    path: '/v1/nodes?limit=0',
    status: 400,
    detail: 'limit: "0" is no whole number from 1 to 1000',
  },
  { path: '/v1/nodes?limit=1e3', status: 400, detail: 'limit: "1e3" is no whole number' },
  {
    path: '/v1/nodes?liveness=dead',
    status: 400,
    detail: '"dead" is none of live, silent, unknown',
  },
  { path: '/v1/nodes?cursor=!!', status: 400, detail: 'cursor: give back a nextCursor' },
  { path: '/v1/predictions?cursor=bjE', status: 400, detail: 'cursor: it belongs to another list' },
  { path: '/v1/predictions?min_probability=2', status: 400, detail: 'no number from 0 to 1' },
  { path: '/v1/nodes/n404', status: 404, detail: 'no node "n404" is known' },
  { path: '/v1/commands/c404', status: 404, detail: 'no command "c404"' },
  { path: '/v1/unheard-of', status: 404, detail: 'there is no GET /v1/unheard-of' },
])('$path is answered with problem $status', async ({ path, status, detail }) => {
  const answer = await createConsole().app.request(path)
  expect(answer.status).toBe(status)
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  const problem = (await answer.json()) as { detail: string; status: number }
  expect(problem.status).toBe(status)
  expect(problem.detail).toContain(detail)
})

test('pages of nodes cover every node once, also when one leaves between them', async () => {
  const { app, views } = createConsole()
  for (const node of ['n1', 'n2', 'n3', 'n4', 'n5']) {
    views.fold(outputRecord('nodes', { node, pool: node === 'n4' ? 'b' : 'a', liveness: 'live' }))
  }
  const first = await listed(app.request('/v1/nodes?limit=2&pool=a'))
  expect(first.items.map(({ node }) => node)).toEqual(['n1', 'n2'])
  views.fold(outputRecord('nodes', null, { key: Buffer.from('n2') }))
  const second = await listed(app.request(`/v1/nodes?limit=2&pool=a&cursor=${first.nextCursor}`))
  expect(second.items.map(({ node }) => node)).toEqual(['n3', 'n5'])
  expect(second.nextCursor).toBeNull()
})

test('a node comes with its prediction, its commands and its decisions', async () => {
  const { app, views } = createConsole()
  views.fold(outputRecord('nodes', { node: 'n1', liveness: 'live' }))
  views.fold(outputRecord('predictions', { node: 'n1', probability: 0.9 }))
  views.fold(outputRecord('commands.migration', command('c1')))
  views.fold(outputRecord('commands.migration', command('c2', { node: 'n9' })))
  views.fold(outputRecord('journal', { kind: 'decision', node: 'n1', commandId: 'c1' }))
  const body: unknown = await (await app.request('/v1/nodes/n1')).json()
  expect(body).toMatchObject({
    node: 'n1',
    prediction: { probability: 0.9 },
    commands: [{ commandId: 'c1', state: 'sent' }],
    decisions: [{ commandId: 'c1' }],
  })
})

test('predictions are newest first, filtered, and paged without gaps', async () => {
  const { app, views } = createConsole()
  for (const [atMs, probability] of [0.1, 0.9, 0.7, 0.8].entries()) {
    views.fold(outputRecord('predictions', { node: 'n1', atMs, probability }))
  }
  const path = '/v1/predictions?min_probability=0.5&limit=2'
  const first = await listed(app.request(path))
  expect(first.items.map(({ probability }) => probability)).toEqual([0.8, 0.7])
  const second = await listed(app.request(`${path}&cursor=${first.nextCursor}`))
  expect(second.items.map(({ probability }) => probability)).toEqual([0.9])
})

test('commands show their state, filtered and paged', async () => {
  const { app, views } = createConsole()
  for (const id of ['c1', 'c2', 'c3']) views.fold(outputRecord('commands.migration', command(id)))
  views.fold(outputRecord('results', result('c2', 'failed', 5)))
  const failed = await listed(app.request('/v1/commands?state=failed'))
  expect(failed.items.map(({ commandId }) => commandId)).toEqual(['c2'])
  const first = await listed(app.request('/v1/commands?limit=2'))
  const rest = await listed(app.request(`/v1/commands?limit=2&cursor=${first.nextCursor}`))
  expect([...first.items, ...rest.items].map(({ commandId }) => commandId)).toEqual([
    'c3',
    'c2',
    'c1',
  ])
})

test('the journal is filtered by the rail that refused', async () => {
  const { app, views } = createConsole()
  views.fold(outputRecord('journal', { kind: 'refusal', rail: 'mode', node: 'n1' }))
  views.fold(outputRecord('journal', { kind: 'refusal', rail: 'veto', node: 'n1' }))
  const { items } = await listed(app.request('/v1/decisions?rail=veto'))
  expect(items).toEqual([{ kind: 'refusal', rail: 'veto', node: 'n1' }])
})

test('a bus that cannot be reached is 503 and says so', async () => {
  const produce = async () => {
    throw new ServiceError('BUS_UNREACHABLE', '127.0.0.1:19092 does not answer')
  }
  const { app, reported } = createConsole({ produce })
  const answer = await app.request('/v1/telemetry', { method: 'POST', body: '{"node":"n1"}' })
  expect(answer.status).toBe(503)
  expect(answer.headers.get('retry-after')).toBe('1')
  expect(await answer.json()).toMatchObject({ code: 'BUS_UNREACHABLE' })
  expect(reported).toEqual([])
})

test('a bug is reported inside and tells the caller nothing of it', async () => {
  const metrics = async (): Promise<string> => {
    throw new Error('secret detail')
  }
  const { app, reported } = createConsole({ metrics })
  const answer = await app.request('/metrics')
  expect(answer.status).toBe(500)
  expect(await answer.text()).not.toContain('secret')
  expect(reported).toHaveLength(1)
})

const INTRUDERS: readonly { headers: Record<string, string>; because: string }[] = [
  { headers: { host: 'evil.example' }, because: 'a foreign name points here (DNS rebinding)' },
  { headers: { host: 'localhost.evil.example:8080' }, because: 'it only begins like loopback' },
  { headers: { origin: 'http://evil.example' }, because: 'a page of another site posts' },
  { headers: { origin: 'null' }, because: 'a sandboxed page posts' },
  { headers: { 'sec-fetch-site': 'cross-site' }, because: 'the browser says it is cross-site' },
]

test.each(INTRUDERS)('a request is refused when $because', async ({ headers }) => {
  const { app, produced } = createConsole()
  const answer = await app.request('http://127.0.0.1:8080/v1/telemetry', {
    method: 'POST',
    body: '{"node":"n1"}',
    headers,
  })
  expect(answer.status).toBe(403)
  expect(produced).toEqual([])
})

test.each(['localhost:8080', '127.0.0.1:8080', '[::1]:8080', 'LOCALHOST'])(
  'a request to %s is taken',
  async (host) => {
    const answer = await createConsole().app.request('/healthz', { headers: { host } })
    expect(answer.status).toBe(200)
  },
)

test('every answer forbids sniffing and caching', async () => {
  const answer = await createConsole().app.request('/v1/about')
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
  expect(answer.headers.get('cache-control')).toBe('no-store')
})

test('the network of a pool is shown by the process that decides for it', async () => {
  const web = {
    pool: 'web' as PoolId,
    state: 'PARTITIONED',
    hasMajority: true,
    partitions: [],
    partitionCount: 1,
    partitionedMs: 0,
    longestPartitionMs: 0,
    attacks: [],
    attackCounts: {},
  } as const
  const { app } = createConsole({ networks: () => [web] })
  expect(await (await app.request('/v1/networks')).json()).toEqual({ items: [web] })
  expect(await (await app.request('/v1/networks/web')).json()).toEqual(web)
  const answer = await app.request('/v1/networks/db')
  expect(answer.status).toBe(404)
  expect(((await answer.json()) as { detail: string }).detail).toContain('pool "db"')
})

test('what waits for room is shown with its place, as many as are asked for', async () => {
  const waiting = ['w1', 'w2'].map((workload) => ({
    workload: workload as WorkloadId,
    node: 'n1' as NodeId,
    incidentId: 'i1' as IncidentId,
    priority: 'CRITICAL' as const,
    needs: { cpu: 1, memoryBytes: 1, gpu: null },
    sinceMs: 1_000,
    why: 'full',
  }))
  const queue = {
    pool: 'web' as PoolId,
    counts: { CRITICAL: 2, HIGH: 0, NORMAL: 0, LOW: 0 },
    countMax: 10_000,
    oldestMs: 9_000,
    enteredCount: 5,
    placedCount: 3,
    putOffCount: 0,
    waitedMs: 9_000,
    waitedMsMax: 4_000,
    waiting,
  }
  const { app } = createConsole({ waiting: () => [queue, { ...queue, pool: 'db' as PoolId }] })
  expect(await (await app.request('/v1/waiting?pool=web&limit=1')).json()).toEqual({
    items: [{ ...queue, waiting: [waiting[0]] }],
  })
  expect(((await (await app.request('/v1/waiting')).json()) as { items: [] }).items).toHaveLength(2)
  expect((await app.request('/v1/waiting?limit=none')).status).toBe(400)
})

test('ways between two nodes are asked for by name, of the process that decides for their pool', async () => {
  const [from, to, pool] = ['a' as NodeId, 'b' as NodeId, 'web' as PoolId]
  const shortest = { nodes: [from, to], latencyMs: 2 }
  const found = { pool, from, to, atMs: 5, shortest, pair: null }
  const { app } = createConsole({ paths: (...asked) => (asked[0] === pool ? found : null) })
  expect(await (await app.request('/v1/paths?pool=web&from=a&to=b')).json()).toEqual(found)
  for (const [query, status, named] of [
    ['from=a&to=b', 404, 'pool "default"'],
    ['pool=web&to=b', 400, 'from:'],
    ['pool=web&from=a', 400, 'to:'],
    ['pool=web&from=a&to=a', 400, 'to:'],
  ] as const) {
    const answer = await app.request(`/v1/paths?${query}`)
    expect([answer.status, ((await answer.json()) as { detail: string }).detail]).toEqual([
      status,
      expect.stringContaining(named),
    ])
  }
})
