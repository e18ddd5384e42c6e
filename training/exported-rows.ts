/**
 * The rows that a model by folds is trained on and judged by, in one file for trainers of other makes:
 * a line of JSON, then the columns it names one after the other, little-endian, the features last and
 * row-major. What is left out of training is left out here.
 */
import { createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { ServiceError } from '../src/core/errors.ts'
import type { NodeClass } from '../src/core/node.ts'
import { featureNames } from '../src/state/features.ts'
import { columnsToLearn } from './dataset.ts'
import { foldHistory, type FoldedRow } from './fold.ts'
import { openHistory } from './history.ts'
import type { Lives } from './labels.ts'
import { foldOf, sliceOf, type Manifest } from './manifest.ts'
import { doubled } from './row-store.ts'
import { usedShare } from './targets.ts'

export interface ExportOptions {
  readonly manifest: Manifest
  readonly nodeClass: NodeClass
  readonly dataDir: string
  readonly module: WebAssembly.Module
  readonly file: string
  readonly signal?: AbortSignal
}

/** Returns how many rows were written. ServiceError HISTORY_INVALID for a manifest without folds. */
export async function exportRows(options: ExportOptions): Promise<number> {
  const { manifest, nodeClass, dataDir } = options
  const foldCount = manifest.training.folds
  if (foldCount === null) {
    throw new ServiceError(
      'HISTORY_INVALID',
      `history \`${manifest.name}\`: \`training.folds\` is not set: only rows of a training by folds are exported`,
    )
  }
  const history = await openHistory(manifest, nodeClass, dataDir)
  try {
    const rows = new CollectedRows(columnsToLearn(manifest, featureNames(nodeClass)))
    const { lives } = await foldHistory({ ...options, history, onRow: (row) => rows.add(row) })
    await write(options, rows, lives, foldCount)
    return rows.count
  } finally {
    history.close()
  }
}

class CollectedRows {
  readonly columns: Uint32Array
  readonly node: number[] = []
  readonly atMs: number[] = []
  readonly failureAtMs: number[] = []
  readonly onlyFit: number[] = []
  #matrix: Float32Array

  constructor(columns: Uint32Array) {
    this.columns = columns
    this.#matrix = new Float32Array(1_024 * columns.length)
  }

  get count(): number {
    return this.node.length
  }

  get matrix(): Float32Array {
    return this.#matrix.subarray(0, this.count * this.columns.length)
  }

  add({ node, atMs, label, onlyFit, matrix, from }: FoldedRow): void {
    const to = this.count * this.columns.length
    if (to === this.#matrix.length) this.#matrix = doubled(this.#matrix)
    for (const [i, column] of this.columns.entries()) this.#matrix[to + i] = matrix[from + column]
    this.node.push(node)
    this.atMs.push(atMs)
    this.failureAtMs.push(label.kind === 'positive' ? label.failureAtMs : Number.NaN)
    this.onlyFit.push(onlyFit ? 1 : 0)
  }
}

async function write(
  { manifest, nodeClass, file }: ExportOptions,
  rows: CollectedRows,
  lives: Lives,
  foldCount: number,
): Promise<void> {
  const names = featureNames(nodeClass)
  const goals = [
    { name: manifest.name, target: 'failure', horizonMs: manifest.horizonMs, failureKind: null },
    ...manifest.parts,
  ] as const
  const facts: [string, ArrayLike<number>][] = [
    ['node', rows.node],
    ['atMs', rows.atMs],
    ['failureAtMs', rows.failureAtMs],
    ['onlyFit', rows.onlyFit],
    ['fold', rows.node.map((node) => foldOf(lives.hashOf(node), foldCount))],
    ['isTest', rows.node.map((node) => (sliceOf(manifest, lives.hashOf(node)) === 'test' ? 1 : 0))],
    ['cutOff', rows.node.map((node) => (lives.wasCutOff(node) ? 1 : 0))],
    ['nextFailureAtMs', rows.node.map((node, i) => lives.nextFailureAtMs(node, rows.atMs[i]))],
    ...goals.map((goal): [string, number[]] => [
      `target.${goal.name}`,
      rows.node.map((node, i) => usedShare(goal, lives, node, rows.atMs[i])),
    ]),
  ]
  const header = {
    rowCount: rows.count,
    intervalMs: nodeClass.predictionIntervalMs,
    columns: facts.map(([name]) => name),
    features: Array.from(rows.columns, (column) => names[column]),
    goals: goals.map((goal) => ({ leaveOut: [], ...goal })),
  }
  const stream = createWriteStream(file)
  stream.write(`${JSON.stringify(header)}\n`)
  for (const [, values] of facts) stream.write(bytesOf(Float64Array.from(values)))
  stream.end(bytesOf(rows.matrix))
  await once(stream, 'finish')
}

/** Little-endian, as every machine that Node.js runs on is. */
function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Float64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
