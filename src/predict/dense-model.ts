/**
 * The form of a model that a GPU runs whole, made when the model is loaded: its tree ensemble becomes dense
 * (dense-trees.ts) and what comes after stays as it is, so calibration is the model's own.
 * A model without trees (a net, a regression) is its own GPU form.
 */
import { denseTrees, KEYS } from './dense-trees.ts'
import { findEnsemble, type EnsembleNode } from './onnx-trees.ts'
import {
  decodeOnnx,
  ELEMENT,
  encodeOnnx,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
} from './onnx-schema.ts'
import type { KeySlot } from './row-keys.ts'

export type DenseModel =
  | {
      readonly ok: true
      /** An ONNX model: `keys` int32 [rows, slots] in, the outputs that were asked for out. */
      readonly bytes: Uint8Array
      /** Null: no trees, and the model's own input is read. */
      readonly slots: readonly KeySlot[] | null
      /** Of the widest tensor in between: bounds the rows of a run. */
      readonly floatsPerRow: number
    }
  | { readonly ok: false; readonly reason: string }

const OPSET_MIN = 13

/** @param outputs of the graph that are wanted; what only leads to others is left out. */
export function toDenseModel(
  bytes: Uint8Array,
  featureCount: number,
  outputs: readonly string[],
): DenseModel {
  const model = decodeOnnx(bytes)
  if (model === null) return { ok: false, reason: 'it is not an ONNX model' }
  if (!model.graph.node.some(({ opType }) => opType.startsWith('TreeEnsemble'))) {
    return { ok: true, bytes, slots: null, floatsPerRow: featureCount }
  }
  const found = findEnsemble(model, featureCount)
  if ('reason' in found) return { ok: false, reason: found.reason }
  const sum = found.isClassifier ? 'dense_margin' : found.node.output[0]
  const dense = denseTrees(found.trees, found.base, sum)
  if (dense === null) return { ok: false, reason: 'its trees are too large for the dense form' }
  const { slots, floatsPerRow } = dense
  const replaced = found.isClassifier ? [...dense.nodes, ...twoColumns(found, sum)] : dense.nodes
  const kept = neededFor(model.graph, outputs)
  const node = kept.flatMap((one): readonly object[] => (one === found.node ? replaced : [one]))
  const one = { name: 'dense_one', dataType: ELEMENT.float32, dims: [1], floatData: [1] }
  const encoded = encodeOnnx({
    ...model,
    irVersion: 8,
    opsetImport: opsets(model),
    graph: {
      name: 'foreshock-dense',
      node,
      initializer: [...usedTensors(model.graph, kept), ...dense.initializers, one],
      input: [keysInput(slots.length)],
      output: model.graph.output.filter(({ name }) => outputs.includes(name)),
    },
  })
  return { ok: true, bytes: encoded, slots, floatsPerRow }
}

/** [rows, 2] of the probability against and for, as a binary classifier gives it. */
function twoColumns({ node, transform }: EnsembleNode, sum: string): readonly object[] {
  const positive = 'dense_positive'
  return [
    {
      opType: transform === 'logistic' ? 'Sigmoid' : 'Identity',
      input: [sum],
      output: [positive],
    },
    { opType: 'Sub', input: ['dense_one', positive], output: ['dense_negative'] },
    {
      opType: 'Concat',
      input: ['dense_negative', positive],
      output: [node.output[1]],
      attribute: [{ name: 'axis', type: 2, i: 1 }],
    },
  ]
}

/** Backwards from the outputs, in the order of the graph. */
function neededFor({ node }: OnnxGraph, outputs: readonly string[]): readonly OnnxNode[] {
  const wanted = new Set(outputs)
  const kept: OnnxNode[] = []
  for (const one of node.toReversed()) {
    if (!one.output.some((name) => wanted.has(name))) continue
    for (const name of one.input) wanted.add(name)
    kept.push(one)
  }
  return kept.toReversed()
}

function usedTensors({ initializer }: OnnxGraph, nodes: readonly OnnxNode[]) {
  const used = new Set(nodes.flatMap(({ input }) => input))
  return initializer.filter(({ name }) => used.has(name))
}

/** The dense form needs a newer opset than old converters write; theirs is then raised. */
function opsets({ opsetImport }: OnnxModel): readonly object[] {
  const core = opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')
  const others = opsetImport.filter(({ domain }) => domain !== '' && domain !== 'ai.onnx')
  return [{ domain: '', version: Math.max(OPSET_MIN, core?.version ?? 0) }, ...others]
}

function keysInput(width: number): object {
  const shape = { dim: [{ dimParam: 'rows' }, { dimValue: width }] }
  return { name: KEYS, type: { tensorType: { elemType: ELEMENT.int32, shape } } }
}
