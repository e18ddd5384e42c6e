/** Logistic regression on a few columns, by Newton's method: the log likelihood is concave. */
import { logOnePlusExp, sigmoid } from './booster.ts'

export interface LogisticProblem {
  /** [rows] each; three at most. */
  readonly columns: readonly Float64Array[]
  /** 0..1. */
  readonly targets: Uint8Array | Float64Array
  /** Coefficients to begin with, and to stay near where the rows say nothing. */
  readonly start: readonly number[]
  /** [rows], added to the log odds; absent: nothing. */
  readonly offset?: Float64Array
}

const ROUNDS_MAX = 50
const STEP_MIN = 1e-9
const HALVINGS_MAX = 60
/** Relative: what sums of rows differ by when nothing is lost. */
const LOSS_NOISE = 1e-13
/** Keeps the curvature regular where labels are all alike. */
const RIDGE = 1e-6

export function fitLogistic(problem: LogisticProblem): readonly number[] {
  let at = [...problem.start]
  for (let round = 0; round < ROUNDS_MAX; round++) {
    let step = newtonStep(problem, at)
    // Far out the curvature is next to nothing, and a whole step goes too far.
    const before = lossAt(problem, at)
    for (let halved = 0; halved < HALVINGS_MAX; halved++) {
      if (lossAt(problem, plus(at, step)) <= before * (1 + LOSS_NOISE)) break
      step = step.map((by) => by / 2)
    }
    at = plus(at, step)
    if (step.reduce((sum, by) => sum + Math.abs(by), 0) < STEP_MIN) break
  }
  return at
}

function plus(at: readonly number[], step: readonly number[]): number[] {
  return at.map((value, k) => value + step[k])
}

function logOddsAt({ columns, offset }: LogisticProblem, at: readonly number[], row: number) {
  let x = offset === undefined ? 0 : offset[row]
  for (let k = 0; k < at.length; k++) x += at[k] * columns[k][row]
  return x
}

/** Less the log likelihood. */
function lossAt(problem: LogisticProblem, at: readonly number[]): number {
  const { targets } = problem
  let loss = 0
  for (let row = 0; row < targets.length; row++) {
    const x = logOddsAt(problem, at, row)
    loss += logOnePlusExp(x) - targets[row] * x
  }
  return loss
}

function newtonStep(problem: LogisticProblem, at: readonly number[]): number[] {
  const { columns, targets, start } = problem
  const size = at.length
  const pull = at.map((value, k) => -RIDGE * (value - start[k]))
  const curvature = at.map((_, k) => at.map((_one, j) => (j === k ? RIDGE : 0)))
  for (let row = 0; row < targets.length; row++) {
    const p = sigmoid(logOddsAt(problem, at, row))
    const miss = targets[row] - p
    const curve = p * (1 - p)
    for (let k = 0; k < size; k++) {
      const value = columns[k][row]
      pull[k] += miss * value
      for (let j = 0; j <= k; j++) curvature[k][j] += curve * value * columns[j][row]
    }
  }
  return solve(curvature, pull)
}

/** Cholesky's way. @param lower half of a positive definite matrix; overwritten. */
function solve(lower: number[][], right: readonly number[]): number[] {
  const size = right.length
  for (let k = 0; k < size; k++) {
    for (let j = 0; j <= k; j++) {
      let sum = lower[k][j]
      for (let i = 0; i < j; i++) sum -= lower[k][i] * lower[j][i]
      lower[k][j] = k === j ? Math.sqrt(sum) : sum / lower[j][j]
    }
  }
  const half = [...right]
  for (let k = 0; k < size; k++) {
    for (let i = 0; i < k; i++) half[k] -= lower[k][i] * half[i]
    half[k] /= lower[k][k]
  }
  for (let k = size - 1; k >= 0; k--) {
    for (let i = k + 1; i < size; i++) half[k] -= lower[i][k] * half[i]
    half[k] /= lower[k][k]
  }
  return half
}
