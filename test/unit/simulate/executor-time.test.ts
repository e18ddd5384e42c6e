// Goal: of a recovery counts as executors' time what it had to wait for, and each moment once.
// Method: works of one incident, written down by hand.
import { expect, test } from 'vitest'
import type { Command, CommandAction } from '../../../src/core/command.ts'
import type { IncidentId, WorkloadId } from '../../../src/core/ids.ts'
import { ExecutorTime } from '../../../src/simulate/executor-time.ts'
import type { Work } from '../../../src/simulate/hands.ts'

interface Span {
  readonly action?: CommandAction
  readonly workload?: string | null
  readonly incident?: string
  readonly from: number
  readonly done?: number
  readonly to: number | null
}

function workOf({
  action = 'recover',
  workload = 'w',
  incident = 'i',
  from,
  done,
  to,
}: Span): Work {
  const command = {
    action,
    workload: workload as WorkloadId | null,
    incidentId: incident as IncidentId,
  } as Command
  return { command, beganAtMs: from, endedAtMs: to, done: true, doneAtMs: done ?? to, lie: false }
}

const fence = workOf({ action: 'fence', workload: null, from: 100, done: 200, to: 900 })
const own = workOf({ from: 600, to: 1_000 })
const DEPENDS_ON = new Map([
  ['w', ['data' as WorkloadId]],
  ['data', ['disk' as WorkloadId]],
] as [WorkloadId, WorkloadId[]][])

test.each<{ what: string; others: readonly Span[]; fromMs?: number; expected: number }>([
  { what: 'itself, and the fence until it took effect', others: [], expected: 500 },
  {
    what: 'what it depends on, by way of others too, each moment once',
    others: [
      { workload: 'disk', from: 200, to: 400 },
      { workload: 'data', from: 300, to: 550 },
    ],
    expected: 850,
  },
  { what: 'a try of its own that failed', others: [{ from: 300, to: 350 }], expected: 550 },
  { what: 'no workload beside it', others: [{ workload: 'x', from: 200, to: 600 }], expected: 500 },
  {
    what: 'no other incident, and nothing whose end is not known',
    others: [
      { incident: 'other', from: 200, to: 600 },
      { workload: 'data', from: 200, to: null },
    ],
    expected: 500,
  },
  { what: 'nothing before it went down', others: [], fromMs: 150, expected: 450 },
])('it counts $what', ({ others, fromMs = 0, expected }) => {
  const time = new ExecutorTime([fence, own, ...others.map(workOf)], DEPENDS_ON)
  expect(time.of(own, fromMs)).toBe(expected)
})
