// Goal: lost work counts within the time of faults alone, by priority; and only what was done, and done then,
// is an action.
import { expect, test } from 'vitest'
import type { Command, CommandAction } from '../../../src/core/command.ts'
import { createInventory } from '../../../src/fleet/inventory.ts'
import type { Work } from '../../../src/simulate/hands.ts'
import { Machines } from '../../../src/simulate/machines.ts'
import { PRIORITY_WEIGHTS, toll } from '../../../src/simulate/toll.ts'

const TIMES = { beganAtMs: 1_000, endedAtMs: 11_000 }

function worldAt() {
  const clock = { nowMs: 0 }
  const inventory = createInventory(3, 5)
  const broken = (what: string) => expect.unreachable(what)
  return {
    clock,
    inventory,
    machines: new Machines(inventory, { nowMs: () => clock.nowMs, broken }),
  }
}

function work(action: CommandAction, beganAtMs: number, done = true): Work {
  const command = { action } as Partial<Command> as Command
  return { command, beganAtMs, endedAtMs: beganAtMs, done, doneAtMs: beganAtMs, lie: false }
}

test.each(['CRITICAL', 'HIGH', 'NORMAL', 'LOW'] as const)(
  'a second without a %s workload weighs as its priority says, from the first fault on',
  (priority) => {
    const { clock, inventory, machines } = worldAt()
    const placement = inventory.placements.find((each) => each.priority === priority)!
    const home = machines.get(placement.node!)!
    machines.stopCopy(placement.workload, home)
    clock.nowMs = 4_000
    machines.startCopy(placement.workload, home)
    clock.nowMs = 10_000
    machines.stopCopy(placement.workload, home)
    const { lostWorkMs } = toll({ machines, works: [], harmedNodeMs: 0, ...TIMES })
    expect(lostWorkMs).toBe((3_000 + 1_000) * PRIORITY_WEIGHTS[priority])
  },
)

test('what was begun in vain, or before or after, is no action', () => {
  const { machines } = worldAt()
  const works = [
    work('cordon', 1_000),
    work('cordon', 11_000),
    work('cordon', 11_001),
    work('fence', 2_000),
    work('fence', 2_000, false),
    work('restart', 999),
    work('restart', 3_000),
    work('migrate', 3_000),
  ]
  expect(toll({ machines, works, harmedNodeMs: 7, ...TIMES })).toEqual({
    lostWorkMs: 0,
    emptiedCount: 2,
    fencedCount: 1,
    restartedCount: 1,
    harmedNodeMs: 7,
  })
})
