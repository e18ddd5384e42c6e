/**
 * What each kind of feature is worth: small models without it, judged on the calibration and validation
 * slices, never on the test slice. A difference below two standard deviations of the seeds says nothing.
 */
import type { Ablation } from '../../src/core/model.ts'
import { strideOf, type BinnedRows } from '../../training/bins.ts'
import { DEFAULT_BOOST, trainBoost } from '../../training/boost.ts'
import { readDataset, type Dataset } from '../../training/dataset.ts'
import { openHistory } from '../../training/history.ts'
import { averagePrecision } from '../../training/quality.ts'
import { scoreRows } from '../../training/score.ts'
import type { RowsOptions } from './rows.ts'

const TREES = 100
const RATE = 0.1
const SEEDS = [1, 2, 3]

type Options = Omit<RowsOptions, 'folder'> & { readonly onModel: (without: string) => void }

export async function ablate(options: Options): Promise<readonly Ablation[]> {
  const { manifest, nodeClass, dataDir, module } = options
  const everything = { ...manifest, training: { ...manifest.training, leaveOut: [] } }
  const history = await openHistory(everything, nodeClass, dataDir)
  try {
    const data = await readDataset({ history, nodeClass, module, seed: 1, onProgress: () => {} })
    const kinds = kindsOf(data.featureNames)
    const { leaveOut } = manifest.training
    const used = kinds.filter((kind) => !leaveOut.includes(kind))
    const judged: Ablation[] = []
    const add = (change: string, kept: readonly string[]): void => {
      options.onModel(change)
      judged.push({ change, prAuc: SEEDS.map((seed) => judgeKinds(options, data, kept, seed)) })
    }
    add('as the model', used)
    for (const kind of used)
      add(
        `without ${kind}`,
        used.filter((other) => other !== kind),
      )
    for (const kind of leaveOut) add(`with ${kind}`, [...used, kind])
    return judged
  } finally {
    history.close()
  }
}

/** The part of a feature's name that is the same for every metric; `attributes` for those of the node. */
function kindOf(name: string): string {
  const [, kind, of] = name.split('.')
  if (kind === undefined) return 'attributes'
  if (kind === 'hours') return 'ages'
  return of === 'hours' ? `${kind}.hours` : kind
}

function kindsOf(names: readonly string[]): readonly string[] {
  return [...new Set(names.map(kindOf))]
}

function judgeKinds(
  { manifest, module }: Options,
  data: Dataset,
  kept: readonly string[],
  seed: number,
): number {
  const columns = [...data.featureNames.keys()].filter((column) =>
    kept.includes(kindOf(data.featureNames[column])),
  )
  const rows = onlyColumns(data.slices.fit.rows(), columns)
  const bounds = columns.map((column) => data.bounds[column])
  const { leaves, featureRatio, rowsMin } = manifest.training
  const params = {
    ...DEFAULT_BOOST,
    treesMax: TREES,
    learningRate: RATE,
    leavesMax: leaves,
    featureRatio,
    rowsMin,
    seed,
  }
  const booster = trainBoost(module, { rows, bounds, validation: null }, params)
  const slices = [data.slices.calibration, data.slices.validation].map((slice) =>
    onlyColumns(slice.rows(), columns),
  )
  const scores = slices.flatMap((slice) => [...scoreRows(module, booster, slice)])
  const labels = slices.flatMap((slice) => [...slice.labels])
  return averagePrecision(Float64Array.from(scores), Uint8Array.from(labels))
}

function onlyColumns(rows: BinnedRows, columns: readonly number[]): BinnedRows {
  const stride = strideOf(columns.length)
  const { bins: all, rowCount, labels, weights } = rows
  const bins = new Uint8Array(rowCount * stride)
  for (let row = 0; row < rowCount; row++) {
    for (let f = 0; f < columns.length; f++) {
      bins[row * stride + f] = all[row * rows.stride + columns[f]]
    }
  }
  return { rowCount, featureCount: columns.length, stride, bins, labels, weights }
}
