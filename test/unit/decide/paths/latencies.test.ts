import { expect, test } from 'vitest'
import type { ReachabilityReport } from '../../../../src/core/evidence.ts'
import type { NodeId, PoolId } from '../../../../src/core/ids.ts'
import {
  Latencies,
  LATENCIES_MAX,
  LATENCY_NODES_MAX,
} from '../../../../src/decide/paths/latencies.ts'

const [A, B, C] = ['a', 'b', 'c'] as NodeId[]

function report(
  node: NodeId,
  atMs: number,
  latencies: Readonly<Record<string, number | null>>,
  unreachable: readonly NodeId[] = [],
): ReachabilityReport {
  const reachable = Object.keys(latencies) as NodeId[]
  const latenciesMs = Object.values(latencies)
  return {
    kind: 'reachability',
    pool: 'p' as PoolId,
    node,
    atMs,
    reachable,
    unreachable,
    latenciesMs,
  }
}

test('between two nodes is the mean of what both have measured, or what one has', () => {
  const known = new Latencies()
  known.take(report(A, 1, { b: 4, c: null }), 1)
  expect(known.between(A, B, 1)).toBe(4)
  known.take(report(B, 1, { a: 6 }), 1)
  expect(known.between(B, A, 1)).toBe(5)
  expect(known.between(A, C, 1)).toBeNull()
  expect(known.links(1)).toEqual([{ from: 'a', to: 'b', latencyMs: 5 }])
})

test('one slow answer moves a latency by a quarter, and a report that comes late by nothing', () => {
  const known = new Latencies()
  known.take(report(A, 1, { b: 4 }), 1)
  known.take(report(A, 2, { b: 44 }), 2)
  known.take(report(A, 1, { b: 1_000 }), 3)
  expect(known.between(A, B, 3)).toBe(14)
})

test('a link is gone while one of both says that it does not reach the other', () => {
  const known = new Latencies()
  known.take(report(A, 1, { b: 4 }), 1)
  known.take(report(B, 1, { c: 2 }, [A]), 1)
  expect(known.between(A, B, 1)).toBeNull()
  expect(known.links(1)).toEqual([{ from: 'b', to: 'c', latencyMs: 2 }])
})

test('what is older than five minutes says nothing, and a node that left neither', () => {
  const known = new Latencies()
  known.take(report(A, 1, { b: 4 }), 1)
  expect(known.links(300_001)).toHaveLength(1)
  expect(known.links(300_002)).toEqual([])
  known.forget(A)
  expect(known.links(1)).toEqual([])
  expect(known.count).toBe(0)
})

test('reports without latencies take no room', () => {
  const known = new Latencies()
  const { latenciesMs: _, ...plain } = report(A, 1, { b: 4 })
  known.take(plain, 1)
  expect([known.count, known.leftOutCount]).toEqual([0, 0])
})

test('measurements and nodes are bounded, and those that are known stay current', () => {
  const known = new Latencies()
  const peers = Object.fromEntries(Array.from({ length: 256 }, (_, i) => [`p${i}`, 1]))
  const full = LATENCIES_MAX / 256
  for (let i = 0; i <= full; i++) known.take(report(`n${i}` as NodeId, 1, peers), 1)
  expect([known.count, known.leftOutCount]).toEqual([LATENCIES_MAX, 1])
  known.take(report('n0' as NodeId, 2, { p0: 9 }), 2)
  expect(known.between('n0' as NodeId, 'p0' as NodeId, 2)).toBe(3)
  const many = new Latencies()
  for (let i = 0; i <= LATENCY_NODES_MAX; i++) many.take(report(`n${i}` as NodeId, 1, { x: 1 }), 1)
  expect([many.count, many.leftOutCount]).toEqual([LATENCY_NODES_MAX, 1])
})
