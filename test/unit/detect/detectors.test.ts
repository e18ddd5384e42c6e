import { expect, test } from 'vitest'
import type { Assessment } from '../../../src/core/assessment.ts'
import type { NodeId, PoolId } from '../../../src/core/ids.ts'
import { detectSilence } from '../../../src/detect/heartbeat.ts'
import { detectPredictedFailure } from '../../../src/detect/predicted-failure.ts'

const ROW: Assessment = {
  node: 'n' as NodeId,
  pool: 'p' as PoolId,
  class: 'server',
  liveness: 'live',
  lastSeenAtMs: 5,
  silentForMs: 16_000,
  health: 1,
  probability: 0.9,
  trigger: 'grid',
  top: [
    {
      feature: 'f',
      value: 24,
      expected: { low: 0, high: 1, quantiles: [0.1, 0.9] },
      peerPercentile: 0.99,
      contribution: 1,
    },
    { feature: 'g', value: null, expected: null, peerPercentile: null, contribution: 1 },
  ],
}

test.each([
  { liveness: 'live', found: false, because: 'it is heard of' },
  { liveness: 'unknown', found: false, because: 'we may be the ones who are deaf' },
  { liveness: 'silent', found: true, because: 'its heartbeats stopped' },
] as const)('$liveness: fault $found, because $because', ({ liveness, found }) => {
  expect(detectSilence({ ...ROW, liveness }, 7) !== null).toBe(found)
})

test.each([
  { probability: null, found: false, because: 'there is no model' },
  { probability: 0.79, found: false, because: 'it is below the point' },
  { probability: 0.8, found: true, because: 'it is at the point' },
])('probability $probability: fault $found, because $because', ({ probability, found }) => {
  expect(detectPredictedFailure({ ...ROW, probability }, 0.8, null, 7) !== null).toBe(found)
})

test('the evidence names the numbers, the limits and what the model saw', () => {
  const fault = detectPredictedFailure(ROW, 0.8, null, 7)
  expect(fault).toMatchObject({ atMs: 7, confidenceRatio: 0.9 })
  expect(fault?.evidence).toEqual([
    { what: 'probability', value: 0.9, limit: 0.8 },
    {
      what: 'f',
      value: 24,
      limit: null,
      expected: { low: 0, high: 1, quantiles: [0.1, 0.9] },
      peerPercentile: 0.99,
    },
    { what: 'g', value: 'missing', limit: null },
  ])
})
