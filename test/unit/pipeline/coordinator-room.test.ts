// Goal: failed work without room gets some: a watch ends early, or other work moves, and never more than it must.
import { expect, test } from 'vitest'
import { DEFAULT_EMERGENCY } from '../../../src/core/emergency.ts'
import type { Policy } from '../../../src/core/policy.ts'
import type { Gpu } from '../../../src/core/node.ts'
import type { Placement, Priority } from '../../../src/core/workload.ts'
import { asText, CoordinatorWorld } from '../../support/coordinator-world.ts'

const POLICY = { makesRoom: true, budgetRatio: 0.5, sharedCauseNodesMin: 1_000 }
const needs = (cpu: number, gpu: Gpu | null = null) => ({
  needs: { cpu, memoryBytes: 1e9, gpu },
})

/** Nodes of 16 processors, loaded as given by name and size. */
function world(
  nodes: Readonly<Record<string, Readonly<Record<string, number>>>>,
  policy: Partial<Policy> = {},
  priorities: Readonly<Record<string, Priority>> = {},
): CoordinatorWorld {
  const made = new CoordinatorWorld({ policy: { ...POLICY, ...policy } })
  for (const [node, workloads] of Object.entries(nodes)) {
    made.join(node)
    for (const [workload, cpu] of Object.entries(workloads)) {
      made.place(workload, node, { ...needs(cpu), priority: priorities[workload] ?? 'NORMAL' })
    }
  }
  return made
}

/** It has failed and is fenced, so its work is to start elsewhere. */
function lose(of: CoordinatorWorld, node: string): void {
  of.fail(node)
  of.carryOut(of.commands('fence').at(-1)!)
  of.after(1)
}

const moved = (of: CoordinatorWorld) =>
  of.commands('migrate').map(({ workload, node, target }) => `${workload}: ${node} > ${target}`)
const recovered = (of: CoordinatorWorld) =>
  of.commands('recover').map(({ workload, target }) => `${workload} > ${target}`)

/** As an executor that says where the workload is now. */
function land(of: CoordinatorWorld, cpu: number, more: Partial<Placement> = {}): void {
  const command = of.commands('migrate').at(-1)!
  of.result(command, 'started')
  of.place(command.workload!, command.target, { ...needs(cpu), ...more })
  of.result(command, 'verified')
}

/** `down` needs 8; both others have 4 free, and `a` can spare its 4 to `b`. */
const SPLIT = { n0: { down: 8 }, a: { a4: 4, a8: 8 }, b: { b12: 12 } }

test('one workload moves so that failed work fits, and nothing else', () => {
  const tight = world(SPLIT)
  lose(tight, 'n0')
  expect(moved(tight)).toEqual(['a4: a > b'])
  expect(tight.commands('cordon')).toEqual([])
  expect(recovered(tight)).toEqual([])
  expect(tight.journal('incident-opened').at(-1)).toMatchObject({
    node: 'a',
    reasons: ['Node a makes room for workload down of node n0, which runs nowhere.'],
    evidence: [{ value: 'redistribute' }, { what: 'roomFor', value: 'down' }],
  })
  expect(tight.stats()).toMatchObject({ openRoomCount: 1, roomCount: 1, overloadCount: 0 })
  land(tight, 4)
  tight.after(1)
  expect(recovered(tight)).toEqual(['down > a'])
  expect(tight.journal('incident-closed').at(-1)?.reasons).toEqual([
    'Node a has room for workload down now.',
  ])
  expect(tight.stats()).toMatchObject({ openRoomCount: 0 })
  expect(tight.journal('outcome', tight.outputs).filter(({ node }) => node === 'a')).toEqual([])
  expect(asText(tight.refold())).toEqual(asText(tight.outputs))
})

test('it is off unless the policy says so', () => {
  const tight = world(SPLIT, { makesRoom: false })
  lose(tight, 'n0')
  tight.after(60_000)
  expect(moved(tight)).toEqual([])
})

test.each<{
  what: string
  nodes: Parameters<typeof world>[0]
  priorities?: Record<string, Priority>
}>([
  { what: 'what would have to leave fits nowhere', nodes: { ...SPLIT, b: { b14: 14 } } },
  { what: 'it is CRITICAL and what waits is not', nodes: SPLIT, priorities: { a4: 'CRITICAL' } },
  { what: 'no node is large enough for what waits', nodes: { ...SPLIT, n0: { down: 20 } } },
])('nothing moves in vain: $what', ({ nodes, priorities }) => {
  const tight = world(
    nodes,
    {},
    { ...priorities, a8: 'CRITICAL', b12: 'CRITICAL', b14: 'CRITICAL' },
  )
  lose(tight, 'n0')
  tight.after(60_000)
  expect(moved(tight)).toEqual([])
  expect(tight.stats()).toMatchObject({ roomCount: 0 })
})

