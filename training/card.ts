/** A grown model, described: its file, its card and the nodes it must not be judged by. */
import { createHash } from 'node:crypto'
import type { ModelCard, MovedLabels } from '../src/core/model.ts'
import type { NodeClass } from '../src/core/node.ts'
import { thresholdFor, type ScoredRows } from './alerts.ts'
import type { Booster } from './booster.ts'
import type { ChosenCalibration } from './calibration.ts'
import { judge } from './evaluate.ts'
import type { Lives } from './labels.ts'
import { dataDigest, sliceOf, type Manifest } from './manifest.ts'
import { TRAINED_NODES_FILE, type ModelFiles } from './model-files.ts'
import { toOnnx } from './onnx.ts'

export interface ModelMatter {
  readonly manifest: Manifest
  readonly nodeClass: NodeClass
  readonly dataDir: string
  readonly seed: number
  readonly name: string
  readonly horizonMs: number
  readonly featureNames: readonly string[]
  readonly featureHash: string
  readonly lives: Lives
  readonly movedLabels: MovedLabels | null
  readonly booster: Booster
  readonly calibrated: ChosenCalibration
  readonly validation: ScoredRows
  readonly test: ScoredRows
  /** Version of the model that this one goes on from. */
  readonly onto?: string
}

/** `extra`: what else the card says; its notes come last. */
export function describeModel(matter: ModelMatter, extra: Partial<ModelCard>): ModelFiles {
  const { manifest, nodeClass, dataDir, seed, name, horizonMs } = matter
  const { featureNames, featureHash, lives, booster, calibrated, validation, test } = matter
  const { calibration, trials } = calibrated
  const { alerts } = manifest
  const digest = dataDigest(manifest, dataDir)
  const onto = matter.onto === undefined ? '' : `-on-${matter.onto}`
  const version = `${name}-${digest.slice(0, 8)}-${seed}${onto}`
  const onnx = toOnnx({ booster, calibration, featureNames, featureHash, horizonMs, version })
  const actingPoint = thresholdFor(validation, alerts.acting)
  const card: ModelCard = {
    name,
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
    calibration,
    ...(trials.length === 0 ? {} : { calibrationTrials: trials }),
    modelHash: createHash('sha256').update(onnx).digest('hex'),
    trainedNodes: TRAINED_NODES_FILE,
    trees: booster.trees.length,
    leavesMax: manifest.training.leaves,
    seed,
    validation: judge(validation, actingPoint, alerts.budgets),
    test: judge(test, actingPoint, alerts.budgets),
    baselines: {},
    ...(matter.movedLabels === null ? {} : { movedLabels: matter.movedLabels }),
    ...extra,
    notes: [
      `Acting point: ${alerts.acting} false alarms per 1,000 node-months on the validation nodes.`,
      `Most telling features: ${topFeatures(booster, featureNames).join(', ')}.`,
      ...(matter.movedLabels === null ? [] : [movedNote(matter.movedLabels)]),
      ...(extra.notes ?? []),
    ],
  }
  return { card, onnx, trainedHashes: trainedHashes(manifest, lives), booster, calibration }
}

function movedNote({ rowCount, nodeCount, weight }: MovedLabels): string {
  const learned = weight === 0 ? 'They were left out' : `They were learned from at weight ${weight}`
  return `Of ${rowCount} rows of ${nodeCount} nodes it is unknown whether the failure would have come, because work was moved in time. ${learned}, and nothing was judged by them.`
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
    .filter(({ gain }) => gain > 0)
    .sort((a, b) => b.gain - a.gain)
    .slice(0, FEATURES_SHOWN)
    .map(({ name }) => name)
}
