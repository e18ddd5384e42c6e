// Goal: a node that carries too much gives away what is cheapest to move, and no more than it must.
import { expect, test } from 'vitest'
import type { Policy } from '../../../src/core/policy.ts'
import type { Priority } from '../../../src/core/workload.ts'
import { asText, CoordinatorWorld } from '../../support/coordinator-world.ts'

const POLICY = { overloadRatio: 1, budgetRatio: 0.5, sharedCauseNodesMin: 1_000 }

/** Four nodes of 16 processors; `n0` has what is given, by size. */
function world(
  workloads: readonly (readonly [name: string, cpu: number, priority?: Priority, state?: number])[],
  policy: Partial<Policy> = {},
): CoordinatorWorld {
  const made = new CoordinatorWorld({ policy: { ...POLICY, ...policy } })
  made.joinMany(4)
  for (const [name, cpu, priority = 'NORMAL', stateBytes = 0] of workloads) {
    made.place(name, 'n0', { needs: { cpu, memoryBytes: 1e9, gpu: null }, priority, stateBytes })
  }
  return made
}

const moved = (of: CoordinatorWorld) => of.commands('migrate').map(({ workload }) => workload)

/** As an executor that keeps what the workload needs. */
function carryOut(of: CoordinatorWorld, cpu: number): void {
  const command = of.commands('migrate').at(-1)!
  of.result(command, 'started')
  of.place(command.workload!, command.target, { needs: { cpu, memoryBytes: 1e9, gpu: null } })
  of.result(command, 'verified')
}

test('the cheapest set that brings it under the bound goes, nothing else, and the node goes on', () => {
  const full = world([
    ['critical', 6, 'CRITICAL'],
    ['heavy', 6, 'NORMAL', 50e9],
    ['light', 6, 'NORMAL', 0],
  ])
  expect(moved(full)).toEqual(['light'])
  expect(full.commands('cordon')).toEqual([])
  const opened = full.journal('incident-opened').at(-1)
  expect(opened?.reasons).toEqual(['Node n0 carries 113 % of what it has, more than 100 %.'])
  expect(opened?.evidence[0]).toMatchObject({ what: 'strategy', value: 'redistribute' })
  carryOut(full, 6)
  expect(full.journal('incident-closed').at(-1)?.reasons).toEqual([
    'Node n0 is within its bound of load again.',
  ])
  expect(full.stats()).toMatchObject({
    overloadCount: 1,
    openOverloadCount: 0,
    openIncidentCount: 0,
  })
  // Nothing was foreseen of the node, so no label of it becomes unknown.
  expect(full.outputs.filter(({ headers }) => headers?.['kind'] === 'intervention')).toEqual([])
  expect(full.journal('outcome')).toEqual([])
  expect(asText(full.refold())).toEqual(asText(full.outputs))
})

test('without a limit of its own a pool moves nothing for load', () => {
  const full = world([['a', 20]], { overloadRatio: null })
  expect(full.journal('incident-opened')).toEqual([])
})

test('a node that says it has become smaller is relieved as well', () => {
  const shrunk = world([
    ['a', 6],
    ['b', 6],
  ])
  expect(moved(shrunk)).toEqual([])
  shrunk.join('n0', { capacity: { cpu: 8, memoryBytes: 64e9, gpu: null } })
  expect(moved(shrunk)).toHaveLength(1)
})

test('what cannot help is left where it is', () => {
  expect(moved(world([['alone', 20]]))).toEqual([])
})

test('moves for load keep to the budget, the mode and the bound of targets', () => {
  const observed = world(
    [
      ['a', 9],
      ['b', 9],
    ],
    { mode: 'observe' },
  )
  expect(moved(observed)).toEqual([])
  expect(observed.rails()).toEqual(['mode'])
  const busy = world([], { budgetRatio: 0.25 })
  for (const name of ['a', 'b']) {
    for (const node of ['n0', 'n1']) {
      busy.place(`${node}${name}`, node, { needs: { cpu: 9, memoryBytes: 1e9, gpu: null } })
    }
  }
  expect(moved(busy)).toHaveLength(1)
  expect(busy.rails()).toContain('budget')
  carryOut(busy, 9)
  expect(moved(busy)).toHaveLength(2)
  for (const { target } of busy.commands('migrate')) expect(['n2', 'n3']).toContain(target)
})

test('what fits nowhere waits for room', () => {
  const tight = world([
    ['a', 9],
    ['b', 9],
  ])
  expect(moved(tight)).toHaveLength(1)
  const none = new CoordinatorWorld({ policy: POLICY })
  none.join('n0')
  none.place('a', 'n0', { needs: { cpu: 9, memoryBytes: 1e9, gpu: null } })
  none.place('b', 'n0', { needs: { cpu: 9, memoryBytes: 1e9, gpu: null } })
  expect(none.waiting()?.waiting).toHaveLength(1)
  none.join('n1')
  expect(moved(none)).toHaveLength(1)
})

test('a node that is relieved rests before it is relieved again', () => {
  const again = world([
    ['a', 9],
    ['b', 9],
  ])
  carryOut(again, 9)
  again.place('c', 'n0', { needs: { cpu: 9, memoryBytes: 1e9, gpu: null } })
  expect(moved(again)).toHaveLength(1)
  again.after(again.policy.cooldownMs)
  again.after(1)
  expect(moved(again)).toHaveLength(2)
})

test('a foretold failure takes over: the node is kept from work and all of it goes', () => {
  const ill = world([
    ['a', 9],
    ['b', 9],
  ])
  expect(moved(ill)).toHaveLength(1)
  ill.risky('n0')
  expect(ill.commands('cordon')).toHaveLength(1)
  expect(new Set(moved(ill))).toEqual(new Set(['a', 'b']))
})

test('a memory that runs full gives away its share of what the workloads need, once', () => {
  const filling = world([
    ['a', 1, 'NORMAL', 1e9],
    ['b', 1, 'NORMAL', 2e9],
    ['c', 1, 'CRITICAL'],
  ])
  for (let i = 0; i < 24 && moved(filling).length === 0; i++) {
    filling.after(60_000)
    const usageRatio = { memory_utilization: 0.55 + 0.018 * i }
    filling.assess('n0', { readings: { usageRatio, networkMs: {}, latencyMs: {} } })
  }
  // Three workloads need as much, and a tenth of it is to go: one is enough, and `a` is the cheapest.
  expect(moved(filling)).toEqual(['a'])
  carryOut(filling, 1)
  expect(filling.stats()).toMatchObject({ openOverloadCount: 0 })
  filling.after(filling.policy.cooldownMs + 1)
  expect(moved(filling)).toEqual(['a'])
})
