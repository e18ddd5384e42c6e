/** A model of one split, as small as a model can be, that fits a node class. */
import { createHash } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ModelCard } from '../../../src/core/model.ts'
import type { NodeClass } from '../../../src/core/node.ts'
import { featureHash, featureNames } from '../../../src/state/features.ts'
import type { Booster } from '../../../training/booster.ts'
import { toOnnx } from '../../../training/onnx.ts'

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
    horizonMs: 3_600_000,
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

/** Writes model.onnx and card.json, with what else the card shall say; returns the directory. */
export function writeTinyModel(
  nodeClass: NodeClass,
  threshold = 45,
  more: Partial<ModelCard> = {},
): string {
  const names = featureNames(nodeClass)
  const onnx = toOnnx({
    booster: tinyBooster(names.length, threshold),
    calibration: { kind: 'sigmoid', slope: 1, intercept: 0 },
    featureNames: names,
    featureHash: featureHash(nodeClass),
    horizonMs: 3_600_000,
    version: 'tiny-1',
  })
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-tiny-'))
  writeFileSync(join(directory, 'model.onnx'), onnx)
  writeFileSync(
    join(directory, 'card.json'),
    JSON.stringify({ ...tinyCard(nodeClass, onnx), ...more }),
  )
  return directory
}