test('CRITICAL work moves for CRITICAL work', () => {
  const tight = world(SPLIT, {}, { a4: 'CRITICAL', down: 'CRITICAL' })
  lose(tight, 'n0')
  expect(moved(tight)).toEqual(['a4: a > b'])
})

test('the cheapest node to make room is the one that does', () => {
  const nodes = { ...SPLIT, c: { c4: 4, c8: 8 } }
  const tight = world(nodes, {}, { a4: 'HIGH', c4: 'LOW', a8: 'HIGH', c8: 'HIGH' })
  lose(tight, 'n0')
  expect(moved(tight).map((move) => move.split(' ')[0])).toEqual(['c4:'])
})

test('GPUs are made free as processors are', () => {
  const gpu = (count: number): Gpu => ({ model: 'A100', count, interconnect: null })
  const tight = new CoordinatorWorld({ policy: POLICY })
  for (const node of ['n0', 'a', 'b']) {
    tight.join(node, { capacity: { cpu: 64, memoryBytes: 64e9, gpu: gpu(4) } })
  }
  tight.place('down', 'n0', needs(1, gpu(2)))
  tight.place('a1', 'a', needs(1, gpu(1)))
  tight.place('a2', 'a', { ...needs(1, gpu(2)), priority: 'HIGH' })
  tight.place('b3', 'b', { ...needs(1, gpu(3)), priority: 'HIGH' })
  lose(tight, 'n0')
  expect(moved(tight)).toEqual(['a1: a > b'])
})

test('in an emergency nothing moves that runs, and what is down goes on waiting', () => {
  const emergency = { enterRatio: 0.3, leaveRatio: 0.2, leaveAfterMs: 60_000, nodesMin: 1 }
  const moves = [DEFAULT_EMERGENCY, emergency].map((rules) => {
    const tight = world(SPLIT, { emergency: rules })
    tight.silent('n0')
    tight.carryOut(tight.commands('fence')[0])
    tight.after(10_000)
    expect(tight.waiting()?.waiting).toHaveLength(1)
    return moved(tight).length
  })
  expect(moves).toEqual([1, 0])
})

test('one node of a pool makes room at a time, and whoever needs it next has it made then', () => {
  const tight = world({
    n0: { d1: 8, d2: 8 },
    a: { a4: 4, a8: 8 },
    b: { b12: 12 },
    c: { c4: 4, c8: 8 },
    d: { d12: 12 },
  })
  lose(tight, 'n0')
  expect(moved(tight)).toHaveLength(1)
  tight.after(10_000)
  expect(moved(tight)).toHaveLength(1)
  land(tight, 4)
  tight.after(10_000)
  expect(recovered(tight)).toHaveLength(1)
  expect(moved(tight)).toHaveLength(2)
  land(tight, 4)
  tight.after(1)
  expect(recovered(tight)).toHaveLength(2)
})

test('what needs no room any more has none made, and a move that does not come is not waited for', () => {
  const tight = world(SPLIT)
  lose(tight, 'n0')
  tight.place('down', 'elsewhere', needs(8))
  tight.after(1)
  expect(tight.journal('incident-closed').at(-1)?.reasons).toEqual([
    'Workload down needs no room on node a any more.',
  ])
  const held = world(SPLIT)
  lose(held, 'n0')
  for (let i = 0; i < 3; i++) held.result(held.commands('migrate').at(-1)!, 'failed')
  held.after(121_000)
  expect(held.stats()).toMatchObject({ openRoomCount: 0 })
  expect(held.journal('incident-closed').at(-1)?.reasons).toEqual([
    'Node a has not made room in time.',
  ])
})

test('a node that returns in part returns whole at once where that is enough', () => {
  const tight = world({ n0: { down: 8 }, a: {}, b: { b12: 12 }, c: { c12: 12 } })
  tight.risky('a')
  tight.carryOut(tight.commands('cordon')[0])
  tight.risky('a', 0.1)
  tight.carryOut(tight.commands('uncordon')[0])
  lose(tight, 'n0')
  tight.after(1)
  expect(tight.commands('uncordon').map(({ capacityRatio }) => capacityRatio)).toEqual([0.25, 1])
  expect(tight.journal('plan').flatMap(({ reasons }) => reasons)).toContain(
    'The watch of node a ends early: workload down runs nowhere and has no other room.',
  )
  expect(moved(tight)).toEqual([])
  tight.carryOut(tight.commands('uncordon')[1])
  tight.after(1)
  expect(recovered(tight)).toEqual(['down > a'])
})
