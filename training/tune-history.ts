/** `foreshock tune`: the search on the fit slice of a history. */
import type { NodeClass } from '../src/core/node.ts'
import { boostParams } from './boost-settings.ts'
import { readDataset } from './dataset.ts'
import { openHistory } from './history.ts'
import { knownFeatures } from './known-features.ts'
import type { Manifest } from './manifest.ts'
import { tune, type TriedTrial } from './tune.ts'

export interface TuneHistoryOptions {
  readonly manifest: Manifest
  readonly nodeClass: NodeClass
  readonly dataDir: string
  readonly module: WebAssembly.Module
  readonly trials: number
  readonly folds: number
  readonly seed: number
  readonly onProgress: (progress: TuneProgress) => void
  readonly signal: AbortSignal
}

const NO_FOLD = 255

interface TuneProgress {
  readonly step: 'placing bins' | 'reading rows' | 'trying parameters'
  /** 0..1 of the step. */
  readonly doneRatio: number
  readonly detail: string
}

/** ServiceError HISTORY_EMPTY, HISTORY_INVALID or INTERRUPTED. */
export async function tuneHistory(options: TuneHistoryOptions): Promise<readonly TriedTrial[]> {
  const { manifest, nodeClass, dataDir, module, seed, folds, trials, signal, onProgress } = options
  const history = await openHistory(manifest, nodeClass, dataDir)
  try {
    const data = await readDataset({
      history,
      nodeClass,
      module,
      seed,
      signal,
      onProgress: (step, doneRatio) => onProgress({ step, doneRatio, detail: '' }),
    })
    const { slices, bounds, lives } = data
    const { node, atMs } = slices.fit.facts()
    // The last two digits of the hash say in which slice a node is; those before are free. Chosen
    // samples are in no fold: they are learned from and judge nothing.
    const foldOf = Uint8Array.from(node, (number, row) =>
      lives.isOnlyFit(number, atMs[row]) ? NO_FOLD : Math.floor(lives.hashOf(number) / 100) % folds,
    )
    return await tune({
      module,
      data: { rows: slices.fit.rows(), bounds, ...knownFeatures(manifest, nodeClass, data) },
      foldOf,
      folds,
      first: boostParams(manifest, seed),
      trials,
      seed,
      signal,
      onProgress: (doneRatio, detail) =>
        onProgress({ step: 'trying parameters', doneRatio, detail }),
    })
  } finally {
    history.close()
  }
}
