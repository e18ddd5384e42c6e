/**
 * A booster as an ONNX model: `features` float32 [rows, features] in, `margin` (log odds) and
 * `probability` (calibrated) out, both float32 [rows, 1]. NaN is a missing value and follows the side
 * that training learned for it.
 */
import type { Booster, Tree } from './booster.ts'
import type { Calibration } from '../src/core/calibration.ts'
import { calibrationGraph } from '../src/predict/calibration-graph.ts'
import { encodeOnnx } from '../src/predict/onnx-schema.ts'

export interface OnnxOptions {
  readonly booster: Booster
  readonly calibration: Calibration
  readonly featureNames: readonly string[]
  readonly featureHash: string
  readonly horizonMs: number
  readonly version: string
}

const IR_VERSION = 8
const OPSET = 17
const ML_DOMAIN = 'ai.onnx.ml'
const ML_OPSET = 3
const FLOAT = 1
const LEAF = bytes('LEAF')
const BRANCH = bytes('BRANCH_LEQ')
const ATTRIBUTE = { int: 2, string: 3, floats: 6, ints: 7, strings: 8 } as const

export function toOnnx(options: OnnxOptions): Uint8Array {
  const { booster, calibration, featureNames, featureHash, horizonMs, version } = options
  const calibrated = calibrationGraph(calibration)
  return encodeOnnx({
    irVersion: IR_VERSION,
    producerName: 'foreshock',
    producerVersion: version,
    opsetImport: [
      { domain: '', version: OPSET },
      { domain: ML_DOMAIN, version: ML_OPSET },
    ],
    metadataProps: [
      { key: 'featureHash', value: featureHash },
      { key: 'features', value: JSON.stringify(featureNames) },
      { key: 'horizonMs', value: String(horizonMs) },
      { key: 'version', value: version },
    ],
    graph: {
      name: 'foreshock',
      input: [matrix('features', booster.featureCount)],
      output: [matrix('probability', 1), matrix('margin', 1)],
      initializer: calibrated.initializer,
      node: [ensemble(booster), ...calibrated.node],
    },
  })
}

function matrix(name: string, width: number): object {
  const shape = { dim: [{ dimParam: 'rows' }, { dimValue: width }] }
  return { name, type: { tensorType: { elemType: FLOAT, shape } } }
}

/** One entry per tree node in each `nodes_*` attribute, and one per leaf in each `target_*`. */
function ensemble(booster: Booster): object {
  const nodes = booster.trees.flatMap((tree, treeId) => treeNodes(tree, treeId))
  const leaves = nodes.filter(({ isLeaf }) => isLeaf)
  const column = <Key extends keyof TreeNode>(key: Key) => nodes.map((node) => node[key])
  return {
    opType: 'TreeEnsembleRegressor',
    domain: ML_DOMAIN,
    input: ['features'],
    output: ['margin'],
    attribute: [
      { name: 'n_targets', type: ATTRIBUTE.int, i: 1 },
      { name: 'aggregate_function', type: ATTRIBUTE.string, s: bytes('SUM') },
      { name: 'post_transform', type: ATTRIBUTE.string, s: bytes('NONE') },
      floats('base_values', [booster.base]),
      ints('nodes_treeids', column('treeId')),
      ints('nodes_nodeids', column('nodeId')),
      ints('nodes_featureids', column('feature')),
      floats('nodes_values', column('threshold')),
      ...covers(booster),
      ints('nodes_truenodeids', column('left')),
      ints('nodes_falsenodeids', column('right')),
      ints('nodes_missing_value_tracks_true', column('missingLeft')),
      {
        name: 'nodes_modes',
        type: ATTRIBUTE.strings,
        strings: nodes.map(({ isLeaf }) => (isLeaf ? LEAF : BRANCH)),
      },
      ints(
        'target_treeids',
        leaves.map(({ treeId }) => treeId),
      ),
      ints(
        'target_nodeids',
        leaves.map(({ nodeId }) => nodeId),
      ),
      ints(
        'target_ids',
        leaves.map(() => 0),
      ),
      floats(
        'target_weights',
        leaves.map(({ value }) => value),
      ),
    ],
  }
}

/** Explanations need them of every tree; no runtime scores by them. */
function covers({ trees }: Booster): readonly object[] {
  const all = trees.flatMap(({ cover }) => (cover === undefined ? [] : [cover]))
  if (all.length < trees.length) return []
  return [
    floats(
      'nodes_hitrates',
      all.flatMap((cover) => [...cover]),
    ),
  ]
}

interface TreeNode {
  readonly treeId: number
  readonly nodeId: number
  readonly isLeaf: boolean
  readonly feature: number
  readonly threshold: number
  readonly left: number
  readonly right: number
  readonly missingLeft: number
  readonly value: number
}

function treeNodes(tree: Tree, treeId: number): TreeNode[] {
  return Array.from(tree.feature, (feature, nodeId) => ({
    treeId,
    nodeId,
    isLeaf: feature < 0,
    feature: Math.max(0, feature),
    threshold: tree.threshold[nodeId],
    left: tree.left[nodeId],
    right: tree.right[nodeId],
    missingLeft: tree.missingLeft[nodeId],
    value: tree.value[nodeId],
  }))
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function ints(name: string, values: readonly number[]): object {
  return { name, type: ATTRIBUTE.ints, ints: values }
}

function floats(name: string, values: readonly number[]): object {
  return { name, type: ATTRIBUTE.floats, floats: values }
}
