import type { ExpectedRange } from '../../../src/core/assessment.ts'
import { expect, test } from 'vitest'
import {
  besideText,
  featureReasons,
  percent,
  predictionReason,
  silenceReason,
} from '../../../src/decide/explain.ts'

test.each([
  { ratio: 0.8, text: '80 %' },
  { ratio: 1 / 3, text: '33.3 %' },
  { ratio: 0.00123, text: '0.123 %' },
  { ratio: 0, text: '0 %' },
])('$ratio reads $text', ({ ratio, text }) => {
  expect(percent(ratio)).toBe(text)
})

test('a prediction says how likely, within which time and beyond which point', () => {
  expect(predictionReason('n1', 0.91, 0.8, 1_800_000)).toBe(
    'Node n1 is expected to fail within 30m with probability 91 % (acting point 80 %).',
  )
})

test('silence is told in whole seconds', () => {
  expect(silenceReason('n1', 16_234)).toBe('Node n1 has sent no sign of life for 16s.')
})

const range = (low: number, high: number | null): ExpectedRange => ({
  low,
  high,
  quantiles: [0.1, 0.9],
})

test('the three strongest features are named, each with what is usual and where its peers are', () => {
  const contribution = 1
  const top = [
    {
      feature: 'smart_197',
      value: 24,
      expected: range(0, 1),
      peerPercentile: 0.9951,
      contribution,
    },
    { feature: 'rate', value: null, expected: null, peerPercentile: null, contribution: -1 },
    { feature: 'a', value: 1.23456, expected: range(1, null), peerPercentile: null, contribution },
    { feature: 'b', value: 1, expected: null, peerPercentile: null, contribution },
  ]
  expect(featureReasons(top)).toEqual([
    'smart_197 is 24 (usual 0 to 1, above 99 % of its peers) and raises it.',
    'rate is missing and lowers it.',
    'a is 1.235 (usual above 1) and raises it.',
  ])
})

test.each([
  { expected: range(0, 0), peerPercentile: null, says: ' (usual 0)' },
  { expected: range(0.12345, 2), peerPercentile: null, says: ' (usual 0.1235 to 2)' },
  { expected: null, peerPercentile: 0.5, says: ' (above 50 % of its peers)' },
  { expected: null, peerPercentile: 0.031, says: ' (below 96 % of its peers)' },
  { expected: null, peerPercentile: 0.9999, says: ' (above 99 % of its peers)' },
  { expected: null, peerPercentile: null, says: '' },
])('beside a value stands "$says"', ({ says, ...known }) => {
  expect(besideText(known)).toBe(says)
})
