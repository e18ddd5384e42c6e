/**
 * The model that the service has in benches of throughput: 200 trees of 31 leaves, as the Python rival
 * has, over the features of a server. It is trained on the load of the benches, once, and kept in
 * .cache/bench. Ill nodes are told from well ones at once; what else is in the labels is doubt that
 * hangs on the features, so that no tree stays small.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SAMPLE_INTERVAL_MS, TelemetryLoad } from '../../src/commands/bench-load.ts'
import { assert } from '../../src/core/errors.ts'
import type { ModelCard } from '../../src/core/model.ts'
import type { NodeClass } from '../../src/core/node.ts'
import { NodeTable } from '../../src/state/node-table.ts'
import { topologyOf } from '../../test/support/deployment.ts'
import { tinyCard } from '../../test/support/history/tiny-model.ts'
import { findBounds, toBinnedRows } from '../../training/bins.ts'
import { DEFAULT_BOOST, randomFrom, trainBoost } from '../../training/boost.ts'
import { toOnnx } from '../../training/onnx.ts'

export const MODEL_TREES = 200
export const MODEL_LEAVES = 31
const CACHE = join(import.meta.dirname, '../../.cache/bench')
/** Of a round's messages, and after how many rounds every so-many-th node is ill. */
const TRAINING = { nodeCount: 10_000, rounds: 6, illFromRound: 3, illOneOf: 20 }
const START_MS = 1.7e12
const OBSERVED = { atMs: 0, watermarkMs: 0 }
/** Doubt becomes next to nothing again, as well nodes have it: only the trees shall be large. */
const CALIBRATION = { kind: 'sigmoid', slope: 2, intercept: -4 } as const
const DOUBT = { low: 0.02, high: 0.5, middle: 0.2, swing: 0.3 }

interface Rows {
  readonly matrix: Float32Array
  readonly labels: Uint8Array
}

/** Its directory. */
export function servedModel(kernel: WebAssembly.Module, nodeClass: NodeClass): string {
  const table = new NodeTable(kernel, nodeClass, { nodesMax: 16_384 })
  const made = createHash('sha256')
    .update(table.featureHash)
    .update(readFileSync(import.meta.filename))
    .digest('hex')
  const directory = join(CACHE, `model-${made.slice(0, 16)}`)
  if (existsSync(directory)) return directory
  const rows = rowsOf(table, nodeClass)
  const bounds = findBounds(rows.matrix, table.featureNames.length)
  const booster = trainBoost(
    kernel,
    { rows: toBinnedRows(rows.matrix, rows.labels, bounds), bounds, validation: null },
    { ...DEFAULT_BOOST, treesMax: MODEL_TREES, leavesMax: MODEL_LEAVES },
  )
  const leaves = booster.trees.map(({ feature }) => feature.filter((of) => of < 0).length)
  const full = leaves.filter((count) => count === MODEL_LEAVES).length
  assert(full === MODEL_TREES, `${full} of ${MODEL_TREES} trees have ${MODEL_LEAVES} leaves`)
  const onnx = toOnnx({
    booster,
    calibration: CALIBRATION,
    featureNames: table.featureNames,
    featureHash: table.featureHash,
    horizonMs: 3_600_000,
    version: 'bench',
  })
  const card: ModelCard = {
    ...tinyCard(nodeClass, onnx),
    name: 'bench',
    version: 'bench',
    trees: MODEL_TREES,
    leavesMax: MODEL_LEAVES,
    actingPoint: 0.8,
  }
  const unfinished = `${directory}.${process.pid}`
  mkdirSync(unfinished, { recursive: true })
  writeFileSync(join(unfinished, 'model.onnx'), onnx)
  writeFileSync(join(unfinished, 'card.json'), JSON.stringify(card))
  renameSync(unfinished, directory)
  return directory
}

/** A row of each node after each of its samples. */
function rowsOf(table: NodeTable, nodeClass: NodeClass): Rows {
  const { nodeCount, rounds, illFromRound, illOneOf } = TRAINING
  const topology = topologyOf('', 'arrival', 1)
  const load = new TelemetryLoad({ topology, nodeClass, nodeCount, seed: 7, path: 'direct' })
  const width = table.featureNames.length
  const matrix = new Float32Array(nodeCount * rounds * width)
  const labels = new Uint8Array(nodeCount * rounds)
  const random = randomFrom(7)
  let taken = 0
  for (let round = 0; round < rounds; round++) {
    const isIll = (node: number) => node % illOneOf <= round - illFromRound
    for (let group = 0; group < load.groupCount; group++) {
      const { value } = load.message(group, START_MS + round * SAMPLE_INTERVAL_MS, isIll)
      assert(value instanceof Uint8Array, 'a message is an Arrow stream')
      table.clearRows()
      table.load(value)
      assert(table.fold(OBSERVED), 'no row at a grid time fills the buffer')
      table.clearRows()
      table.emitChanged(0)
      const rows = table.rows()
      matrix.set(rows.matrix, taken * width)
      for (let row = 0; row < rows.count; row++) {
        const node = Number(table.idOf(rows.node[row]).slice('node-'.length))
        labels[taken++] = isIll(node) || random() < doubtOf(rows.matrix, row * width) ? 1 : 0
      }
    }
  }
  return { matrix: matrix.subarray(0, taken * width), labels: labels.subarray(0, taken) }
}

/** Of a well node's label: waves over the values of two metrics, which splits follow one by one. */
function doubtOf(matrix: Float32Array, from: number): number {
  const wave = Math.sin(40 * matrix[from]) + Math.sin(matrix[from + 15] / 3)
  return Math.min(DOUBT.high, Math.max(DOUBT.low, DOUBT.middle + DOUBT.swing * wave))
}
