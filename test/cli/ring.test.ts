// Goal: `foreshock ring` answers from a list, a file and the bus's topic, and names what is wrong.
// Method: the real process; the bus is the embedded one, written here before the process reads it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openEmbeddedBus } from '../../src/bus/embedded/embedded-bus.ts'
import { foreshock } from '../support/foreshock-process.ts'

const directory = mkdtempSync(join(tmpdir(), 'foreshock-ring-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const env = { FORESHOCK_BUS_KIND: 'embedded', FORESHOCK_BUS_DIRECTORY: join(directory, 'bus') }
const ring = (...argv: readonly string[]) => foreshock(['ring', ...argv], { cwd: directory, env })

const file = join(directory, 'nodes.json')
writeFileSync(
  file,
  JSON.stringify([
    { node: 'n1', weight: 1, zone: 'a' },
    { node: 'n2', weight: 2, zone: 'b' },
    { node: 'n3', weight: 1, zone: 'b' },
  ]),
)

test('the plan for a node that leaves moves its shards within the budget', async () => {
  const list = ['--nodes', file, '--shards', '500', '--json']
  const loads = await ring('load', ...list)
  const { nodes, ratioMax } = JSON.parse(loads.stdout) as {
    readonly nodes: readonly { readonly node: string; readonly load: number }[]
    readonly ratioMax: number
  }
  expect(ratioMax).toBeLessThanOrEqual(1.26)
  expect(nodes.reduce((sum, { load }) => sum + load, 0)).toBe(500)
  const { code, stdout } = await ring('plan', '--leave', 'n3', '--budget', '50', ...list)
  const plan = JSON.parse(stdout) as {
    readonly moves: readonly { readonly from: string }[]
    readonly deferredCount: number
  }
  expect(code).toBe(0)
  expect(plan.moves).toHaveLength(50)
  expect(plan.moves.every(({ from }) => from === 'n3')).toBe(true)
  expect(plan.deferredCount).toBe(nodes.find(({ node }) => node === 'n3')!.load - 50)
})

test('nodes of the bus: who left is gone, and a pool may be asked for', async () => {
  const made = await foreshock(['topics', 'create'], { cwd: directory, env })
  expect(made.code, made.stderr).toBe(0)
  const bus = await openEmbeddedBus({ directory: env.FORESHOCK_BUS_DIRECTORY })
  const record = (node: string, value: object | null) => ({
    topic: 'foreshock.nodes',
    partition: 0,
    key: node,
    value: value === null ? null : JSON.stringify({ node, ...value }),
  })
  await bus.produce([
    record('n1', { pool: 'web', zone: 'a' }),
    record('n2', { pool: 'web', zone: 'b' }),
    record('n3', { pool: 'db', zone: 'b' }),
    record('n2', null),
  ])
  await bus.close()
  const all = await ring('load', '--json')
  expect(JSON.parse(all.stdout)).toMatchObject({ nodes: [{ node: 'n1' }, { node: 'n3' }] })
  const pool = await ring('owner', 'some-key', '--pool', 'web', '--json')
  expect(JSON.parse(pool.stdout)).toEqual([{ key: 'some-key', owners: ['n1'] }])
})

test.each([
  { argv: ['owner'], code: 2, message: 'ring: say owner KEY..., plan or load' },
  { argv: ['plan', '--node', 'n1'], code: 2, message: 'ring plan: give --join, --leave or' },
  { argv: ['load', '--leave', 'n1'], code: 2, message: '--weight belong to plan' },
  { argv: ['load', '--node', 'n1:much'], code: 2, message: '"n1:much" is no NODE[:WEIGHT' },
  { argv: ['load', '--node', 'n1:99'], code: 1, message: 'node n1: weight 99 is no number from' },
  { argv: ['load', '--nodes', 'none.json'], code: 1, message: 'none.json: cannot be read' },
  {
    argv: ['plan', '--node', 'n1', '--leave', 'n2'],
    code: 1,
    message: 'node n2 is not on the ring',
  },
])('$argv ends with $code and one line: $message', async ({ argv, code, message }) => {
  const ended = await ring(...argv)
  expect(ended.stderr).toContain(message)
  expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1)
  expect([ended.code, ended.stdout]).toEqual([code, ''])
})

test('replicas that no node has room for are said, and are a finding', async () => {
  const { code, stdout } = await ring('owner', 'k', '--node', 'n1', '--replicas', '2', '--json')
  expect([code, JSON.parse(stdout)]).toEqual([1, [{ key: 'k', owners: ['n1'] }]])
})
