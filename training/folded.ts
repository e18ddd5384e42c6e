/**
 * Training on small data: the nodes outside the test slice fall into folds, each fold is judged by trees
 * that the others grew, and all those trees together, each counting for its share, are the model. So
 * every node is learned from, and every node but those of the test slice is a validation node too.
 */
import { setImmediate as breathe } from 'node:timers/promises'
import { ServiceError } from '../src/core/errors.ts'
import { strideOf, type BinnedRows, type Bounds } from './bins.ts'
import { growBoost } from './boost.ts'
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
  /** Log odds of each row by trees that never saw its node. */
  readonly margins: Float64Array
}

/** `leftOut`: features that no tree may ask for. ServiceError INTERRUPTED. */
export async function growFolded(
  options: FoldedOptions,
  target: Target,
  leftOut: readonly number[],
): Promise<Folded> {
  const { module, rows, fold, foldCount, bounds } = options
  const margins = new Float64Array(rows.rowCount)
  const boosters: Booster[] = []
  const blind = withoutFeatures(rows, leftOut)
  for (let held = 0; held < foldCount; held++) {
    options.onFold?.(held)
    const learned = selectTarget(target, (row) => fold[row] !== held)
    const params = boostParams(options.manifest, options.seed * foldCount + held)
    const growing = growBoost(
      module,
      { rows: selectRows(blind, learned), bounds, validation: null, ...options.known },
      params,
    )
    const booster = await finish(growing, options.signal)
    boosters.push(booster)
    const left = indexesOf(fold, (of) => of === held)
    const scored = scoreRows(module, booster, selectRows(blind, unlabelled(left)))
    for (const [i, row] of left.entries()) margins[row] = scored[i]
  }
  return { booster: meanOf(boosters), margins }
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

function selectTarget(target: Target, wanted: (row: number) => boolean): Target {
  const kept = indexesOf(target.rows, wanted)
  return {
    rows: Uint32Array.from(kept, (i) => target.rows[i]),
    labels: Uint8Array.from(kept, (i) => target.labels[i]),
    weights: Float32Array.from(kept, (i) => target.weights[i]),
  }
}

function unlabelled(rows: Uint32Array): Target {
  return { rows, labels: new Uint8Array(rows.length), weights: new Float32Array(rows.length) }
}

function indexesOf(
  values: Uint8Array | Uint32Array,
  wanted: (value: number) => boolean,
): Uint32Array {
  const indexes: number[] = []
  for (let i = 0; i < values.length; i++) if (wanted(values[i])) indexes.push(i)
  return Uint32Array.from(indexes)
}

/** The weight that sampling gave a row counts beside that of its target. */
function selectRows(from: BinnedRows, target: Target): BinnedRows {
  const { stride, featureCount, bins: all } = from
  const bins = new Uint8Array(target.rows.length * stride)
  for (const [i, row] of target.rows.entries()) {
    bins.set(all.subarray(row * stride, (row + 1) * stride), i * stride)
  }
  const weights = target.weights.map((weight, i) => weight * from.weights[target.rows[i]])
  return {
    rowCount: target.rows.length,
    featureCount,
    stride,
    bins,
    labels: target.labels,
    weights,
  }
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
