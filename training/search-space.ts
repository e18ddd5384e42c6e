/** What tuning chooses among, how a trial is drawn, and how what was chosen is written down. */
import type { BoostParams } from './boost-params.ts'
import type { SeededRandom } from './seeded-random.ts'

/** The parameters that are searched; `treesMax` follows from the learning rate. */
export type Trial = Pick<
  BoostParams,
  | 'treesMax'
  | 'leavesMax'
  | 'depthMax'
  | 'learningRate'
  | 'l1'
  | 'l2'
  | 'rowsMin'
  | 'featureRatio'
  | 'rowRatio'
>

const RANGES = {
  leavesMax: [7, 127],
  learningRate: [0.02, 0.15],
  rowsMin: [5, 400],
  l1: [0.01, 10],
  l2: [0.1, 30],
} as const
const FEATURE_RATIO_MIN = 0.3
const ROW_RATIO_MIN = 0.5
const DEPTHS = [0, 0, 4, 6, 8, 12]
/** Of the trials, those without an L1 term. */
const WITHOUT_L1 = 0.5
/** Trees of a trial times its learning rate; slower learning gets more trees. */
const TREES_TIMES_RATE = 20
const TREES_MAX = 1_000
/** Figures that are written down. */
const DIGITS = 3

/** Sizes are drawn on a logarithmic scale, ratios on a plain one. */
export function drawTrial(random: SeededRandom): Trial {
  const learningRate = rounded(onScale(random, RANGES.learningRate))
  return {
    treesMax: treesFor(learningRate),
    leavesMax: Math.round(onScale(random, RANGES.leavesMax)),
    depthMax: DEPTHS[Math.floor(random.next() * DEPTHS.length)],
    learningRate,
    l1: random.next() < WITHOUT_L1 ? 0 : rounded(onScale(random, RANGES.l1)),
    l2: rounded(onScale(random, RANGES.l2)),
    rowsMin: Math.round(onScale(random, RANGES.rowsMin)),
    featureRatio: rounded(FEATURE_RATIO_MIN + random.next() * (1 - FEATURE_RATIO_MIN)),
    rowRatio: rounded(ROW_RATIO_MIN + random.next() * (1 - ROW_RATIO_MIN)),
  }
}

export function treesFor(learningRate: number): number {
  return Math.min(TREES_MAX, Math.round(TREES_TIMES_RATE / learningRate))
}

/** As the `training` table of a history manifest has it. */
export function trialToml(trial: Trial): string {
  return [
    '[training]',
    `trees = ${trial.treesMax}`,
    `leaves = ${trial.leavesMax}`,
    `depth = ${trial.depthMax}`,
    `learning_rate = ${trial.learningRate}`,
    `l1 = ${trial.l1}`,
    `l2 = ${trial.l2}`,
    `rows_min = ${trial.rowsMin}`,
    `feature_ratio = ${trial.featureRatio}`,
    `row_ratio = ${trial.rowRatio}`,
    '',
  ].join('\n')
}

function onScale(random: SeededRandom, [low, high]: readonly [number, number]): number {
  return low * (high / low) ** random.next()
}

function rounded(value: number): number {
  return Number(value.toPrecision(DIGITS))
}
