/**
 * Calibration of margins on rows that were not sampled, so that 0.01 means one in a hundred of the fleet.
 * Three kinds can be had. Platt's sigmoid is used unless another loses less on nodes that it was not fitted
 * on, by more than chance: it has the fewest parameters, and failures are few.
 */
import {
  type Calibration,
  type CalibrationKind,
  type CalibrationTrial,
  logOddsOf,
} from '../src/core/calibration.ts'
import { ServiceError } from '../src/core/errors.ts'
import { logOnePlusExp, sigmoid } from './booster.ts'
import { fitBeta } from './calibration-beta.ts'
import { fitIsotonic, POSITIVES_PER_STEP_MIN, STEPS_MIN } from './calibration-isotonic.ts'
import { fitSigmoid } from './calibration-sigmoid.ts'

export type CalibrationChoice = 'auto' | CalibrationKind

export interface CalibrationRows {
  readonly margins: Float32Array | Float64Array
  readonly labels: Uint8Array
  /** Of each row, any numbers. */
  readonly node: Uint32Array
}

export interface ChosenCalibration {
  readonly calibration: Calibration
  /** Of the kinds that were held against each other; empty where one was asked for or nothing can be told. */
  readonly trials: readonly CalibrationTrial[]
}

const FOLDS = 5
/** With fewer nodes that fail, which kind is better cannot be told. */
const FAILING_NODES_MIN = 4 * FOLDS

/** ServiceError HISTORY_INVALID where the kind that was asked for cannot be fitted on these rows. */
export function chooseCalibration(
  choice: CalibrationChoice,
  rows: CalibrationRows,
): ChosenCalibration {
  if (choice !== 'auto') return { calibration: fitAsked(choice, rows), trials: [] }
  const trials = tryKinds(rows)
  const better = trials.filter(({ gain, gainError }) => gain > gainError)
  const best = better.toSorted((x, y) => y.gain - x.gain)[0]?.kind ?? 'sigmoid'
  return { calibration: fitKind(best, rows) ?? fitSigmoid(rows.margins, rows.labels), trials }
}

/** Null where the rows do not carry the kind. */
export function fitKind(
  kind: CalibrationKind,
  { margins, labels }: Pick<CalibrationRows, 'margins' | 'labels'>,
): Calibration | null {
  switch (kind) {
    case 'sigmoid':
      return fitSigmoid(margins, labels)
    case 'beta':
      return fitBeta(margins, labels)
    case 'isotonic':
      return fitIsotonic(margins, labels)
    default:
      return kind satisfies never
  }
}

function fitAsked(kind: CalibrationKind, rows: CalibrationRows): Calibration {
  const fitted = fitKind(kind, rows)
  if (fitted !== null) return fitted
  const wants =
    kind === 'isotonic'
      ? `${STEPS_MIN * POSITIVES_PER_STEP_MIN} positive rows and shares of failures that rise with the margin`
      : 'shares of failures that rise with the margin'
  throw new ServiceError(
    'HISTORY_INVALID',
    `\`training.calibration\`: "${kind}" wants ${wants}, which the calibration rows do not have; say "auto"`,
  )
}

/** Each kind fitted on four fifths of the nodes and asked of the rest, five times. */
function tryKinds(rows: CalibrationRows): readonly CalibrationTrial[] {
  const fold = dealNodes(rows, FOLDS)
  if (fold === null) return []
  const sigmoidLosses = lossesOf('sigmoid', rows, fold)!
  return (['sigmoid', 'beta', 'isotonic'] as const).flatMap((kind) => {
    const losses = kind === 'sigmoid' ? sigmoidLosses : lossesOf(kind, rows, fold)
    if (losses === null) return []
    const logLoss = losses.reduce((sum, loss) => sum + loss, 0) / losses.length
    return [{ kind, logLoss, ...gainOf(losses, sigmoidLosses, rows.node) }]
  })
}

/** Each row's loss, out of fold; null where the kind could not be fitted each time. */
function lossesOf(
  kind: CalibrationKind,
  rows: CalibrationRows,
  fold: Uint8Array,
): Float64Array | null {
  const losses = new Float64Array(rows.labels.length)
  for (let out = 0; out < FOLDS; out++) {
    const calibration = fitKind(kind, withoutFold(rows, fold, out))
    if (calibration === null) return null
    for (let i = 0; i < losses.length; i++) {
      if (fold[i] !== out) continue
      const x = logOddsOf(calibration, rows.margins[i])
      losses[i] = logOnePlusExp(x) - rows.labels[i] * x
    }
  }
  return losses
}

/** Rows of one node are one observation, since they fail together. */
function gainOf(
  losses: Float64Array,
  sigmoidLosses: Float64Array,
  node: Uint32Array,
): { readonly gain: number; readonly gainError: number } {
  const byNode = new Map<number, number>()
  for (let i = 0; i < losses.length; i++) {
    byNode.set(node[i], (byNode.get(node[i]) ?? 0) + sigmoidLosses[i] - losses[i])
  }
  let [sum, squares] = [0, 0]
  for (const gain of byNode.values()) {
    sum += gain
    squares += gain * gain
  }
  const count = byNode.size
  const gain = sum / count
  const variance = Math.max(0, squares / count - gain * gain)
  return { gain, gainError: Math.sqrt(variance / (count - 1)) }
}

/**
 * The group of each row: nodes with a positive row are dealt out in turn and so are the others, so that
 * no group is without failures. Null with too few nodes that fail.
 */
function dealNodes(
  { labels, node }: Pick<CalibrationRows, 'labels' | 'node'>,
  groups: number,
): Uint8Array | null {
  const failing = new Set<number>()
  for (let i = 0; i < labels.length; i++) if (labels[i] === 1) failing.add(node[i])
  const groupOf = new Map<number, number>()
  const dealt = { failing: 0, well: 0 }
  for (const one of node) {
    if (groupOf.has(one)) continue
    groupOf.set(one, (failing.has(one) ? dealt.failing++ : dealt.well++) % groups)
  }
  if (dealt.failing < FAILING_NODES_MIN) return null
  return Uint8Array.from(node, (one) => groupOf.get(one)!)
}

function withoutFold(rows: CalibrationRows, fold: Uint8Array, out: number): CalibrationRows {
  const kept = Uint32Array.from(fold.keys()).filter((i) => fold[i] !== out)
  return {
    margins: Float64Array.from(kept, (i) => rows.margins[i]),
    labels: Uint8Array.from(kept, (i) => rows.labels[i]),
    node: Uint32Array.from(kept, (i) => rows.node[i]),
  }
}

export function calibrate(calibration: Calibration, margin: number): number {
  return sigmoid(logOddsOf(calibration, margin))
}
