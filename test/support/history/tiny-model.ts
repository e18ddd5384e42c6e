/** A model of one split, as small as a model can be, that fits a node class. */
import { createHash } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CardHorizon, ModelCard } from '../../../src/core/model.ts'
import type { NodeClass } from '../../../src/core/node.ts'
import { HOUR_MS, parseDuration } from '../../../src/core/time.ts'
import { featureHash, featureNames } from '../../../src/state/features.ts'
import type { Booster } from '../../../training/booster.ts'
import { horizonFile } from '../../../training/model-files.ts'
import { toOnnx } from '../../../training/onnx.ts'

const HORIZON_MS = HOUR_MS

/** Low at or below the threshold of the first feature, high above it and where it is missing. */
function tinyBooster(featureCount: number, threshold: number): Booster {
  return {
    featureCount,
    base: -1,
    trees: [
      {
        feature: Int32Array.of(0, -1, -1),
        threshold: Float32Array.of(threshold, 0, 0),
        bin: Uint8Array.of(1, 0, 0),
        missingLeft: Uint8Array.of(0, 0, 0),
        left: Int32Array.of(1, 0, 0),
        right: Int32Array.of(2, 0, 0),
        value: Float32Array.of(0, -2, 2),
        cover: Float32Array.of(4, 3, 1),
      },
    ],
    importance: new Float64Array(featureCount),
  }
}

export function tinyCard(nodeClass: NodeClass, onnx: Uint8Array): ModelCard {
  const quality = {
    rowCount: 0,
    positiveCount: 0,
    nodeCount: 0,
    prAuc: 0,
    rocAuc: 0,
    threshold: 0.5,
    precision: 0,
    recall: 0,
    recallAtPrecisionHalf: 0,
    brier: 0,
    brierSkill: 0,
    ece: 0,
    calibrationSlope: null,
    leadTimeMs: null,
    alertBudget: [],
  }
  return {
    name: `tiny-${nodeClass.name}`,
    version: 'tiny-1',
    history: 'none',
    nodeClass: nodeClass.name,
    horizonMs: HORIZON_MS,
    features: featureNames(nodeClass),
    featureHash: featureHash(nodeClass),
    actingPoint: 0.9,
    alertBudgets: [],
    modelHash: createHash('sha256').update(onnx).digest('hex'),
    trainedNodes: 'trained-nodes.bin',
    trees: 1,
    leavesMax: 2,
    seed: 0,
    validation: quality,
    test: quality,
    baselines: {},
    kinds: {},
    notes: [],
  }
}

function tinyOnnx(
  nodeClass: NodeClass,
  threshold: number,
  horizonMs: number,
  version = 'tiny-1',
): Uint8Array {
  const names = featureNames(nodeClass)
  return toOnnx({
    booster: tinyBooster(names.length, threshold),
    calibration: { kind: 'sigmoid', slope: 1, intercept: 0 },
    featureNames: names,
    featureHash: featureHash(nodeClass),
    horizonMs,
    version,
  })
}

/** Writes model.onnx and card.json, with what else the card shall say; returns the directory. */
export function writeTinyModel(
  nodeClass: NodeClass,
  threshold = 45,
  more: Partial<ModelCard> = {},
): string {
  const onnx = tinyOnnx(nodeClass, threshold, HORIZON_MS, more.version)
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-tiny-'))
  writeFileSync(join(directory, 'model.onnx'), onnx)
  writeFileSync(
    join(directory, 'card.json'),
    JSON.stringify({ ...tinyCard(nodeClass, onnx), ...more }),
  )
  return directory
}

/** With a model of its own threshold for each shorter horizon, written `1m` and the like, rising. */
export function writeTinyHorizons(
  nodeClass: NodeClass,
  threshold: number,
  shorter: Readonly<Record<string, number>>,
): string {
  const files = Object.entries(shorter).map(([name, at]) => {
    const horizonMs = parseDuration(name)!
    const onnx = tinyOnnx(nodeClass, at, horizonMs)
    const { modelHash, trees, validation, test } = tinyCard(nodeClass, onnx)
    const card: CardHorizon = {
      name,
      horizonMs,
      file: horizonFile(name),
      modelHash,
      trees,
      calibration: { kind: 'sigmoid', slope: 1, intercept: 0 },
      calibrationSpread: null,
      validation,
      test,
    }
    return { card, onnx }
  })
  const directory = writeTinyModel(nodeClass, threshold, {
    horizons: files.map(({ card }) => card),
  })
  for (const { card, onnx } of files) writeFileSync(join(directory, card.file), onnx)
  return directory
}
