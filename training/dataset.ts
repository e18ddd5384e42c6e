/**
 * A history as binned training data, in two passes over the same fold: the first takes a sample of
 * rows of the fit slice to place the bins, the second keeps every row it needs as bytes. Negatives of
 * the fit slice may be sampled and weighted, those on which nothing stands out more than the others;
 * every other slice is kept whole, so that calibration and judgement see the true base rate. Rows of nodes whose
 * work was moved in time may be learned from at a lower weight, and judge nothing.
 */
import { ServiceError } from '../src/core/errors.ts'
import type { MovedLabels } from '../src/core/model.ts'
import type { NodeClass } from '../src/core/node.ts'
import { randomFrom } from './boost.ts'
import { Binner } from './binner.ts'
import { findBounds, type Bounds } from './bins.ts'
import { thresholdsOf, type FinishedModel } from './continued.ts'
import { foldHistory, type FoldedRow } from './fold.ts'
import type { History, HistoryEvent } from './history.ts'
import type { Lives } from './labels.ts'
import { patternOf, sliceOf, type Manifest, type Slice } from './manifest.ts'
import { type LabelledRows, RowStore } from './row-store.ts'
import { baselineRules } from './rules.ts'

export interface DatasetOptions {
  readonly history: History
  readonly nodeClass: NodeClass
  readonly module: WebAssembly.Module
  readonly seed: number
  /** A model whose trees the rows must go through. */
  readonly before?: FinishedModel
  readonly onProgress: (step: 'placing bins' | 'reading rows', doneRatio: number) => void
  readonly signal?: AbortSignal
}

export interface Dataset {
  /** Of the columns that are learned from. */
  readonly bounds: Bounds
  /** Where those lie in a full row. */
  readonly columns: Uint32Array
  readonly slices: Readonly<Record<Slice, LabelledRows>>
  readonly lives: Lives
  readonly events: readonly HistoryEvent[]
  /** Null where the history tells of no node that was moved. */
  readonly movedLabels: MovedLabels | null
  readonly featureNames: readonly string[]
  readonly featureHash: string
}

const SLICES: readonly Slice[] = ['fit', 'calibration', 'validation', 'test']
/** Rows that place the bins. */
const SAMPLE_ROWS_MAX = 100_000
/** Of the nodes of the fit slice, one in this many places the bins, where there are many: not of a training by folds. */
const SAMPLE_NODE_STEP = 8
const SAMPLE_ALL_BELOW = 5_000

export async function readDataset(options: DatasetOptions): Promise<Dataset> {
  const { history, nodeClass, seed } = options
  const { bounds, columns, featureNames: names } = await placeBins(options)
  const { manifest } = history
  const random = randomFrom(seed ^ 0x5eed)
  const rules = baselineRules(manifest, names)
  const binner = new Binner(options.module, bounds, columns)
  const store = () => new RowStore(binner, rules.length)
  const slices = { fit: store(), calibration: store(), validation: store(), test: store() }
  const { negatives, quietNegatives, movedWeight, folds } = manifest.training
  const learnedWeight = folds === null ? movedWeight : 0
  const moved = { rowCount: 0, nodes: new Set<number>() }
  const keep = (row: FoldedRow, weight = 1): void => {
    const slice = usedSlice(manifest, row)
    if (slice === null || (slice !== 'test' && isLate(options, row.atMs))) return
    const scores = rules.map((rule) => rule(row))
    const sampled = slice === 'fit' && row.label.kind === 'negative'
    const share = !sampled ? 1 : scores.every((score) => score === 0) ? quietNegatives : negatives
    if (share < 1 && random() >= share) return
    slices[slice].add(row, weight / share, scores)
  }
  const keepMoved = (row: FoldedRow): void => {
    moved.rowCount++
    moved.nodes.add(row.node)
    if (learnedWeight > 0 && usedSlice(manifest, row) === 'fit') keep(row, learnedWeight)
  }
  const { lives, featureNames, featureHash } = await foldHistory({
    ...options,
    nodeClass,
    onRow: (row) => keep(row),
    onMoved: keepMoved,
    onProgress: (count) => options.onProgress('reading rows', count / history.sampleCount),
  })
  requireBoth(manifest, slices, manifest.training.folds === null ? SLICES : ['fit', 'test'])
  const { events } = history
  const movedLabels =
    moved.rowCount === 0
      ? null
      : { rowCount: moved.rowCount, nodeCount: moved.nodes.size, weight: learnedWeight }
  return { bounds, columns, slices, lives, events, movedLabels, featureNames, featureHash }
}

