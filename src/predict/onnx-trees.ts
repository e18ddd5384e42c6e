/**
 * Reads the tree ensemble out of an ONNX model: the regressor that training writes, with its calibration,
 * and the binary classifiers that onnxmltools and skl2onnx write of LightGBM, XGBoost and scikit-learn.
 * Anything else is foreign, is said to be so, and stays with ONNX Runtime as it is.
 */
import type { Calibration } from '../core/calibration.ts'
import { describeNode, readCalibration } from './calibration-graph.ts'
import {
  decodeOnnx,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
} from './onnx-schema.ts'

/** One tree, nodes by index, the root at 0. At a leaf `feature` is -1. */
export interface EnsembleTree {
  readonly feature: readonly number[]
  /** A value at or below goes left. */
  readonly threshold: readonly number[]
  readonly missingLeft: readonly boolean[]
  readonly left: readonly number[]
  readonly right: readonly number[]
  /** Of a leaf: added to the margin. */
  readonly value: readonly number[]
  /** `nodes_hitrates`: rows of training that came to each node, where whoever wrote the model says so. */
  readonly cover?: readonly number[]
}

export interface TreeEnsemble {
  readonly base: number
  readonly trees: readonly EnsembleTree[]
  readonly calibration: Calibration
}

export type EnsembleRead =
  | { readonly ok: true; readonly ensemble: TreeEnsemble }
  | { readonly ok: false; readonly reason: string }

/** A node of a graph that sums trees over the graph's input. */
export interface EnsembleNode {
  readonly node: OnnxNode
  /** A classifier gives labels and [rows, 2]; a regressor gives its sum, [rows, 1]. */
  readonly isClassifier: boolean
  /** What makes a probability of a classifier's sum. */
  readonly transform: 'none' | 'logistic'
  readonly base: number
  readonly trees: readonly EnsembleTree[]
}

const REGRESSOR = 'TreeEnsembleRegressor'
const CLASSIFIER = 'TreeEnsembleClassifier'
/** What training writes before the calibration. */
const FIRST = `${REGRESSOR}(features)->margin`
/** Attributes that are understood; one that is not may change what the ensemble says. */
const ATTRIBUTES: ReadonlySet<string> = new Set([
  'n_targets',
  'aggregate_function',
  'post_transform',
  'base_values',
  'nodes_treeids',
  'nodes_nodeids',
  'nodes_featureids',
  'nodes_values',
  'nodes_truenodeids',
  'nodes_falsenodeids',
  'nodes_missing_value_tracks_true',
  'nodes_modes',
  'nodes_hitrates',
  'target_treeids',
  'target_nodeids',
  'target_ids',
  'target_weights',
  'classlabels_int64s',
  'class_treeids',
  'class_nodeids',
  'class_ids',
  'class_weights',
])

/** Why a model is foreign; thrown and caught in this file. */
class Foreign extends Error {}

/** @param bytes model.onnx. Bytes that are no ONNX model at all are refused like a foreign one. */
export function readEnsemble(bytes: Uint8Array, featureCount: number): EnsembleRead {
  try {
    const model = decodeOnnx(bytes)
    check(model !== null, 'not an ONNX model')
    return { ok: true, ensemble: ensembleOf(model.graph, featureCount) }
  } catch (error) {
    if (error instanceof Foreign) return { ok: false, reason: error.message }
    throw error
  }
}

/** The one node of a graph that sums trees over the graph's input, whatever comes after it. */
export function findEnsemble(
  { graph }: OnnxModel,
  featureCount: number,
): EnsembleNode | { readonly reason: string } {
  try {
    const nodes = graph.node.filter(({ opType }) => opType.startsWith('TreeEnsemble'))
    check(nodes.length === 1, `it has ${nodes.length} tree ensembles`)
    check(nodes[0].input[0] === graph.input[0]?.name, 'its trees do not read its input')
    return readNode(nodes[0], featureCount)
  } catch (error) {
    if (error instanceof Foreign) return { reason: error.message }
    throw error
  }
}

