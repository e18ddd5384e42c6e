/**
 * Reads a tree ensemble out of an ONNX model, where the model is of the shape that training writes:
 * a regressor of one target whose margin is scaled, shifted and put through a sigmoid. Any other
 * model is foreign and stays with ONNX Runtime.
 */
import protobuf from 'protobufjs'

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
}

export interface TreeEnsemble {
  readonly base: number
  readonly trees: readonly EnsembleTree[]
  /** Probability = sigmoid(slope × margin + intercept). */
  readonly slope: number
  readonly intercept: number
}

export type EnsembleRead =
  | { readonly ok: true; readonly ensemble: TreeEnsemble }
  | { readonly ok: false; readonly reason: string }

const field = (id: number, type: string) => ({ id, type })
const list = (id: number, type: string) => ({ id, type, rule: 'repeated' })

/**
 * Field numbers as in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Its int64 are read as
 * int32, which is the same on the wire up to 2^31 and spares an object for each.
 */
const SCHEMA = {
  nested: {
    ModelProto: { fields: { graph: field(7, 'GraphProto') } },
    GraphProto: {
      fields: { node: list(1, 'NodeProto'), initializer: list(5, 'TensorProto') },
    },
    NodeProto: {
      fields: {
        input: list(1, 'string'),
        output: list(2, 'string'),
        opType: field(4, 'string'),
        attribute: list(5, 'AttributeProto'),
        domain: field(7, 'string'),
      },
    },
    AttributeProto: {
      fields: {
        name: field(1, 'string'),
        i: field(3, 'int32'),
        s: field(4, 'string'),
        floats: list(7, 'float'),
        ints: list(8, 'int32'),
        strings: list(9, 'string'),
      },
    },
    TensorProto: {
      fields: { floatData: list(4, 'float'), name: field(8, 'string') },
    },
  },
}

/** As protobufjs gives it with defaults filled in. */
interface Attribute {
  readonly name: string
  readonly i: number
  readonly s: string
  readonly floats: readonly number[]
  readonly ints: readonly number[]
  readonly strings: readonly string[]
}

interface GraphNode {
  readonly input: readonly string[]
  readonly output: readonly string[]
  readonly opType: string
  readonly domain: string
  readonly attribute: readonly Attribute[]
}

interface Graph {
  readonly node: readonly GraphNode[]
  readonly initializer: readonly { readonly name: string; readonly floatData: readonly number[] }[]
}

const REGRESSOR = 'TreeEnsembleRegressor'
/** What training writes: operators with their inputs and outputs, in this order. */
const PIPELINE = [
  `${REGRESSOR}(features)->margin`,
  'Mul(margin,slope)->scaled',
  'Add(scaled,intercept)->logit',
  'Sigmoid(logit)->probability',
]
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
  'target_treeids',
  'target_nodeids',
  'target_ids',
  'target_weights',
])

/** Why a model is foreign; thrown and caught in this file. */
class Foreign extends Error {}

/** @param bytes model.onnx. Bytes that are no ONNX model at all are refused like a foreign one. */
export function readEnsemble(bytes: Uint8Array, featureCount: number): EnsembleRead {
  try {
    return { ok: true, ensemble: ensembleOf(readGraph(bytes), featureCount) }
  } catch (error) {
    if (error instanceof Foreign) return { ok: false, reason: error.message }
    throw error
  }
}

function readGraph(bytes: Uint8Array): Graph {
  const type = protobuf.Root.fromJSON(SCHEMA).lookupType('ModelProto')
  try {
    const plain = type.toObject(type.decode(bytes), { defaults: true, arrays: true })
    check(plain['graph'] !== null, 'there is no graph')
    return plain['graph'] as Graph
  } catch (cause) {
    throw new Foreign('not an ONNX model', { cause })
  }
}

function ensembleOf(graph: Graph, featureCount: number): TreeEnsemble {
  const shape = graph.node.map(
    ({ opType, input, output }) => `${opType}(${input.join()})->${output.join()}`,
  )
  check(shape.join() === PIPELINE.join(), `the graph is ${shape.join(', ')}`)
  const regressor = graph.node[0]
  check(regressor.domain === 'ai.onnx.ml', `the regressor is of domain ${regressor.domain}`)
  const attributes = new Map(regressor.attribute.map((attribute) => [attribute.name, attribute]))
  for (const name of attributes.keys()) check(ATTRIBUTES.has(name), `it has attribute ${name}`)
  check(attributes.get('n_targets')?.i === 1, 'it has more than one target')
  check((attributes.get('aggregate_function')?.s ?? 'SUM') === 'SUM', 'it does not sum')
  check((attributes.get('post_transform')?.s ?? 'NONE') === 'NONE', 'it transforms')
  const bases = attributes.get('base_values')?.floats ?? []
  check(bases.length <= 1, 'it has several base values')
  return {
    base: bases[0] ?? 0,
    trees: treesOf(attributes, featureCount),
    slope: scalar(graph, 'slope'),
    intercept: scalar(graph, 'intercept'),
  }
}

function scalar({ initializer }: Graph, name: string): number {
  const values = initializer.find((tensor) => tensor.name === name)?.floatData ?? []
  check(values.length === 1, `${name} is not one float`)
  return values[0]
}

function treesOf(
  attributes: ReadonlyMap<string, Attribute>,
  featureCount: number,
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
  const modes = attributes.get('nodes_modes')?.strings ?? []
  check(thresholds.length === nodeIds.length, 'a node has no threshold')
  check(modes.length === nodeIds.length, 'a node has no mode')
  const trees = new Map<number, GrowingTree>()
  for (const [i, nodeId] of nodeIds.entries()) {
    const tree = trees.get(treeIds[i]) ?? new GrowingTree()
    trees.set(treeIds[i], tree)
    check(nodeId === tree.feature.length, 'the nodes of a tree are not numbered in order')
    const isLeaf = modes[i] === 'LEAF'
    check(isLeaf || modes[i] === 'BRANCH_LEQ', `a split is ${modes[i]}`)
    check(isLeaf || !Number.isNaN(thresholds[i]), 'a threshold is not a number')
    check(isLeaf || (features[i] >= 0 && features[i] < featureCount), 'a feature does not exist')
    tree.feature.push(isLeaf ? -1 : features[i])
    tree.threshold.push(thresholds[i])
    tree.missingLeft.push(missing[i] === 1)
    tree.left.push(lefts[i])
    tree.right.push(rights[i])
    tree.value.push(NaN)
  }
  addLeaves(attributes, trees)
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
}

function addLeaves(
  attributes: ReadonlyMap<string, Attribute>,
  trees: ReadonlyMap<number, GrowingTree>,
): void {
  const nodeIds = ints(attributes, 'target_nodeids')
  const treeIds = ints(attributes, 'target_treeids', nodeIds.length)
  const targets = ints(attributes, 'target_ids', nodeIds.length)
  const weights = attributes.get('target_weights')?.floats ?? []
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
  attributes: ReadonlyMap<string, Attribute>,
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
