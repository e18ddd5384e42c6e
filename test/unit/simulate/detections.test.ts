// Goal: a fault counts as seen only by an incident of its node and time, and as named only by its own kind.
import { expect, test } from 'vitest'
import type { FaultKind } from '../../../src/core/fault.ts'
import type { NodeId } from '../../../src/core/ids.ts'
import type { IncidentStory } from '../../../src/simulate/auditor.ts'
import { detections } from '../../../src/simulate/detections.ts'
import type { Injected } from '../../../src/simulate/troubles.ts'

const MINUTE_MS = 60_000

function fault(more: Partial<Injected> = {}): Injected {
  return {
    kind: 'memory-leak',
    node: 'a' as NodeId,
    atMs: 10 * MINUTE_MS,
    untilMs: 20 * MINUTE_MS,
    shownSinceMs: null,
    silentMs: null,
    truth: 'resource-exhaustion',
    truthSinceMs: 10 * MINUTE_MS,
    ...more,
  }
}

function incident(
  minute: number,
  kinds: readonly FaultKind[],
  nodes: readonly string[] = ['a'],
): IncidentStory {
  const openedAtMs = minute * MINUTE_MS
  return {
    nodes: new Set(nodes as readonly NodeId[]),
    kinds: kinds.map((kind) => ({ kind, atMs: openedAtMs })),
    openedAtMs,
    turnsAtMs: [openedAtMs],
    why: '',
    closedAtMs: openedAtMs + MINUTE_MS,
    turn: 0,
  }
}

function judge(injected: readonly Injected[], incidents: readonly IncidentStory[]) {
  const ofNode = new Map<NodeId, Injected[]>()
  for (const each of injected) ofNode.set(each.node, [...(ofNode.get(each.node) ?? []), each])
  const found = detections({ injected, beganAtMs: 0, endedAtMs: 60 * MINUTE_MS }, incidents, ofNode)
  const counts = Object.values(found.faults)
  const total = (pick: 'detected' | 'detectable' | 'classified') =>
    counts.reduce((sum, each) => sum + each[pick], 0)
  const { trueIncidentCount: right, trueKindCount, kindCount } = found
  const seen = [total('detected'), total('detectable'), total('classified')]
  return { seen, right, kinds: `${trueKindCount}/${kindCount}` }
}

test.each([
  {
    because: 'it is told while it lasts, by its kind',
    incidents: [incident(12, ['resource-exhaustion'])],
    expected: { seen: [1, 1, 1], right: 1, kinds: '1/1' },
  },
  {
    because: 'another kind is no name for it',
    incidents: [incident(12, ['network'])],
    expected: { seen: [1, 1, 0], right: 1, kinds: '0/1' },
  },
  {
    because: 'a kind that is put right later is one right and one wrong',
    incidents: [incident(12, ['network', 'resource-exhaustion'])],
    expected: { seen: [1, 1, 1], right: 1, kinds: '1/2' },
  },
  {
    because: 'what shows its cause is not named by its symptom',
    incidents: [incident(15, ['service-unavailability'])],
    expected: { seen: [1, 1, 0], right: 1, kinds: '0/1' },
  },
  {
    because: 'an incident long after it speaks of something else',
    incidents: [incident(25, ['resource-exhaustion'])],
    expected: { seen: [0, 1, 0], right: 0, kinds: '0/0' },
  },
  {
    because: 'an incident of another node says nothing of it',
    incidents: [incident(12, ['resource-exhaustion'], ['b'])],
    expected: { seen: [0, 1, 0], right: 0, kinds: '0/0' },
  },
  {
    because: 'most nodes that an incident blames must be ill',
    incidents: [incident(12, ['resource-exhaustion'], ['a', 'b', 'c'])],
    expected: { seen: [1, 1, 1], right: 0, kinds: '0/0' },
  },
])('$because', ({ incidents, expected }) => {
  expect(judge([fault()], incidents)).toEqual(expected)
})

test('a silence that nothing explains is named by its symptom', () => {
  const crash = fault({ kind: 'crash', truth: 'software', truthSinceMs: null })
  const told = judge([crash], [incident(11, ['service-unavailability'])])
  expect(told).toEqual({ seen: [1, 1, 1], right: 1, kinds: '1/1' })
})

test('what ends before anything shows it is nothing that an oracle sees', () => {
  const short = fault({ untilMs: 10 * MINUTE_MS + 30_000 })
  expect(judge([short], []).seen).toEqual([0, 0, 0])
})
