/**
 * `foreshock train`: a history becomes a model directory: model.onnx, card.json and the hashes of the
 * nodes it learned from. The directory appears at once and whole, or not at all.
 */
import { ServiceError } from '../src/core/errors.ts'
import type { ModelCard } from '../src/core/model.ts'
import type { NodeClass } from '../src/core/node.ts'
import type { ScoredRows } from './alerts.ts'
import type { Booster } from './booster.ts'
import { calibrationSpread } from './calibration-spread.ts'
import {
  calibrate,
  chooseCalibration,
  type CalibrationRows,
  type ChosenCalibration,
} from './calibration.ts'
import { describeModel } from './card.ts'
import { readDataset, type Dataset } from './dataset.ts'
import type { FinishedModel } from './continued.ts'
import { widen } from './ensemble.ts'
import { judgeBaselines, scoredRows } from './evaluate.ts'
import { checkFiles } from './export-check.ts'
import { trainFolded } from './folded-model.ts'
import { calibrationRows, growTrees } from './grow-trees.ts'
import { dropGrown } from './growing.ts'
import { growHorizons, growingDir, shorterHorizons } from './horizons.ts'
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
  /** Go on from what an interrupted training has kept. */
  readonly resume?: boolean
  /** A model to add trees to. */
  readonly from?: FinishedModel
  readonly onProgress?: (progress: TrainProgress) => void
  readonly signal?: AbortSignal
}

/**
 * ServiceError HISTORY_EMPTY, HISTORY_INVALID, MODEL_MISMATCH or INTERRUPTED; then no model was written.
 * What an interrupted training has grown is kept beside `outDir`.
 */
export async function train(options: TrainOptions): Promise<ModelCard> {
  const { manifest, nodeClass, dataDir, module, seed, signal, from } = options
  if (from !== undefined && shorterHorizons(manifest).length > 0) {
    throw new ServiceError(
      'USAGE',
      `--from: history \`${manifest.name}\` has \`horizons\`, and trees to go on from are of one horizon: train a new model`,
    )
  }
  if (options.resume !== true) await dropAllGrown(options)
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
      ...(from === undefined ? {} : { before: from }),
    })
    requireSameFeatures(from, data)
    const grown = await growModel(options, data)
    const model = await checkFiles(grown)
    tell({ step: 'writing', doneRatio: 0, detail: options.outDir })
    stopIfAborted(signal)
    await writeModel(options.outDir, model)
    await dropAllGrown(options)
    return model.card
  } finally {
    history.close()
  }
}

async function dropAllGrown({ manifest, outDir }: TrainOptions): Promise<void> {
  const { members } = manifest.training
  await dropGrown(outDir, members)
  for (const horizon of shorterHorizons(manifest)) {
    await dropGrown(growingDir(outDir, horizon), members)
  }
}

async function growModel(options: TrainOptions, data: Dataset): Promise<ModelFiles> {
  const { folds } = options.manifest.training
  const tell = options.onProgress ?? (() => {})
  if (folds !== null) {
    if (options.from !== undefined) {
      throw new ServiceError(
        'USAGE',
        `--from: history \`${options.manifest.name}\` is trained by folds, whose trees share no model to go on from`,
      )
    }
    const onProgress = (doneRatio: number, detail: string): void =>
      tell({ step: 'growing trees', doneRatio, detail })
    return trainFolded({ ...options, data, foldCount: folds, onProgress })
  }
  const booster = await growTrees(options, data, options.manifest.horizonMs)
  tell({ step: 'judging', doneRatio: 0, detail: `${booster.trees.length} trees` })
  const rows = calibrationRows(options.module, booster, data)
  const calibrated = chooseCalibration(options.manifest.training.calibration, rows)
  const model = describe(options, data, booster, rows, calibrated)
  const grown = { booster, calibrated }
  return { ...model, horizons: await growHorizons(options, data, grown, model.card.version) }
}

function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) {
    throw new ServiceError('INTERRUPTED', 'training was interrupted; nothing was written')
  }
}

/** What a model that is gone on from must be like. */
function requireSameFeatures(from: FinishedModel | undefined, data: Dataset): void {
  if (from === undefined || from.featureHash === data.featureHash) return
  throw new ServiceError(
    'MODEL_MISMATCH',
    `model ${from.version} reads other features than the history's node class gives: train a new model`,
  )
}

function describe(
  { manifest, nodeClass, dataDir, module, seed, from }: TrainOptions,
  data: Dataset,
  booster: Booster,
  calibratedOn: CalibrationRows,
  calibrated: ChosenCalibration,
): ModelFiles {
  const { featureNames, featureHash, lives, movedLabels } = data
  const { horizonMs, split, training } = manifest
  const intervalMs = nodeClass.predictionIntervalMs
  const probabilities = (slice: Slice): ScoredRows => {
    const margins = scoreRows(module, booster, data.slices[slice].rows())
    const scores = margins.map((margin) => calibrate(calibrated.calibration, margin))
    return scoredRows(data.slices[slice].facts(), scores, intervalMs, horizonMs)
  }
  const validation = probabilities('validation')
  const test = probabilities('test')
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
      movedLabels,
      booster: widen(booster, data.columns, featureNames.length),
      calibrated,
      validation,
      test,
      ...(from === undefined ? {} : { onto: from.version }),
    },
    {
      calibrationSpread: calibrationSpread(calibrated.calibration, calibratedOn),
      baselines: judgeBaselines(manifest, data.slices.test.facts(), intervalMs),
      notes: [
        `Split by node hash: fit below ${split.fit}, calibration below ${split.calibration}, validation below ${split.validation}, test the rest. Test nodes were never seen.`,
        ...(training.members === 1 || from !== undefined
          ? []
          : [`The mean of ${training.members} models.`]),
        ...(from === undefined
          ? []
          : [`Goes on from model ${from.version} with its ${from.trees.length} trees.`]),
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
