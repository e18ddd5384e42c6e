// Goal: work without room waits, and room goes to the most urgent of it, first come, first served.
import { expect, test } from 'vitest'
import type { IncidentId, NodeId, WorkloadId } from '../../../src/core/ids.ts'
import type { Priority } from '../../../src/core/workload.ts'
import { CoordinatorState } from '../../../src/pipeline/coordinator-state.ts'
import { Outbox } from '../../../src/pipeline/coordinator-outbox.ts'
import { WaitingDesk } from '../../../src/pipeline/coordinator-waiting.ts'
import {
  asText,
  bodies,
  CAPACITY,
  CoordinatorWorld,
  POOL,
} from '../../support/coordinator-world.ts'
import type { JournalEntry } from '../../../src/core/command.ts'

/** A node has room for one of these, not for two. */
const BIG = { cpu: 10, memoryBytes: 1e9, gpu: null }

/** Nodes that fail one after another, each with one workload, and nowhere to go. */
function fullWorld(workloads: Readonly<Record<string, Priority>>): CoordinatorWorld {
  const world = new CoordinatorWorld({ policy: { budgetRatio: 1, sharedCauseNodesMin: 1_000 } })
  const names = Object.keys(workloads)
  for (const name of names) {
    world.join(`n-${name}`)
    world.place(name, `n-${name}`, { priority: workloads[name], needs: BIG })
  }
  for (const name of names) {
    world.fail(`n-${name}`)
    world.carryOut(world.commands('fence').at(-1)!)
    world.after(1_000)
  }
  return world
}

const sentTo = (world: CoordinatorWorld) =>
  world.commands('recover').map(({ workload, target }) => `${workload}>${target}`)
const waiting = (world: CoordinatorWorld) =>
  world.waiting()?.waiting.map(({ workload }) => workload) ?? []

test('room goes to the most urgent, and among equals to who has waited longest', () => {
  const world = fullWorld({ low: 'LOW', b: 'HIGH', a: 'HIGH', c: 'CRITICAL' })
  expect(waiting(world)).toEqual(['c', 'b', 'a', 'low'])
  for (const node of ['x', 'y', 'z', 'u']) world.join(node)
  expect(sentTo(world)).toEqual(['c>x', 'b>y', 'a>z', 'low>u'])
  expect(waiting(world)).toEqual([])
  expect(asText(world.refold())).toEqual(asText(world.outputs))
})

test('what waits is told with its place, its reason and how long it waited in the end', () => {
  const world = fullWorld({ a: 'HIGH', b: 'HIGH' })
  expect(world.waiting()).toMatchObject({
    pool: POOL,
    counts: { CRITICAL: 0, HIGH: 2, NORMAL: 0, LOW: 0 },
    countMax: 10_000,
    oldestMs: 2_000,
    enteredCount: 2,
    waiting: [{ workload: 'a', node: 'n-a', priority: 'HIGH' }, { workload: 'b' }],
  })
  const [first] = world.journal('waiting')
  expect(first.reasons[0]).toBe(
    'Workload a (HIGH) of node n-a waits for room, with 0 others: none of 1 other nodes can take it: 0 are unfit, 1 would pass 100 % load.',
  )
  world.after(60_000)
  world.join('x')
  expect(world.journal('waiting').at(-1)).toMatchObject({
    workload: 'a',
    reasons: ['Workload a has room after it waited 62s.'],
    evidence: [{ value: 'placed' }, { value: 'HIGH' }, { what: 'waitedMs', value: 62_000 }],
  })
  expect(world.waiting()).toMatchObject({ placedCount: 1, waitedMs: 62_000, waitedMsMax: 62_000 })
})

test('people are told once that CRITICAL work waits, and once that none does any more', () => {
  const world = fullWorld({ h: 'HIGH', c: 'CRITICAL', d: 'CRITICAL' })
  expect(world.alerts('waiting')).toMatchObject([
    { severity: 'critical', cause: 'room:CRITICAL', pool: POOL },
  ])
  world.join('x')
  expect(world.alerts('waiting')).toHaveLength(1)
  world.join('y')
  expect(world.alerts('waiting').at(-1)).toMatchObject({ severity: 'info', resolved: true })
  expect(waiting(world)).toEqual(['h'])
})

test.each([
  {
    because: 'a node is let back',
    make: (world: CoordinatorWorld) => {
      world.join('x')
      world.control({ kind: 'veto', node: 'x' as NodeId, veto: true })
    },
    free: (world: CoordinatorWorld) =>
      world.control({ kind: 'veto', node: 'x' as NodeId, veto: false }),
  },
  {
    because: 'load falls',
    make: (world: CoordinatorWorld) => {
      world.join('x')
      world.place('other', 'x', { needs: BIG })
    },
    free: (world: CoordinatorWorld) => world.place('other', null, { needs: BIG }),
  },
  {
    because: 'a node says that it is larger',
    make: (world: CoordinatorWorld) => world.join('x', { capacity: { ...CAPACITY, cpu: 8 } }),
    free: (world: CoordinatorWorld) => world.join('x'),
  },
])('it goes when $because', ({ make, free }) => {
  const world = new CoordinatorWorld({ policy: { budgetRatio: 1, sharedCauseNodesMin: 1_000 } })
  make(world)
  world.join('n')
  world.place('w', 'n', { needs: BIG })
  world.fail('n')
  world.carryOut(world.commands('fence').at(-1)!)
  expect(waiting(world)).toEqual(['w'])
  free(world)
  expect(sentTo(world)).toEqual(['w>x'])
})

