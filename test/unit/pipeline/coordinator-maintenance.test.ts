// Goal: an announced window holds preemptive work back exactly while it runs, and says so.
// Method: the whole fold; the same world without the window sends what the window held.
import { expect, test } from 'vitest'
import type { NodeId, PoolId } from '../../../src/core/ids.ts'
import type { MaintenanceControl } from '../../../src/core/maintenance.ts'
import { WINDOW_MS_MAX } from '../../../src/core/maintenance.ts'
import { WINDOWS_MAX } from '../../../src/decide/maintenance.ts'
import { asText, CoordinatorWorld, POOL, START_MS } from '../../support/coordinator-world.ts'

const MINUTE_MS = 60_000

function announce(world: CoordinatorWorld, more: Partial<MaintenanceControl> = {}): void {
  const control: MaintenanceControl = {
    kind: 'maintenance',
    pool: null,
    window: 'w1',
    withdrawn: false,
    node: 'n0' as NodeId,
    zone: null,
    startMs: START_MS + MINUTE_MS,
    endMs: START_MS + 3 * MINUTE_MS,
    holds: 'preemptive',
    by: 'ada',
    reason: 'new disks',
    ...more,
  }
  world.feed('control', control)
}

function worldOf(): CoordinatorWorld {
  const world = new CoordinatorWorld({ policy: { budgetRatio: 1, sharedCauseRatio: 1 } })
  world.joinMany(4)
  world.after(1_000)
  return world
}

const cordoned = (world: CoordinatorWorld) => world.commands('cordon').map(({ node }) => node)
const told = (world: CoordinatorWorld) =>
  world.journal('control').map(({ window, reasons }) => window?.state ?? reasons[0])

test('before its start and after its end a window holds nothing, within it names itself', () => {
  const world = worldOf()
  announce(world)
  announce(world, { window: 'w2', node: 'n1' as NodeId })
  world.risky('n1')
  expect(cordoned(world)).toEqual(['n1'])
  world.after(MINUTE_MS)
  world.risky('n0')
  expect(cordoned(world)).toEqual(['n1'])
  const refusal = world.journal('refusal').find(({ node }) => node === 'n0')
  expect(refusal?.rail).toBe('maintenance')
  expect(refusal?.reasons[0]).toContain('in maintenance window w1')
  expect(refusal?.reasons[0]).toContain('new disks (by ada)')
  world.after(MINUTE_MS - 1_000)
  expect(cordoned(world)).toEqual(['n1'])
  world.after(MINUTE_MS)
  expect(cordoned(world)).toEqual(['n1', 'n0'])
  const ofW1 = world.journal('control').filter(({ window }) => window?.window === 'w1')
  expect(ofW1.map(({ window }) => window?.state)).toEqual(['planned', 'running', 'ended'])
  expect(world.stats().maintenanceWindowCount).toBe(0)
  expect(asText(world.refold())).toEqual(asText(world.outputs))
})

test('an end that no other record comes with wakes what was refused', () => {
  const [world, without] = [worldOf(), worldOf()]
  announce(world, { startMs: null, endMs: START_MS + MINUTE_MS })
  for (const each of [world, without]) each.risky('n0')
  expect(cordoned(world)).toEqual([])
  expect(cordoned(without)).toEqual(['n0'])
  world.after(MINUTE_MS)
  expect(cordoned(world)).toEqual(['n0'])
})

test.each([
  { of: 'zone', more: { node: null, zone: 'z' }, held: ['z0'], free: 'n1' },
  { of: 'pool', more: { node: null, pool: POOL }, held: ['z0', 'n1'], free: null },
])('a window of a $of is one of each of its nodes', ({ more, held, free }) => {
  const world = worldOf()
  world.joinMany(2, 'z')
  announce(world, { startMs: null, ...more })
  for (const node of held) world.risky(node)
  if (free !== null) world.risky(free)
  expect(cordoned(world)).toEqual(free === null ? [] : [free])
})

test('a window of another pool holds nothing here', () => {
  const world = worldOf()
  announce(world, { startMs: null, pool: 'other' as PoolId })
  world.risky('n0')
  expect(cordoned(world)).toEqual(['n0'])
})

test('recovery goes on within a window, unless it holds everything', () => {
  const fenced = (more: Partial<MaintenanceControl>) => {
    const world = worldOf()
    announce(world, { startMs: null, ...more })
    world.silent('n0')
    return world.commands('fence').map(({ node }) => node)
  }
  expect(fenced({})).toEqual(['n0'])
  expect(fenced({ holds: 'everything' })).toEqual([])
})

test('work does not move to a node that is worked on, and its record says so', () => {
  const world = worldOf()
  world.place('shop', 'n0')
  for (const node of ['n1', 'n2']) {
    announce(world, { window: node, node: node as NodeId, startMs: null })
  }
  world.after(1_000)
  expect(world.node('n1')?.maintenance).toBe(true)
  world.risky('n0')
  expect(world.commands('migrate').map(({ target }) => target)).toEqual(['n3'])
  world.after(3 * MINUTE_MS)
  expect(world.node('n1')?.maintenance).toBe(false)
})

test('a withdrawal ends it at once, a change takes its place, and one that is unknown is told', () => {
  const world = worldOf()
  announce(world, { startMs: null })
  world.risky('n0')
  announce(world, { startMs: null, endMs: START_MS + 10 * MINUTE_MS })
  world.after(5 * MINUTE_MS)
  expect(cordoned(world)).toEqual([])
  announce(world, { withdrawn: true, node: null, startMs: null, endMs: null })
  expect(cordoned(world)).toEqual(['n0'])
  announce(world, { withdrawn: true })
  expect(told(world)).toEqual([
    'planned',
    'running',
    'planned',
    'running',
    'withdrawn',
    'Maintenance window w1 is not known, so nothing is withdrawn.',
  ])
})

test.each([
  { why: 'its end has passed', more: { endMs: START_MS - 1 } },
  { why: 'at most', more: { startMs: null, endMs: START_MS + WINDOW_MS_MAX + MINUTE_MS } },
])('what cannot be a window now is told: $why', ({ why, more }) => {
  const world = worldOf()
  announce(world, more)
  expect(told(world)).toHaveLength(1)
  expect(told(world)[0]).toContain(why)
  expect(world.stats().maintenanceWindowCount).toBe(0)
})

test('one more than the limit is refused, and known ones still change', () => {
  const world = worldOf()
  for (let i = 0; i < WINDOWS_MAX; i++) announce(world, { window: `w${i}` })
  announce(world, { window: 'one more' })
  expect(told(world).at(-1)).toContain(`there are ${WINDOWS_MAX} of them: withdraw some first`)
  announce(world, { window: 'w7', reason: 'more disks' })
  expect(told(world).at(-1)).toBe('planned')
  expect(world.stats().maintenanceWindowCount).toBe(WINDOWS_MAX)
})
