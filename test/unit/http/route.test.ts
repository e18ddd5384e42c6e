import { expect, test } from 'vitest'
import { shardOf } from '../../../src/core/shard.ts'
import { createConsole, outputRecord } from '../../support/console.ts'

interface Route {
  readonly owner: string
  readonly fallbacks: readonly string[]
  readonly home: string
}

const KEYS = Array.from({ length: 40 }, (_, i) => `key-${i}`)

function consoleOf(nodes: readonly string[]) {
  const { app, views } = createConsole()
  const report = (node: string, more: object = {}): void => {
    views.fold(outputRecord('nodes', { node, pool: 'web', liveness: 'live', ...more }))
  }
  const leave = (node: string): void => {
    views.fold(outputRecord('nodes', null, { key: Buffer.from(node) }))
  }
  for (const node of nodes) report(node)
  const ask = (key: string, more = '') => app.request(`/v1/route?key=${key}${more}`)
  const routes = async (): Promise<readonly Route[]> =>
    Promise.all(KEYS.map(async (key) => (await (await ask(key)).json()) as Route))
  return { report, leave, ask, routes }
}

test('a key has its owner and two other nodes to fall back on', async () => {
  const { ask } = consoleOf(['n1', 'n2', 'n3', 'n4'])
  const route = (await (await ask('shop')).json()) as Route
  expect(route).toMatchObject({ key: 'shop', pool: null, owner: route.home })
  expect(new Set([route.owner, ...route.fallbacks]).size).toBe(3)
})

test.each([
  { change: { liveness: 'silent' }, because: 'it is silent' },
  { change: { liveness: 'unknown' }, because: 'nothing is known of it' },
  { change: { alarming: true }, because: 'it is about to fail' },
  { change: { cordoned: true }, because: 'it is cordoned' },
  { change: { failed: true }, because: 'it has failed' },
  { change: { maintenance: true }, because: 'it is being worked on' },
])('keys go around a node when $because, and only its keys do', async ({ change }) => {
  const { report, routes } = consoleOf(['n1', 'n2', 'n3', 'n4'])
  const before = await routes()
  report('n2', change)
  const during = await routes()
  for (const [i, { owner, fallbacks, home }] of during.entries()) {
    expect([owner, ...fallbacks]).not.toContain('n2')
    expect(home).toBe(before[i].home)
    expect(owner).toBe(before[i].owner === 'n2' ? before[i].fallbacks[0] : before[i].owner)
  }
  expect(before.some(({ owner }) => owner === 'n2')).toBe(true)
  report('n2')
  expect(await routes()).toEqual(before)
})

test('nodes that come and go change the ring; a pool has a ring of its own', async () => {
  const { report, leave, ask, routes } = consoleOf(['n1', 'n2'])
  const before = await routes()
  report('n3')
  const joined = await routes()
  expect(joined.some(({ owner }) => owner === 'n3')).toBe(true)
  leave('n3')
  expect(await routes()).toEqual(before)
  report('n2', { pool: 'db' })
  for (const key of KEYS.slice(0, 8)) {
    expect(await (await ask(key, '&pool=db')).json()).toMatchObject({ owner: 'n2', fallbacks: [] })
    expect(await (await ask(key, '&pool=web')).json()).toMatchObject({ owner: 'n1' })
  }
})

test('no node, no healthy node and wrong questions are problems that say so', async () => {
  const { ask, report } = consoleOf([])
  const problem = async (key: string, more = '') => {
    const answer = await ask(key, more)
    const { detail } = (await answer.json()) as { readonly detail: string }
    return [answer.status, detail]
  }
  expect(await problem('a')).toEqual([404, 'no node is known'])
  report('n1', { liveness: 'silent' })
  expect(await problem('a')).toEqual([
    503,
    'none of 1 nodes is live, free of alarms and not cordoned',
  ])
  expect(await problem('a', '&pool=x')).toEqual([404, 'no node of pool "x" is known'])
  expect(await problem('')).toEqual([400, 'key: give one of 1 to 1024 characters'])
  expect(await problem('a', '&fallbacks=16')).toEqual([
    400,
    'fallbacks: "16" is no whole number from 0 to 15',
  ])
})

test('where the pool has shards, the published map says who owns a key', async () => {
  const { app, views } = createConsole()
  for (const node of ['n1', 'n2', 'n3', 'n4']) {
    views.fold(outputRecord('nodes', { node, pool: 'web', liveness: 'live' }))
  }
  for (const shard of [0, 1, 2, 3]) {
    const owner = `n${shard + 1}`
    const replicas = [`n${((shard + 1) % 4) + 1}`]
    views.fold(outputRecord('assignments', { pool: 'web', shard, shardCount: 4, owner, replicas }))
  }
  const ask = async (key: string, more = ''): Promise<object> =>
    (await (await app.request(`/v1/route?pool=web&key=${key}${more}`)).json()) as object
  for (const key of KEYS) {
    const shard = shardOf(Buffer.from(key), 4)
    const [home, heir] = [`n${shard + 1}`, `n${((shard + 1) % 4) + 1}`]
    expect(await ask(key, '&fallbacks=1')).toEqual({
      key,
      pool: 'web',
      shard,
      owner: home,
      fallbacks: [heir],
      home,
    })
    expect(await ask(key, '&fallbacks=9')).toMatchObject({ owner: home })
    const { fallbacks } = (await ask(key, '&fallbacks=9')) as Route
    expect(new Set(fallbacks)).toEqual(new Set(['n1', 'n2', 'n3', 'n4'].filter((n) => n !== home)))
    expect(fallbacks[0]).toBe(heir)
  }
  const key = KEYS.find((each) => shardOf(Buffer.from(each), 4) === 1)!
  views.fold(outputRecord('nodes', { node: 'n2', pool: 'web', liveness: 'silent' }))
  expect(await ask(key)).toMatchObject({ shard: 1, owner: 'n3', home: 'n2' })
  views.fold(outputRecord('nodes', { node: 'n3', pool: 'web', liveness: 'live', failed: true }))
  const { owner } = (await ask(key)) as Route
  expect(['n1', 'n4']).toContain(owner)
  for (const node of ['n1', 'n4']) {
    views.fold(outputRecord('nodes', { node, pool: 'web', liveness: 'silent' }))
  }
  expect(await ask(key)).toMatchObject({
    status: 503,
    detail: 'none of the nodes of pool "web" is live, free of alarms and not cordoned',
  })
})

test('a shard without an owner is served by whoever is healthy', async () => {
  const { app, views } = createConsole()
  views.fold(outputRecord('nodes', { node: 'n1', pool: 'web', liveness: 'live' }))
  const body = { pool: 'web', shard: 0, shardCount: 1, owner: null, replicas: [] }
  views.fold(outputRecord('assignments', body))
  const answer = await app.request('/v1/route?pool=web&key=a')
  expect(await answer.json()).toMatchObject({ owner: 'n1', home: null, shard: 0 })
})