/** With folds all that is not of the test slice is learned from; chosen samples are learned from only. */
function usedSlice(manifest: Manifest, row: Pick<FoldedRow, 'hash' | 'onlyFit'>): Slice | null {
  const slice = sliceOf(manifest, row.hash)
  if (slice !== 'test' && manifest.training.folds !== null) return 'fit'
  return row.onlyFit && slice !== 'fit' ? null : slice
}

/** A split by time: what is learned from must have had its whole horizon by then. */
function isLate({ history }: DatasetOptions, atMs: number): boolean {
  const { trainUntilMs, horizonMs } = history.manifest
  return trainUntilMs !== null && atMs + horizonMs > trainUntilMs
}

interface PlacedBins {
  readonly bounds: Bounds
  readonly columns: Uint32Array
  readonly featureNames: readonly string[]
}

async function placeBins(options: DatasetOptions): Promise<PlacedBins> {
  const { history, seed } = options
  const { manifest } = history
  const random = randomFrom(seed)
  const isSmall = manifest.training.folds !== null || history.events.length < SAMPLE_ALL_BELOW
  const step = isSmall ? 1 : SAMPLE_NODE_STEP
  const sample: Float32Array[] = []
  let seen = 0
  const { featureNames } = await foldHistory({
    ...options,
    wanted: (hash) =>
      usedSlice(manifest, { hash, onlyFit: false }) === 'fit' &&
      Math.floor(hash / 100) % step === 0,
    onRow: ({ matrix, from, width, atMs }) => {
      if (isLate(options, atMs)) return
      // Reservoir sampling: every row of the pass has the same chance to stay.
      const place = seen++ < SAMPLE_ROWS_MAX ? seen - 1 : Math.floor(random() * seen)
      if (place < SAMPLE_ROWS_MAX) sample[place] = matrix.slice(from, from + width)
    },
    onProgress: (count) => options.onProgress('placing bins', count / history.sampleCount),
  })
  if (sample.length === 0) throw tooLittle(manifest, 'the fit slice has no labelled rows')
  const columns = columnsToLearn(manifest, featureNames)
  const matrix = new Float32Array(sample.length * columns.length)
  for (const [i, row] of sample.entries()) {
    for (const [f, column] of columns.entries()) matrix[i * columns.length + f] = row[column]
  }
  const fixed = options.before === undefined ? [] : thresholdsOf(options.before, columns)
  const bounds = findBounds(matrix, columns.length, undefined, fixed)
  return { bounds, columns, featureNames }
}

export function columnsToLearn(
  manifest: History['manifest'],
  featureNames: readonly string[],
): Uint32Array {
  const leftOut = new Set(featuresEnding(manifest, manifest.training.leaveOut, featureNames))
  return Uint32Array.from([...featureNames.keys()].filter((column) => !leftOut.has(column)))
}

/** Indexes of names; `*` stands for any part. ServiceError HISTORY_INVALID when an ending is that of no name. */
export function featuresEnding(
  { name }: History['manifest'],
  endings: readonly string[],
  featureNames: readonly string[],
): readonly number[] {
  return endings.flatMap((ending) => {
    const pattern = patternOf(`*.${ending}`)
    const found = [...featureNames.keys()].filter((i) => pattern.test(`.${featureNames[i]}`))
    if (found.length > 0) return found
    throw new ServiceError(
      'HISTORY_INVALID',
      `history \`${name}\`: \`leave_out\`: no feature is named or ends in "${ending}"; features are such as ${featureNames.slice(0, 3).join(', ')}`,
    )
  })
}

/** ServiceError HISTORY_EMPTY. @param within says of which horizon, where it is not the main one. */
export function requireBoth(
  manifest: Manifest,
  slices: Dataset['slices'],
  needed: readonly Slice[],
  within = '',
): void {
  for (const slice of needed) {
    const { labels } = slices[slice].facts()
    const positives = labels.reduce((sum, label) => sum + label, 0)
    if (positives > 0 && positives < labels.length) continue
    throw tooLittle(
      manifest,
      `the ${slice} slice has ${labels.length} rows with ${positives} failures ahead${within}; it needs both kinds`,
    )
  }
}

function tooLittle({ name }: Manifest, problem: string): ServiceError {
  return new ServiceError(
    'HISTORY_EMPTY',
    `history \`${name}\`: ${problem}: bring more history or move the bounds in \`split\``,
  )
}
