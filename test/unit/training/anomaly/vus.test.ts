import { expect, test } from 'vitest'
import { vusPr } from '../../../../training/anomaly/vus.ts'

interface Case {
  readonly because: string
  readonly sampleCount: number
  readonly anomalies: readonly (readonly [number, number])[]
  readonly lift: number
  readonly seed: number
  /** 0: scores are as drawn; otherwise they are rounded down to this many parts. */
  readonly parts: number
  /** What `get_metrics(score, label, metric='vus', slidingWindow=100)` of Python's vus 0.0.6 gives. */
  readonly expected: number
}

test.each<Case>([
  {
    because: 'three anomalies lie apart',
    sampleCount: 2_000,
    anomalies: [
      [300, 340],
      [900, 901],
      [1_500, 1_599],
    ],
    lift: 0.5,
    seed: 7,
    parts: 0,
    expected: 0.6750006386968499,
  },
  {
    because: 'anomalies lie at both ends',
    sampleCount: 1_500,
    anomalies: [
      [0, 9],
      [1_480, 1_499],
    ],
    lift: 0.3,
    seed: 11,
    parts: 0,
    expected: 0.3020808013825126,
  },
  {
    because: 'two anomalies share a buffer',
    sampleCount: 1_200,
    anomalies: [
      [500, 520],
      [560, 580],
    ],
    lift: 0.8,
    seed: 3,
    parts: 0,
    expected: 0.8861059844262845,
  },
  {
    because: 'many scores are equal',
    sampleCount: 1_000,
    anomalies: [[400, 449]],
    lift: 0.6,
    seed: 5,
    parts: 4,
    expected: 0.6982483155895592,
  },
])('the volume is that of the vus package where $because', (made) => {
  const { scores, labels } = draw(made)
  expect(vusPr(scores, labels)).toBeCloseTo(made.expected, 10)
})

test('without an anomaly there is no volume', () => {
  expect(vusPr(Float64Array.of(1, 2, 3), new Uint8Array(3))).toBe(0)
})

/** Scores of Park and Miller's generator, which both languages draw exactly, lifted within anomalies. */
function draw({ sampleCount, anomalies, lift, seed, parts }: Case) {
  let state = seed
  const labels = new Uint8Array(sampleCount)
  for (const [first, last] of anomalies) labels.fill(1, first, last + 1)
  const scores = Float64Array.from({ length: sampleCount }, (_, i) => {
    state = (state * 16_807) % 2_147_483_647
    const score = state / 2_147_483_647 + (labels[i] === 1 ? lift : 0)
    return parts === 0 ? score : Math.floor(score * parts) / parts
  })
  return { scores, labels }
}
