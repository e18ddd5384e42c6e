import { expect, test } from 'vitest'
import type { Assignment } from '../../../src/core/shard.ts'
import { createConsole, outputRecord } from '../../support/console.ts'

interface Listed {
  readonly items: readonly Assignment[]
  readonly nextCursor: string | null
}

function consoleOf(limits: Parameters<typeof createConsole>[1] = {}) {
  const { app, views } = createConsole({}, limits)
  const assign = (pool: string, shard: number, owner: string | null, ...replicas: string[]): void =>
    views.fold(outputRecord('assignments', { pool, shard, shardCount: 12, owner, replicas }))
  const list = async (query = ''): Promise<Listed> =>
    (await (await app.request(`/v1/assignments${query}`)).json()) as Listed
  return { app, views, assign, list }
}

const keys = ({ items }: Listed): readonly string[] =>
  items.map(({ pool, shard }) => `${pool}/${shard}`)

test('shards are listed by pool and number, page by page, each once', async () => {
  const { assign, list } = consoleOf()
  for (const shard of [11, 2, 0]) assign('web', shard, 'n1')
  for (const shard of [1, 10]) assign('a/b', shard, 'n2')
  const seen: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const page: Listed = await list(`?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`)
    expect(page.items.length).toBeLessThanOrEqual(2)
    seen.push(...keys(page))
    cursor = page.nextCursor
  }
  expect(seen).toEqual(['a/b/1', 'a/b/10', 'web/0', 'web/2', 'web/11'])
  expect(keys(await list('?pool=web'))).toEqual(['web/0', 'web/2', 'web/11'])
  expect(keys(await list('?pool=none'))).toEqual([])
})

test('the shards of a node are those that it owns and those that it holds besides', async () => {
  const { assign, list } = consoleOf()
  assign('web', 0, 'n1', 'n2')
  assign('web', 1, 'n2', 'n3')
  assign('web', 2, 'n3', 'n1')
  assign('web', 3, null)
  expect(keys(await list('?node=n1'))).toEqual(['web/0', 'web/2'])
  assign('web', 0, 'n2', 'n3')
  expect(keys(await list('?node=n1'))).toEqual(['web/2'])
})

test('a tombstone forgets a shard, and the last one its pool', async () => {
  const { assign, list, views } = consoleOf()
  assign('web', 0, 'n1')
  assign('web', 1, 'n1')
  const forget = (key: string): void =>
    views.fold(outputRecord('assignments', null, { key: Buffer.from(key) }))
  for (const key of ['web/0', 'web/7', 'db/0', 'web', 'web/x']) forget(key)
  expect(keys(await list())).toEqual(['web/1'])
  expect(views.counts().assignments).toBe(1)
  forget('web/1')
  expect(views.assignments.ofKey('web', 'a')).toBeUndefined()
  expect(views.counts()).toMatchObject({ assignments: 0, unreadable: 0 })
})

test('shards over the limit are counted, and known ones still change', async () => {
  const { assign, list, views } = consoleOf({ assignmentsMax: 1 })
  assign('web', 0, 'n1')
  assign('web', 1, 'n1')
  assign('web', 0, 'n2')
  expect((await list()).items).toMatchObject([{ shard: 0, owner: 'n2' }])
  expect(views.counts()).toMatchObject({ assignments: 1, assignmentsLeftOut: 1 })
})

test.each([
  { body: { pool: 'web', shard: 12, shardCount: 12 }, because: 'there is no such shard' },
  { body: { pool: 'web', shard: 1.5, shardCount: 12 }, because: 'a shard has a whole number' },
  { body: { pool: 7, shard: 1, shardCount: 12 }, because: 'a pool has a name' },
  { body: { pool: 'web', shard: 1, shardCount: 12, owner: 3 }, because: 'an owner has a name' },
  { body: { pool: 'web', shard: 1, shardCount: 2 ** 40 }, because: 'no pool has so many' },
  { body: { pool: 'web', shard: 1, shardCount: 12, replicas: [1] }, because: 'so has a replica' },
])('a record is unreadable when $because', ({ body }) => {
  const { views } = consoleOf()
  views.fold(outputRecord('assignments', { owner: null, replicas: [], ...body }))
  expect(views.counts()).toMatchObject({ assignments: 0, unreadable: 1 })
})

test('a wrong cursor is refused', async () => {
  const { app } = consoleOf()
  expect((await app.request('/v1/assignments?cursor=!')).status).toBe(400)
})
