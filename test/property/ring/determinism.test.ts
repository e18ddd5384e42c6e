// Goal: every process, today and after any restart, agrees on who owns a key.
// Method: a digest of owners and of a plan, fixed here, made here and in a process of its own.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { fleetOf, newRing, shardKeys } from '../../support/ring.ts'

const root = resolve(import.meta.dirname, '../../..')
const OWNERS = 'ead55429ac09b9fe'
const MOVES = 'a1919a2144d724f9'

const digest = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)

test('owners and plans are the same as on every other day', () => {
  const ring = newRing(fleetOf(100, 5))
  const keys = shardKeys(10_000)
  expect(digest([...ring.owners(keys)])).toBe(OWNERS)
  const { placement } = ring.place(keys, 3)
  expect(digest(ring.plan(placement, { leave: ['n7'] }).moves)).toBe(MOVES)
})

test('a process of its own agrees, whatever the order of its list', () => {
  const nodes = fleetOf(100, 5).map(({ node, zone }) => ['--node', `${node}:1:${zone}`])
  const run = (list: readonly string[][]): unknown => {
    return JSON.parse(execFileSync(process.execPath, [...argv, ...list.flat()], io))
  }
  const io = { cwd: root, encoding: 'utf8' } as const
  const tsx = resolve(root, 'node_modules/tsx/dist/esm/index.mjs')
  const keys = ['shard-0', 'shard-1', 'shard-2', 'shard-3']
  const argv = ['--import', tsx, 'src/main.ts', 'ring', 'owner', ...keys, '--json']
  const ring = newRing(fleetOf(100, 5))
  const expected = keys.map((key) => ({ key, owners: [ring.ownerOf(key)] }))
  expect(run(nodes)).toEqual(expected)
  expect(run(nodes.toReversed())).toEqual(expected)
})