test('room that another rail keeps the first from goes to the next, and the first keeps its place', () => {
  const world = fullWorld({ c: 'CRITICAL', h: 'HIGH', n: 'NORMAL' })
  world.control({ kind: 'veto', node: 'n-c' as NodeId, veto: true })
  world.join('x')
  expect(sentTo(world)).toEqual(['h>x'])
  world.control({ kind: 'veto', node: 'n-c' as NodeId, veto: false })
  expect(waiting(world)).toEqual(['c', 'n'])
  world.join('y')
  expect(sentTo(world).at(-1)).toBe('c>y')
})

test('an operator who lets a pool go on does not change whose turn it is', () => {
  const world = fullWorld({ a: 'NORMAL', b: 'CRITICAL' })
  world.control({ kind: 'stop', stopped: true })
  world.join('x')
  expect(sentTo(world)).toEqual([])
  world.control({ kind: 'stop', stopped: false })
  expect(sentTo(world)).toEqual(['b>x'])
})

test('what fits goes on while something larger waits', () => {
  const world = fullWorld({ c: 'CRITICAL' })
  world.join('x', { capacity: { ...CAPACITY, cpu: 4 } })
  world.join('n', { capacity: { ...CAPACITY, cpu: 9 } })
  world.place('small', 'n', { priority: 'LOW' })
  world.place('n-rest', 'n', { needs: { ...BIG, cpu: 9 } })
  world.fail('n')
  world.carryOut(world.commands('fence').at(-1)!)
  expect(sentTo(world)).toEqual(['small>x'])
  expect(waiting(world)).toEqual(['c', 'n-rest'])
})

test('work that is down may fill a node, and work that only moves may not', () => {
  const whole = { needs: { ...BIG, cpu: CAPACITY.cpu } }
  const moving = new CoordinatorWorld({ policy: { budgetRatio: 1 } })
  moving.joinMany(2)
  moving.place('w', 'n0', whole)
  moving.risky('n0')
  expect(moving.commands('migrate')).toEqual([])
  expect(moving.rails()).toEqual(['capacity'])
  moving.fail('n0')
  moving.carryOut(moving.commands('fence')[0])
  const [recover] = moving.commands('recover')
  expect(recover.target).toBe('n1')
  expect(recover.reasons.at(-1)).toContain('100 % load with it, of at most 100 %')
})

test('under its bound a node is chosen before one that work which is down would fill', () => {
  const world = new CoordinatorWorld({ policy: { budgetRatio: 1 } })
  world.join('n0')
  world.join('tight', { capacity: { ...CAPACITY, cpu: 10 } })
  world.join('wide')
  world.place('other', 'wide', { needs: { ...BIG, cpu: 4 } })
  world.place('w', 'n0', { needs: BIG })
  world.fail('n0')
  world.carryOut(world.commands('fence')[0])
  expect(sentTo(world)).toEqual(['w>wide'])
  const strict = fullWorld({ a: 'HIGH' })
  strict.join('x', { capacity: { ...CAPACITY, cpu: BIG.cpu } })
  expect(sentTo(strict)).toEqual(['a>x'])
})

test('what needs no other place any more waits no longer', () => {
  const world = fullWorld({ a: 'HIGH', b: 'LOW' })
  world.place('a', null, { needs: BIG })
  expect(waiting(world)).toEqual(['b'])
  expect(world.journal('waiting').at(-1)?.evidence[0]).toMatchObject({ value: 'left' })
})

test('a full queue puts off the least urgent that came last, and says so once', () => {
  const topology = {
    prefix: 't.',
    nodePartitions: 1,
    poolPartitions: 1,
    clock: 'arrival',
    retentionMs: 1,
  } as const
  const state = new CoordinatorState(topology, () => 0)
  const outbox = new Outbox({ partition: 0, topology, sign: () => '', source: 's' })
  const desk = new WaitingDesk(state, outbox, 2)
  const node = state.node('n' as NodeId, POOL)
  const pool = state.pool(POOL)
  node.incident = { id: 'i' as IncidentId } as NonNullable<typeof node.incident>
  const ask = (workload: string, priority: Priority) => {
    const id = workload as WorkloadId
    const own = { workload: id, node: node.id, pool: POOL, priority, needs: BIG }
    state.ledger.place({ ...own, stateBytes: 0, dependsOn: [] })
    desk.note(pool, node, id, { ok: false, why: 'full' })
    desk.end(pool)
  }
  for (const workload of ['a', 'b', 'b']) ask(workload, 'LOW')
  for (let i = 0; i < 2; i++) ask('c', 'NORMAL')
  for (let i = 0; i < 3; i++) ask('b', 'LOW')
  const [view] = desk.views()
  expect(view.waiting.map(({ workload }) => workload)).toEqual(['c', 'a'])
  expect(view).toMatchObject({ enteredCount: 3, putOffCount: 1, countMax: 2 })
  const lines = bodies<JournalEntry>(outbox.take(), 't.journal')
  expect(lines.map(({ workload, reasons }) => [workload, reasons[0].includes('put off')])).toEqual([
    ['a', false],
    ['b', false],
    ['c', false],
    ['b', true],
  ])
})
