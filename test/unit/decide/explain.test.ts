import { expect, test } from 'vitest'
import {
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

test('the three strongest features are named, each with what is usual', () => {
  const top = [
    {
      feature: 'cpu_temperature',
      value: 91.2345,
      expected: 60,
      peerPercentile: null,
      contribution: 2,
    },
    { feature: 'error_rate', value: null, expected: null, peerPercentile: null, contribution: -1 },
    { feature: 'a', value: 1, expected: 1, peerPercentile: null, contribution: 1 },
    { feature: 'b', value: 1, expected: 1, peerPercentile: null, contribution: 1 },
  ]
  expect(featureReasons(top)).toEqual([
    'cpu_temperature is 91.23 where 60 is usual and raises it.',
    'error_rate is missing and lowers it.',
    'a is 1 where 1 is usual and raises it.',
  ])
})
