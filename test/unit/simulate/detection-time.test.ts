// Goal: of an outage counts as detection what it took to see it, also where its incident is older.
// Method: the works and turns of one incident, written down by hand; the workload goes down at 1,000 ms.
import { expect, test } from 'vitest'
import type { Command, CommandAction } from '../../../src/core/command.ts'
import type { IncidentId } from '../../../src/core/ids.ts'
import { DetectionTime } from '../../../src/simulate/detection-time.ts'
import type { Work } from '../../../src/simulate/hands.ts'

const DOWN_AT_MS = 1_000

function workOf(action: CommandAction, beganAtMs: number, incident = 'i'): Work {
  const command = { action, incidentId: incident as IncidentId } as Command
  const endedAtMs = beganAtMs + 100
  return { command, beganAtMs, endedAtMs, done: true, doneAtMs: endedAtMs, lie: false }
}

test.each<{ what: string; turns: readonly number[]; fences: readonly number[]; expected: number }>([
  { what: 'until the incident was opened', turns: [1_400], fences: [1_500], expected: 400 },
  {
    what: 'until an incident that was foretold got graver',
    turns: [200, 1_400],
    fences: [1_500],
    expected: 400,
  },
  {
    what: 'nothing where the node was held to be down before it was',
    turns: [200],
    fences: [1_500],
    expected: 0,
  },
  {
    what: 'nothing of a confirmation after the fence',
    turns: [200, 1_400],
    fences: [300],
    expected: 0,
  },
  {
    what: 'nothing of a confirmation between two fences',
    turns: [200, 1_400],
    fences: [300, 1_500],
    expected: 0,
  },
  {
    what: 'the first turn, though it waited until the failure was confirmed',
    turns: [1_400, 1_700],
    fences: [1_800],
    expected: 400,
  },
  {
    what: 'nothing of a turn after the recovery was begun',
    turns: [200, 2_100],
    fences: [],
    expected: 0,
  },
])('detection is $what', ({ turns, fences, expected }) => {
  const recovery = workOf('recover', 2_000)
  const others = [workOf('fence', 0, 'another'), ...fences.map((atMs) => workOf('fence', atMs))]
  const time = new DetectionTime([...others, recovery])
  expect(time.of(recovery, turns, DOWN_AT_MS)).toBe(expected)
})
