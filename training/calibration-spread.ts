/**
 * What another draw of nodes would have made of the calibration: the sandwich estimator of the variance
 * of slope and intercept, with the rows of one node as one observation, since they fail together.
 * Source: K.-Y. Liang and S. Zeger, Longitudinal data analysis using generalized linear models, 1986.
 */
import { type Calibration, logOddsOf } from '../src/core/calibration.ts'
import type { CalibrationSpread } from '../src/core/probability-interval.ts'
import { sigmoid } from './booster.ts'
import { type CalibrationRows, fitKind } from './calibration.ts'
import { SeededRandom } from './seeded-random.ts'

const PROBABILITY_MIN = 1e-9
const REFITS = 25
const SEED = 1

/**
 * Of a calibration and the rows it was fitted on. Kinds with more parameters than the sigmoid vary by more:
 * theirs is widened to what they do on average when fitted to nodes drawn again (the bootstrap).
 */
export function calibrationSpread(
  calibration: Calibration,
  rows: CalibrationRows,
): CalibrationSpread | null {
  const logOdds = Float64Array.from(rows.margins, (margin) => logOddsOf(calibration, margin))
  const spread = sigmoidSpread(logOdds.map(sigmoid), rows.labels, rows.node)
  if (spread === null || calibration.kind === 'sigmoid') return spread
  const wider = widening(calibration, rows, logOdds, spread)
  return {
    constant: spread.constant * wider,
    linear: spread.linear * wider,
    quadratic: spread.quadratic * wider,
  }
}

/** Variance by refits over that of `spread`, each row with the weight of its Bernoulli variance; 1 at least. */
function widening(
  { kind }: Calibration,
  rows: CalibrationRows,
  logOdds: Float64Array,
  { constant, linear, quadratic }: CalibrationSpread,
): number {
  const random = SeededRandom.fromSeed(SEED)
  const squares = new Float64Array(logOdds.length)
  let refitCount = 0
  for (let i = 0; i < REFITS; i++) {
    const refit = fitKind(kind, drawNodes(rows, random))
    // A draw with too few failures for the kind.
    if (refit === null) continue
    refitCount++
    for (let row = 0; row < squares.length; row++) {
      squares[row] += (logOddsOf(refit, rows.margins[row]) - logOdds[row]) ** 2
    }
  }
  let [byRefits, bySpread] = [0, 0]
  for (const [row, x] of logOdds.entries()) {
    const p = sigmoid(x)
    const weight = p * (1 - p)
    byRefits += weight * squares[row]
    bySpread += weight * (constant + linear * x + quadratic * x * x)
  }
  return Math.max(1, byRefits / Math.max(1, refitCount) / bySpread)
}

/** As many nodes as there are, each with all its rows as often as it is drawn. */
function drawNodes({ margins, labels, node }: CalibrationRows, random: SeededRandom) {
  const numbers = [...new Set(node)]
  const times = new Map<number, number>()
  for (let i = 0; i < numbers.length; i++) {
    const drawn = numbers[Math.floor(random.next() * numbers.length)]
    times.set(drawn, (times.get(drawn) ?? 0) + 1)
  }
  const drawn: number[] = []
  for (const [row, one] of node.entries()) {
    for (let again = times.get(one) ?? 0; again > 0; again--) drawn.push(row)
  }
  return {
    margins: Float64Array.from(drawn, (row) => margins[row]),
    labels: Uint8Array.from(drawn, (row) => labels[row]),
  }
}

/** @param node of each row, any numbers. @param probabilities calibrated on these very rows. */
export function sigmoidSpread(
  probabilities: Float64Array,
  labels: Uint8Array,
  node: Uint32Array,
): CalibrationSpread | null {
  let [xx, x1, ones] = [0, 0, 0]
  const pulls = new Map<number, [slope: number, intercept: number]>()
  for (let i = 0; i < labels.length; i++) {
    const p = Math.min(Math.max(probabilities[i], PROBABILITY_MIN), 1 - PROBABILITY_MIN)
    const x = Math.log(p / (1 - p))
    const curve = p * (1 - p)
    xx += curve * x * x
    x1 += curve * x
    ones += curve
    const pull = pulls.get(node[i]) ?? [0, 0]
    pull[0] += (labels[i] - p) * x
    pull[1] += labels[i] - p
    pulls.set(node[i], pull)
  }
  const determinant = xx * ones - x1 * x1
  if (!(determinant > 0)) return null
  let [slope, both, intercept] = [0, 0, 0]
  for (const [onSlope, onIntercept] of pulls.values()) {
    const bySlope = (ones * onSlope - x1 * onIntercept) / determinant
    const byIntercept = (xx * onIntercept - x1 * onSlope) / determinant
    slope += bySlope * bySlope
    both += bySlope * byIntercept
    intercept += byIntercept * byIntercept
  }
  return { constant: intercept, linear: 2 * both, quadratic: slope }
}
