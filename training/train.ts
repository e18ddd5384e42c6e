/**
 * `foreshock train`: a history becomes a model directory: model.onnx, card.json and the hashes of the
 * nodes it learned from. The directory appears at once and whole, or not at all.
 */
import { setImmediate as breathe } from 'node:timers/promises'
import { ServiceError } from '../src/core/errors.ts'
import type { ModelCard } from '../src/core/model.ts'
import type { NodeClass } from '../src/core/node.ts'
import type { ScoredRows } from './alerts.ts'
import { DEFAULT_BOOST, growBoost, type BoostParams } from './boost.ts'
import type { Booster } from './booster.ts'
import { calibrationSpread } from './calibration-spread.ts'
import { calibrate, fitCalibration, type Calibration } from './calibration.ts'
import { describeModel } from './card.ts'
import { readDataset, type Dataset } from './dataset.ts'
import { meanOf, widen } from './ensemble.ts'
import { judgeBaselines, scoredRows } from './evaluate.ts'
import { CHECKED_ROWS, checkFiles, rowsOnBounds } from './export-check.ts'
import { trainFolded } from './folded-model.ts'
import { failureKinds, judgeKinds } from './kinds.ts'
import { openHistory } from './history.ts'
import type { Manifest, Slice } from './manifest.ts'
import { writeModel, type ModelFiles } from './model-files.ts'
import { referenceOf } from './reference.ts'
import { scoreRows } from './score.ts'

export interface TrainProgress {
  readonly step: 'placing bins' | 'reading rows' | 'growing trees' | 'judging' | 'writing'
  /** 0..1 of the step. */
  readonly doneRatio: number
  readonly detail: string
}

export interface TrainOptions {
  readonly manifest: Manifest
  readonly nodeClass: NodeClass
  readonly dataDir: string
  /** The model's directory, e.g. models/backblaze; replaced when it exists. */
  readonly outDir: string
  /** dist/foreshock.wasm, compiled. */
  readonly module: WebAssembly.Module
  readonly seed: number
  readonly onProgress?: (progress: TrainProgress) => void
  readonly signal?: AbortSignal
}

/** ServiceError HISTORY_EMPTY, HISTORY_INVALID or INTERRUPTED; then nothing was written. */
export async function train(options: TrainOptions): Promise<ModelCard> {
  const { manifest, nodeClass, dataDir, module, seed, signal } = options
  const tell = options.onProgress ?? (() => {})
  const history = await openHistory(manifest, nodeClass, dataDir)
  try {
    const data = await readDataset({
      history,
      nodeClass,
      module,
      seed,
      onProgress: (step, doneRatio) => tell({ step, doneRatio, detail: '' }),
      ...(signal === undefined ? {} : { signal }),
    })
    const grown = await growModel(options, data)
    const rows = rowsOnBounds(data.slices.fit.rows(), data, CHECKED_ROWS)
    const model = await checkFiles(grown, rows)
    tell({ step: 'writing', doneRatio: 0, detail: options.outDir })
    stopIfAborted(signal)
    await writeModel(options.outDir, model)
    return model.card
  } finally {
    history.close()
  }
}

async function growModel(options: TrainOptions, data: Dataset): Promise<ModelFiles> {
  const { folds } = options.manifest.training
  const tell = options.onProgress ?? (() => {})
  if (folds !== null) {
    const onProgress = (doneRatio: number, detail: string): void =>
      tell({ step: 'growing trees', doneRatio, detail })
    return trainFolded({ ...options, data, foldCount: folds, onProgress })
  }
  const booster = await growTrees(options, data)
  tell({ step: 'judging', doneRatio: 0, detail: `${booster.trees.length} trees` })
  return describe(options, data, booster, calibrateOn(options.module, booster, data))
}

function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) {
    throw new ServiceError('INTERRUPTED', 'training was interrupted; nothing was written')
  }
}