function ensembleOf(graph: OnnxGraph, featureCount: number): TreeEnsemble {
  if (graph.node.some(({ opType }) => opType === CLASSIFIER)) return logistic(graph, featureCount)
  const [first, ...after] = graph.node
  check(first !== undefined && describeNode(first) === FIRST, 'its margin is of no trees alone')
  const calibration = readCalibration(graph, after)
  if (typeof calibration === 'string') throw new Foreign(calibration)
  const { base, trees } = readNode(first, featureCount)
  return { base, trees, calibration }
}

/** A classifier whose second column is the sigmoid of its sum, handed on as it is. */
function logistic(graph: OnnxGraph, featureCount: number): TreeEnsemble {
  const at = graph.node.findIndex(({ opType }) => opType === CLASSIFIER)
  const { transform, base, trees } = readNode(graph.node[at], featureCount)
  check(transform === 'logistic', 'its sum is no margin')
  const after = graph.node.filter((_, i) => i !== at)
  for (const node of after) {
    const isPlain = ['Identity', 'Cast'].includes(node.opType) || isByOne(graph, node)
    check(isPlain, `after its trees comes ${describeNode(node)}`)
  }
  return { base, trees, calibration: { kind: 'sigmoid', slope: 1, intercept: 0 } }
}

/** onnxmltools multiplies the probabilities by one to give them their name. */
function isByOne(graph: OnnxGraph, { opType, input }: OnnxNode): boolean {
  const factor = graph.initializer.find(({ name }) => name === input[1])
  if (opType !== 'Mul' || factor === undefined) return false
  const { floatData, rawData } = factor
  const [value] = floatData.length > 0 ? floatData : new Float32Array(rawData.slice().buffer)
  return value === 1
}

function readNode(node: OnnxNode, featureCount: number): EnsembleNode {
  const isClassifier = node.opType === CLASSIFIER
  check(isClassifier || node.opType === REGRESSOR, `its trees are a ${node.opType}`)
  check(node.domain === 'ai.onnx.ml', `the ensemble is of domain ${node.domain}`)
  const attributes = new Map(node.attribute.map((attribute) => [attribute.name, attribute]))
  for (const name of attributes.keys()) check(ATTRIBUTES.has(name), `it has attribute ${name}`)
  const textOf = (name: string, missing: string) => {
    const attribute = attributes.get(name)
    return attribute === undefined ? missing : text(attribute.s)
  }
  const transform = textOf('post_transform', 'NONE')
  if (isClassifier) {
    check(attributes.get('classlabels_int64s')?.ints.join() === '0,1', 'its classes are not 0, 1')
    check(transform === 'NONE' || transform === 'LOGISTIC', `it transforms by ${transform}`)
  } else {
    check((attributes.get('n_targets')?.i ?? 1) === 1, 'it has more than one target')
    check(textOf('aggregate_function', 'SUM') === 'SUM', 'it does not sum')
    check(transform === 'NONE', 'it transforms')
  }
  const bases = attributes.get('base_values')?.floats ?? []
  check(bases.length <= 1, 'it has several base values')
  return {
    node,
    isClassifier,
    transform: transform === 'LOGISTIC' ? 'logistic' : 'none',
    base: bases[0] ?? 0,
    trees: treesOf(attributes, featureCount, isClassifier ? 'class' : 'target'),
  }
}

