/**
 * `foreshock train`: a history becomes a model directory: model.onnx, card.json and the hashes of the
 * nodes it learned from. The directory appears at once and whole, or not at all.
 */
import { createHash } from 'node:crypto'
import { setImmediate as breathe } from 'node:timers/promises'
import { ServiceError } from '../src/core/errors.ts'
import type { ModelCard } from '../src/core/model.ts'
import type { NodeClass } from '../src/core/node.ts'
import { thresholdFor, type ScoredRows } from './alerts.ts'
import { DEFAULT_BOOST, growBoost, type BoostParams } from './boost.ts'
import type { Booster } from './booster.ts'
import { calibrate, fitCalibration, type Calibration } from './calibration.ts'
import { readDataset, type Dataset } from './dataset.ts'
import { meanOf, widen } from './ensemble.ts'
import { judge, judgeBaselines, scoredRows } from './evaluate.ts'
import { trainFolded } from './folded-model.ts'
import { failureKinds, judgeKinds } from './kinds.ts'
import { openHistory } from './history.ts'
import type { Lives } from './labels.ts'
import { dataDigest, sliceOf, type Manifest, type Slice } from './manifest.ts'
import { TRAINED_NODES_FILE, writeModel, type ModelFiles } from './model-files.ts'
import { toOnnx } from './onnx.ts'
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
    const model = await growModel(options, data)
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
  const { trees, leaves, learningRate, featureRatio, rowsMin, members } = manifest.training
  const params: BoostParams = {
    ...DEFAULT_BOOST,
    treesMax: trees,
    leavesMax: leaves,
    learningRate,
    featureRatio,
    rowsMin,
    seed: seed + member * SEED_STEP,
  }
  const rows = data.slices.fit.rows()
  const validation = data.slices.validation.rows()
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
      detail: `${members === 1 ? '' : `model ${member + 1} of ${members}: `}${step.value.trees} trees, PR-AUC on validation ${step.value.validation?.toFixed(4) ?? '?'}`,
    })
  }
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
) {
  const { horizonMs, alerts } = manifest
  const interval = nodeClass.predictionIntervalMs
  const probabilities = (slice: Slice): ScoredRows => {
    const margins = scoreRows(module, booster, data.slices[slice].rows())
    const scores = margins.map((margin) => calibrate(calibration, margin))
    return scoredRows(data.slices[slice].facts(), scores, interval, horizonMs)
  }
  const validation = probabilities('validation')
  const test = probabilities('test')
  const actingPoint = thresholdFor(validation, alerts.acting)
  const digest = dataDigest(manifest, dataDir)
  const version = `${manifest.name}-${digest.slice(0, 8)}-${seed}`
  const { featureNames, featureHash } = data
  const wide = widen(booster, data.columns, featureNames.length)
  const onnx = toOnnx({ booster: wide, calibration, featureNames, featureHash, horizonMs, version })
  const card: ModelCard = {
    name: manifest.name,
    version,
    history: `${manifest.name}:${digest}`,
    nodeClass: nodeClass.name,
    horizonMs,
    features: featureNames,
    featureHash,
    actingPoint,
    alertBudgets: alerts.budgets.map((falseAlarmsPer1000NodeMonths) => ({
      falseAlarmsPer1000NodeMonths,
      probability: thresholdFor(validation, falseAlarmsPer1000NodeMonths),
    })),
    modelHash: createHash('sha256').update(onnx).digest('hex'),
    trainedNodes: TRAINED_NODES_FILE,
    trees: booster.trees.length,
    leavesMax: manifest.training.leaves,
    seed,
    validation: judge(validation, actingPoint, alerts.budgets),
    test: judge(test, actingPoint, alerts.budgets),
    baselines: judgeBaselines(manifest, data.slices.test.facts(), interval),
    kinds: judgeKinds(test, actingPoint, failureKinds(manifest, data.events, data.lives)),
    notes: [
      `Split by node hash: fit below ${manifest.split.fit}, calibration below ${manifest.split.calibration}, validation below ${manifest.split.validation}, test the rest. Test nodes were never seen.`,
      `Acting point: ${alerts.acting} false alarms per 1,000 node-months on the validation nodes.`,
      `Most telling features: ${topFeatures(wide, featureNames).join(', ')}.`,
    ],
  }
  return { card, onnx, trainedHashes: trainedHashes(manifest, data.lives) }
}

/**
 * Hashes of every node outside the test slice, sorted, so that a backtest leaves them out: also of
 * those whose rows sampling happened to drop, or a backtest would judge other nodes than the card.
 */
function trainedHashes(manifest: Manifest, lives: Lives): Uint32Array {
  const hashes: number[] = []
  for (let number = 0; number < lives.nodeCount; number++) {
    const hash = lives.hashOf(number)
    if (sliceOf(manifest, hash) !== 'test') hashes.push(hash)
  }
  return Uint32Array.from(hashes).sort()
}

const FEATURES_SHOWN = 8

function topFeatures({ importance }: Booster, names: readonly string[]): readonly string[] {
  return names
    .map((name, i) => ({ name, gain: importance[i] }))
    .sort((a, b) => b.gain - a.gain)
    .slice(0, FEATURES_SHOWN)
    .map(({ name }) => name)
}
