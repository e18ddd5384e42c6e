import { expect, test } from 'vitest'
import type { Fault } from '../../../src/core/fault.ts'
import type { NodeId, PoolId } from '../../../src/core/ids.ts'
import { classify, kindOfFailure } from '../../../src/decide/classify.ts'

const ALONE = { nodeCount: 1, poolNodeCount: 100, workload: null } as const

function fault(more: Partial<Fault>): Fault {
  return {
    detector: 'fail-slow',
    kind: 'performance-degradation',
    subject: 'n',
    node: 'n' as NodeId,
    pool: 'p' as PoolId,
    atMs: 1,
    severity: 'error',
    confidenceRatio: 0.9,
    evidence: [],
    ...more,
  }
}

const foretold = (...features: readonly string[]) =>
  fault({
    detector: 'predicted-failure',
    kind: 'node-hardware',
    evidence: features.map((what) => ({ what, value: 1, limit: null })),
  })
const silent = fault({ detector: 'heartbeat', kind: 'service-unavailability' })
const limit = (kind: Fault['kind'], what: string) =>
  fault({ detector: 'threshold', kind, evidence: [{ what, value: 1, limit: 1 }] })

test.each([
  {
    faults: [foretold('disk_errors.value')],
    kind: 'node-hardware',
    because: 'its disk has errors',
  },
  {
    faults: [silent, limit('resource-exhaustion', 'memory_utilization')],
    kind: 'resource-exhaustion',
    because: 'it ran out of memory before it fell silent',
  },
  { faults: [silent], kind: 'service-unavailability', because: 'nothing else is known' },
  {
    faults: [limit('network', 'network_latency'), fault({ evidence: [] })],
    kind: 'network',
    because: 'the wires are as slow as the node, and they are the narrower cause',
  },
  {
    faults: [silent, silent, fault({ detector: 'network-partition', kind: 'network-partition' })],
    kind: 'network-partition',
    because: 'a proved cause outweighs the symptoms that it makes',
  },
  {
    faults: [
      limit('performance-degradation', 'health'),
      fault({ kind: 'software', detector: 'service-unavailable' }),
      fault({ kind: 'software', detector: 'service-unavailable', subject: 'b' }),
    ],
    kind: 'software',
    because: 'two containers of it broke',
  },
])('$kind, because $because', ({ faults, kind }) => {
  expect(classify(faults, ALONE).kind).toBe(kind)
})

test.each([
  { severities: ['warning'], severity: 'warning', because: 'one detector warns' },
  { severities: ['warning', 'warning'], severity: 'error', because: 'two detectors warn' },
  { severities: ['warning', 'critical'], severity: 'critical', because: 'the gravest counts' },
] as const)('severity $severity when $because', ({ severities, severity }) => {
  const faults = severities.map((each, i) => fault({ severity: each, detector: `d${i}` }))
  expect(classify(faults, ALONE).severity).toBe(severity)
})

test.each([
  { impact: ALONE, severity: 'critical', priority: 'HIGH' },
  { impact: { ...ALONE, workload: 'CRITICAL' }, severity: 'critical', priority: 'CRITICAL' },
  { impact: { ...ALONE, nodeCount: 20 }, severity: 'critical', priority: 'CRITICAL' },
  { impact: ALONE, severity: 'error', priority: 'NORMAL' },
  { impact: ALONE, severity: 'warning', priority: 'LOW' },
] as const)('$severity with $impact has priority $priority', ({ impact, severity, priority }) => {
  expect(classify([fault({ severity })], impact).priority).toBe(priority)
})

test('the confidence is the share of the votes', () => {
  const faults = [
    fault({ confidenceRatio: 0.6 }),
    fault({ kind: 'software', confidenceRatio: 0.2 }),
  ]
  expect(classify(faults, ALONE).confidenceRatio).toBeCloseTo(0.75)
})

test.each([
  { name: 'memory-leak', kind: 'resource-exhaustion' },
  { name: 'gpu-memory-errors', kind: 'node-hardware' },
  { name: 'nic-flapping', kind: 'network' },
  { name: 'sudden-crash', kind: 'software' },
  { name: 'disk-wear', kind: 'node-hardware' },
] as const)('a failure called $name is of kind $kind', ({ name, kind }) => {
  expect(kindOfFailure(name)).toBe(kind)
})
