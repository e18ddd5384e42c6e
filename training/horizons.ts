/**
 * Models of shorter horizons from the rows of the main one: the history is folded once, and only what is a
 * failure ahead differs. A row whose end within the longest horizon is known is known within each shorter
 * one, and a negative that was sampled for the longest is a negative of all, with the same weight.
 */
import { createHash } from 'node:crypto'
import { capByLonger } from '../src/core/horizons.ts'
import type { CardHorizon } from '../src/core/model.ts'
import { thresholdFor } from './alerts.ts'
import type { Booster } from './booster.ts'
import { calibrationSpread } from './calibration-spread.ts'
import { calibrate, chooseCalibration, type ChosenCalibration } from './calibration.ts'
import { type Dataset, requireBoth } from './dataset.ts'
import { widen } from './ensemble.ts'
import { judge, scoredRows } from './evaluate.ts'
import { calibrationRows, growTrees } from './grow-trees.ts'
import { HorizonRows } from './horizon-rows.ts'
import type { Horizon, Manifest, Slice } from './manifest.ts'
import { horizonFile, type HorizonFile } from './model-files.ts'
import { toOnnx } from './onnx.ts'
import { scoreRows } from './score.ts'
import type { TrainOptions, TrainProgress } from './train.ts'

interface Grown {
  readonly booster: Booster
  readonly calibrated: ChosenCalibration
}

interface Described extends Grown {
  readonly spread: CardHorizon['calibrationSpread']
  readonly version: string
}

/** Those before the last, which is the manifest's own. */
export function shorterHorizons({ horizons }: Manifest): readonly Horizon[] {
  return horizons.slice(0, -1)
}

/** Where what has grown of a horizon is kept until the model is written. */
export function growingDir(outDir: string, { name }: Horizon): string {
  return `${outDir}-horizon-${name}`
}

/**
 * Rising in horizon; judged as they are served, capped by the next longer one. Fails as growing the main
 * one does, and with HISTORY_EMPTY where a slice has no failure within a horizon.
 */
export async function growHorizons(
  options: TrainOptions,
  data: Dataset,
  main: Grown,
  version: string,
): Promise<readonly HorizonFile[]> {
  const files: HorizonFile[] = []
  let longer = probabilitiesOf(options, data, main)
  for (const horizon of shorterHorizons(options.manifest).toReversed()) {
    const within = atHorizon(options.manifest, data, horizon)
    const outDir = growingDir(options.outDir, horizon)
    const onProgress = (progress: TrainProgress): void =>
      options.onProgress?.({ ...progress, detail: `within ${horizon.name}: ${progress.detail}` })
    const booster = await growTrees({ ...options, outDir, onProgress }, within, horizon.horizonMs)
    const rows = calibrationRows(options.module, booster, within)
    const calibrated = chooseCalibration(options.manifest.training.calibration, rows)
    const own = probabilitiesOf(options, within, { booster, calibrated })
    longer = {
      validation: capByLonger(own.validation, longer.validation),
      test: capByLonger(own.test, longer.test),
    }
    const spread = calibrationSpread(calibrated.calibration, rows)
    const grown = { booster, calibrated, spread, version }
    files.push(describe(options, within, horizon, grown, longer))
  }
  return files.toReversed()
}

type Probabilities = Readonly<Record<'validation' | 'test', Float64Array>>

/** In the order of the slices' rows. */
function probabilitiesOf(
  { module }: TrainOptions,
  { slices }: Dataset,
  { booster, calibrated }: Grown,
): Probabilities {
  const of = (slice: 'validation' | 'test') =>
    Float64Array.from(scoreRows(module, booster, slices[slice].rows()), (margin) =>
      calibrate(calibrated.calibration, margin),
    )
  return { validation: of('validation'), test: of('test') }
}

function describe(
  { manifest, nodeClass }: TrainOptions,
  { slices, columns, featureNames, featureHash }: Dataset,
  { name, horizonMs }: Horizon,
  { booster, calibrated, spread, version }: Described,
  probabilities: Probabilities,
): HorizonFile {
  const { calibration, trials } = calibrated
  const wide = widen(booster, columns, featureNames.length)
  const onnx = toOnnx({
    booster: wide,
    calibration,
    featureNames,
    featureHash,
    horizonMs,
    version,
  })
  const { acting, budgets } = manifest.alerts
  const rowsOf = (slice: 'validation' | 'test') =>
    scoredRows(
      slices[slice].facts(),
      probabilities[slice],
      nodeClass.predictionIntervalMs,
      horizonMs,
    )
  const validation = rowsOf('validation')
  const threshold = thresholdFor(validation, acting)
  return {
    card: {
      name,
      horizonMs,
      file: horizonFile(name),
      modelHash: createHash('sha256').update(onnx).digest('hex'),
      trees: booster.trees.length,
      calibration,
      ...(trials.length === 0 ? {} : { calibrationTrials: trials }),
      calibrationSpread: spread,
      validation: judge(validation, threshold, budgets),
      test: judge(rowsOf('test'), threshold, budgets),
    },
    onnx,
    booster: wide,
    calibration,
  }
}

/** The same rows, labelled for a shorter horizon. */
function atHorizon(manifest: Manifest, data: Dataset, { name, horizonMs }: Horizon): Dataset {
  const within = (slice: Slice) => new HorizonRows(data.slices[slice], horizonMs)
  const slices = {
    fit: within('fit'),
    calibration: within('calibration'),
    validation: within('validation'),
    test: within('test'),
  }
  requireBoth(manifest, slices, ['fit', 'calibration', 'validation', 'test'], ` within ${name}`)
  return { ...data, slices }
}