/** Members differ by their seeds alone: in the features that each tree draws, and in rounding. */
async function growTrees(options: TrainOptions, data: Dataset): Promise<Booster> {
  const { members } = options.manifest.training
  const grown: Booster[] = []
  while (grown.length < members) grown.push(await growMember(options, data, grown.length))
  return meanOf(grown)
}

/** Seeds of members lie so far apart that those of a next training are others. */
const SEED_STEP = 1_000_003

async function growMember(
  { manifest, module, seed, signal, onProgress }: TrainOptions,
  data: Dataset,
  member: number,
): Promise<Booster> {
  const { trees, leaves, learningRate, featureRatio, rowsMin, patience, members } =
    manifest.training
  const params: BoostParams = {
    ...DEFAULT_BOOST,
    treesMax: trees,
    leavesMax: leaves,
    learningRate,
    featureRatio,
    rowsMin,
    patience,
    seed: seed + member * SEED_STEP,
  }
  const rows = data.slices.fit.rows()
  const validation = patience === 0 ? null : data.slices.validation.rows()
  const growing = growBoost(module, { rows, bounds: data.bounds, validation }, params)
  for (;;) {
    const step = growing.next()
    if (step.done === true) return step.value
    // A signal reaches a process only between turns of its event loop.
    await breathe()
    stopIfAborted(signal)
    onProgress?.({
      step: 'growing trees',
      doneRatio: (member + step.value.trees / step.value.treesMax) / members,
      detail: `${members === 1 ? '' : `model ${member + 1} of ${members}: `}${step.value.trees} trees${qualityText(step.value.validation)}`,
    })
  }
}

function qualityText(validation: number | null): string {
  return validation === null ? '' : `, PR-AUC on validation ${validation.toFixed(4)}`
}

function calibrateOn(module: WebAssembly.Module, booster: Booster, data: Dataset): Calibration {
  const rows = data.slices.calibration.rows()
  return fitCalibration(scoreRows(module, booster, rows), rows.labels)
}

function describe(
  { manifest, nodeClass, dataDir, module, seed }: TrainOptions,
  data: Dataset,
  booster: Booster,
  calibration: Calibration,
): ModelFiles {
  const { featureNames, featureHash, lives } = data
  const { horizonMs, split, training } = manifest
  const intervalMs = nodeClass.predictionIntervalMs
  const probabilities = (slice: Slice): ScoredRows => {
    const margins = scoreRows(module, booster, data.slices[slice].rows())
    const scores = margins.map((margin) => calibrate(calibration, margin))
    return scoredRows(data.slices[slice].facts(), scores, intervalMs, horizonMs)
  }
  const validation = probabilities('validation')
  const test = probabilities('test')
  const calibrated = data.slices.calibration.facts()
  const spread = calibrationSpread(
    scoreRows(module, booster, data.slices.calibration.rows()).map((margin) =>
      calibrate(calibration, margin),
    ),
    calibrated.labels,
    calibrated.node,
  )
  const model = describeModel(
    {
      manifest,
      nodeClass,
      dataDir,
      seed,
      name: manifest.name,
      horizonMs,
      featureNames,
      featureHash,
      lives,
      booster: widen(booster, data.columns, featureNames.length),
      calibration,
      validation,
      test,
    },
    {
      calibrationSpread: spread,
      baselines: judgeBaselines(manifest, data.slices.test.facts(), intervalMs),
      notes: [
        `Split by node hash: fit below ${split.fit}, calibration below ${split.calibration}, validation below ${split.validation}, test the rest. Test nodes were never seen.`,
        ...(training.members === 1 ? [] : [`The mean of ${training.members} models.`]),
      ],
    },
  )
  const kinds = failureKinds(manifest, data.events, lives)
  const { fit } = data.slices
  return {
    ...model,
    reference: referenceOf({
      nodeClass,
      featureNames: Array.from(data.columns, (column) => featureNames[column]),
      bounds: data.bounds,
      rows: fit.rows(),
      nodes: fit.facts().node,
      scores: validation.scores,
      scoreNodes: validation.node,
    }),
    card: { ...model.card, kinds: judgeKinds(test, model.card.actingPoint, kinds) },
  }
}