function treesOf(
  attributes: ReadonlyMap<string, OnnxAttribute>,
  featureCount: number,
  leaves: 'target' | 'class',
): readonly EnsembleTree[] {
  const nodeIds = ints(attributes, 'nodes_nodeids')
  const column = (name: string) => ints(attributes, name, nodeIds.length)
  const treeIds = column('nodes_treeids')
  const features = column('nodes_featureids')
  const lefts = column('nodes_truenodeids')
  const rights = column('nodes_falsenodeids')
  const missing = attributes.has('nodes_missing_value_tracks_true')
    ? column('nodes_missing_value_tracks_true')
    : nodeIds.map(() => 0)
  const thresholds = attributes.get('nodes_values')?.floats ?? []
  const covers = attributes.get('nodes_hitrates')?.floats ?? []
  const isCovered = covers.length === nodeIds.length
  const modes = (attributes.get('nodes_modes')?.strings ?? []).map(text)
  check(thresholds.length === nodeIds.length, 'a node has no threshold')
  check(modes.length === nodeIds.length, 'a node has no mode')
  const trees = new Map<number, GrowingTree>()
  for (const [i, nodeId] of nodeIds.entries()) {
    const tree = trees.get(treeIds[i]) ?? new GrowingTree(isCovered)
    trees.set(treeIds[i], tree)
    check(nodeId === tree.feature.length, 'the nodes of a tree are not numbered in order')
    const isLeaf = modes[i] === 'LEAF'
    const isBelow = modes[i] === 'BRANCH_LT'
    check(isLeaf || isBelow || modes[i] === 'BRANCH_LEQ', `a split is ${modes[i]}`)
    check(isLeaf || !Number.isNaN(thresholds[i]), 'a threshold is not a number')
    check(isLeaf || (features[i] >= 0 && features[i] < featureCount), 'a feature does not exist')
    tree.feature.push(isLeaf ? -1 : features[i])
    tree.threshold.push(isBelow ? nextBelow(thresholds[i]) : thresholds[i])
    tree.missingLeft.push(missing[i] === 1)
    tree.left.push(lefts[i])
    tree.right.push(rights[i])
    tree.value.push(NaN)
    tree.cover?.push(covers[i])
  }
  addLeaves(attributes, trees, leaves)
  for (const tree of trees.values()) checkShape(tree)
  return [...trees.values()]
}

class GrowingTree implements EnsembleTree {
  readonly feature: number[] = []
  readonly threshold: number[] = []
  readonly missingLeft: boolean[] = []
  readonly left: number[] = []
  readonly right: number[] = []
  readonly value: number[] = []
  readonly cover?: number[]

  constructor(isCovered: boolean) {
    if (isCovered) this.cover = []
  }
}

function addLeaves(
  attributes: ReadonlyMap<string, OnnxAttribute>,
  trees: ReadonlyMap<number, GrowingTree>,
  leaves: 'target' | 'class',
): void {
  const nodeIds = ints(attributes, `${leaves}_nodeids`)
  const treeIds = ints(attributes, `${leaves}_treeids`, nodeIds.length)
  const targets = ints(attributes, `${leaves}_ids`, nodeIds.length)
  const weights = attributes.get(`${leaves}_weights`)?.floats ?? []
  check(weights.length === nodeIds.length, 'a leaf has no weight')
  for (const [i, nodeId] of nodeIds.entries()) {
    const tree = trees.get(treeIds[i])
    check(tree?.feature[nodeId] === -1 && targets[i] === 0, 'a weight is of no leaf')
    check(Number.isNaN(tree.value[nodeId]), 'a leaf has two weights')
    tree.value[nodeId] = weights[i]
  }
}

/** Every node is reached from the root once, and every leaf has a value. */
function checkShape(tree: EnsembleTree): void {
  const waiting = [0]
  const reached = new Set<number>()
  while (waiting.length > 0) {
    const node = waiting.pop()!
    check(node < tree.feature.length && !reached.has(node), 'a tree is no tree')
    reached.add(node)
    if (tree.feature[node] < 0) check(Number.isFinite(tree.value[node]), 'a leaf has no weight')
    else waiting.push(tree.left[node], tree.right[node])
  }
  check(reached.size === tree.feature.length, 'a tree is no tree')
}

function ints(
  attributes: ReadonlyMap<string, OnnxAttribute>,
  name: string,
  length?: number,
): readonly number[] {
  const values = attributes.get(name)?.ints
  check(values !== undefined, `it has no ${name}`)
  check(length === undefined || values.length === length, `${name} is of another length`)
  return values
}

function check(holds: boolean, reason: string): asserts holds {
  if (!holds) throw new Foreign(reason)
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

/** The largest float32 below: `x < t` is `x <= nextBelow(t)`. */
function nextBelow(value: number): number {
  const float = Float32Array.of(value === 0 ? -0 : value)
  const bits = new Int32Array(float.buffer)
  if (value > 0) bits[0]--
  else if (value !== -Infinity) bits[0]++
  return float[0]
}
