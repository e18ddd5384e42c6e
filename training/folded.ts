/**
 * Training on small data: the nodes outside the test slice fall into folds, each fold is judged by trees
 * that the others grew, and all those trees together, each counting for its share, are the model. So
 * every node is learned from, and every node but those of the test slice is a validation node too.
 */
import { setImmediate as breathe } from 'node:timers/promises'
import { ServiceError } from '../src/core/errors.ts'
import { strideOf, type BinnedRows, type Bounds } from './bins.ts'
import { growBoost, type BoostParams } from './boost.ts'
import { boostParams } from './boost-settings.ts'
import type { Booster } from './booster.ts'
import { meanOf } from './ensemble.ts'
import type { KnownFeatures } from './known-features.ts'
import type { Manifest } from './manifest.ts'
import { scoreRows } from './score.ts'
import type { Target } from './targets.ts'

export interface FoldedOptions {
  readonly module: WebAssembly.Module
  readonly manifest: Manifest
  readonly seed: number
  readonly bounds: Bounds
  readonly rows: BinnedRows
  readonly known: KnownFeatures
  /** Fold of each row. */
  readonly fold: Uint8Array
  readonly foldCount: number
  readonly onFold?: (fold: number) => void
  readonly signal?: AbortSignal
}

export interface Folded {
  readonly booster: Booster
  /** Of each row, by trees that never saw its node: log odds, or the share where that was learned. */
  readonly margins: Float64Array
}

/** `leftOut`: features that no tree may ask for. ServiceError INTERRUPTED. */
export async function growFolded(
  options: FoldedOptions,
  target: Target,
  leftOut: readonly number[],
): Promise<Folded> {
  const { module, manifest, rows, fold, foldCount, bounds } = options
  const margins = new Float64Array(rows.rowCount)
  const boosters: Booster[] = []
  const blind = withoutFeatures(rows, leftOut)
  for (let held = 0; held < foldCount; held++) {
    options.onFold?.(held)
    const learned = selectRows(
      blind,
      selectTarget(target, (row) => fold[row] !== held),
    )
    const members: Booster[] = []
    for (let member = 0; member < manifest.training.members; member++) {
      const params = paramsOf(options, target, held, member)
      const growing = growBoost(
        module,
        { rows: learned, bounds, validation: null, ...options.known },
        params,
      )
      members.push(await finish(growing, options.signal))
    }
    const booster = meanOf(members)
    boosters.push(booster)
    const left = indexesOf(fold, (of) => of === held)
    const labels = new Uint8Array(left.length)
    const unlabelled = selectRows(blind, { rows: left, labels, shares: null })
    const scored = scoreRows(module, booster, unlabelled)
    for (const [i, row] of left.entries()) margins[row] = scored[i]
  }
  return { booster: meanOf(boosters), margins }
}

/** Seeds of folds and members lie so far apart that those of a next training are others. */
const SEED_STEP = 1_000_003

function paramsOf(
  { manifest, seed, foldCount }: FoldedOptions,
  target: Target,
  held: number,
  member: number,
): BoostParams {
  const objective = target.shares === null ? 'logistic' : 'squared'
  return { ...boostParams(manifest, seed + (member * foldCount + held) * SEED_STEP), objective }
}

async function finish(
  growing: ReturnType<typeof growBoost>,
  signal: AbortSignal | undefined,
): Promise<Booster> {
  for (;;) {
    const step = growing.next()
    if (step.done === true) return step.value
    // A signal reaches a process only between turns of its event loop.
    await breathe()
    if (signal?.aborted === true) {
      throw new ServiceError('INTERRUPTED', 'training was interrupted; nothing was written')
    }
  }
}

function selectTarget({ rows, labels, shares }: Target, wanted: (row: number) => boolean): Target {
  const kept = indexesOf(rows, wanted)
  return {
    rows: kept.map((i) => rows[i]),
    labels: Uint8Array.from(kept, (i) => labels[i]),
    shares: shares === null ? null : Float32Array.from(kept, (i) => shares[i]),
  }
}

function indexesOf(
  values: Uint8Array | Uint32Array,
  wanted: (value: number) => boolean,
): Uint32Array {
  const indexes: number[] = []
  for (let i = 0; i < values.length; i++) if (wanted(values[i])) indexes.push(i)
  return Uint32Array.from(indexes)
}

function selectRows(from: BinnedRows, { rows, labels, shares }: Target): BinnedRows {
  const { stride, featureCount, bins: all } = from
  const bins = new Uint8Array(rows.length * stride)
  for (const [i, row] of rows.entries()) {
    bins.set(all.subarray(row * stride, (row + 1) * stride), i * stride)
  }
  const weights = Float32Array.from(rows, (row) => from.weights[row])
  const targets = shares === null ? {} : { targets: shares }
  return { rowCount: rows.length, featureCount, stride, bins, labels, weights, ...targets }
}

/** A feature that is the same in every row is never asked for. */
function withoutFeatures(rows: BinnedRows, leftOut: readonly number[]): BinnedRows {
  const stride = strideOf(rows.featureCount)
  const bins = rows.bins.slice()
  for (const feature of leftOut) {
    for (let at = feature; at < bins.length; at += stride) bins[at] = 0
  }
  return { ...rows, bins }
}
