// Goal: a kind that bends where the truth bends is chosen and says more of nodes that nobody saw; where the
// truth is a sigmoid, Platt's stays, and the others are as good within noise.
import { describe, expect, test } from 'vitest'
import type { CalibrationKind } from '../../../src/core/calibration.ts'
import { logOnePlusExp, sigmoid } from '../../../training/booster.ts'
import {
  calibrate,
  type CalibrationRows,
  chooseCalibration,
  fitKind,
} from '../../../training/calibration.ts'
import { brierScore } from '../../../training/quality.ts'
import { SeededRandom } from '../../../training/seeded-random.ts'

const ROWS_PER_NODE = 3

type Truth = (margin: number) => number

const truths = {
  /** Log odds are a straight line of the margin. */
  sigmoid: (m) => sigmoid(0.7 * m - 0.5),
  /** Margins are sure of themselves below and not above. */
  beta: (m) => sigmoid(0.25 * logOnePlusExp(m) - 1.6 * logOnePlusExp(-m)),
  /** Two levels: what margins say beyond telling them apart is nothing. */
  steps: (m) => (m < 0 ? 0.03 : 0.4),
} as const satisfies Record<string, Truth>

function draw(truth: Truth, seed: number, nodeCount: number): CalibrationRows {
  const random = SeededRandom.fromSeed(seed)
  const margins = new Float64Array(nodeCount * ROWS_PER_NODE)
  const labels = new Uint8Array(margins.length)
  const node = new Uint32Array(margins.length)
  for (let i = 0; i < margins.length; i++) {
    margins[i] = random.next() * 8 - 4
    labels[i] = random.next() < truth(margins[i]) ? 1 : 0
    node[i] = Math.floor(i / ROWS_PER_NODE)
  }
  return { margins, labels, node }
}

/** Of a kind fitted on some nodes, asked of others. */
function judged(kind: CalibrationKind, truth: Truth, seed: number) {
  const calibration = fitKind(kind, draw(truth, seed, 3_000))!
  const unseen = draw(truth, seed + 1_000, 20_000)
  const probabilities = Float64Array.from(unseen.margins, (m) => calibrate(calibration, m))
  const losses = probabilities.map((p, i) => -Math.log(unseen.labels[i] === 1 ? p : 1 - p))
  return {
    logLoss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
    brier: brierScore(probabilities, unseen.labels),
  }
}

describe.each([1, 2, 3])('seed %i', (seed) => {
  test.each([
    { kind: 'beta', truth: 'beta', logLoss: 0.003, brier: 0.001 },
    { kind: 'isotonic', truth: 'steps', logLoss: 0.005, brier: 0.0015 },
  ] as const)('$kind beats the sigmoid where the truth is $truth', (expected) => {
    const truth = truths[expected.truth]
    const platt = judged('sigmoid', truth, seed)
    const ours = judged(expected.kind, truth, seed)
    expect(platt.logLoss - ours.logLoss).toBeGreaterThan(expected.logLoss)
    expect(platt.brier - ours.brier).toBeGreaterThan(expected.brier)
    expect(chooseCalibration('auto', draw(truth, seed, 3_000)).calibration.kind).toBe(expected.kind)
  })

  test.each(['beta', 'isotonic'] as const)('%s is as good where it is a sigmoid', (kind) => {
    const platt = judged('sigmoid', truths.sigmoid, seed)
    const ours = judged(kind, truths.sigmoid, seed)
    expect(Math.abs(platt.logLoss - ours.logLoss)).toBeLessThan(0.0015)
    expect(Math.abs(platt.brier - ours.brier)).toBeLessThan(0.0006)
  })
})

test('where the truth is a sigmoid the sigmoid stays in most draws', () => {
  const kinds = Array.from({ length: 20 }, (_, i) => {
    return chooseCalibration('auto', draw(truths.sigmoid, 50 + i, 1_000)).calibration.kind
  })
  expect(kinds.filter((kind) => kind === 'sigmoid').length).toBeGreaterThanOrEqual(14)
})

test('every kind that could be fitted is told of, the sigmoid with no gain over itself', () => {
  const { trials } = chooseCalibration('auto', draw(truths.steps, 4, 3_000))
  expect(trials.map(({ kind }) => kind)).toEqual(['sigmoid', 'beta', 'isotonic'])
  expect(trials[0]).toMatchObject({ gain: 0, gainError: 0 })
})

test('with fewer than 20 nodes that fail nothing is tried', () => {
  const rows = draw(() => 0, 5, 400)
  for (let node = 0; node < 19; node++) rows.labels[node * ROWS_PER_NODE] = 1
  const chosen = chooseCalibration('auto', rows)
  expect(chosen).toMatchObject({ calibration: { kind: 'sigmoid' }, trials: [] })
  rows.labels[19 * ROWS_PER_NODE] = 1
  expect(chooseCalibration('auto', rows).trials).not.toEqual([])
})

test('a kind that is asked for is what comes, whatever others would say', () => {
  const rows = draw(truths.sigmoid, 6, 1_000)
  for (const kind of ['sigmoid', 'beta', 'isotonic'] as const) {
    expect(chooseCalibration(kind, rows)).toMatchObject({ calibration: { kind }, trials: [] })
  }
})

test('isotonic with too few failures says what it wants and what to say instead', () => {
  const rows = draw(() => 0, 7, 400)
  for (let node = 0; node < 30; node++) rows.labels[node * ROWS_PER_NODE] = 1
  expect(() => chooseCalibration('isotonic', rows)).toThrow(
    /`training\.calibration`: "isotonic" wants 50 positive rows .* say "auto"/,
  )
})
