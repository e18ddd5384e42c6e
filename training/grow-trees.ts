/** The trees of one model from a dataset, and the rows that its calibration is fitted on. */
import { boostParams } from './boost-settings.ts'
import type { Booster } from './booster.ts'
import type { CalibrationRows } from './calibration.ts'
import { boosterOf } from './continued.ts'
import type { Dataset } from './dataset.ts'
import { growMembers } from './growing.ts'
import { HorizonRows } from './horizon-rows.ts'
import { knownFeatures } from './known-features.ts'
import { scoreRows } from './score.ts'
import type { TrainOptions } from './train.ts'

/** @param horizonMs of the labels of `data`. Fails as `growMembers` does. */
export async function growTrees(
  options: TrainOptions,
  data: Dataset,
  horizonMs: number,
): Promise<Booster> {
  const { manifest, module, outDir, onProgress, signal, from } = options
  const { fit } = data.slices
  const { patience, members, memberHorizons } = manifest.training
  const rowsOf = (member: number) => {
    const ratio = memberHorizons[member % memberHorizons.length]
    return (ratio === 1 ? fit : new HorizonRows(fit, ratio * horizonMs)).rows()
  }
  const known = knownFeatures(manifest, options.nodeClass, data)
  const validation = patience === 0 ? null : data.slices.validation.rows()
  return growMembers({
    module,
    dataOf: (member) => ({ rows: rowsOf(member), bounds: data.bounds, validation, ...known }),
    params: boostParams(manifest, options.seed),
    // The mean of members that all go on from the same model would hold that model several times.
    members: from === undefined ? members : 1,
    outDir,
    resume: options.resume ?? false,
    before: from === undefined ? null : boosterOf(from, data.columns, data.bounds),
    onProgress: (doneRatio, detail) => onProgress?.({ step: 'growing trees', doneRatio, detail }),
    ...(signal === undefined ? {} : { signal }),
  })
}

export function calibrationRows(
  module: WebAssembly.Module,
  booster: Booster,
  { slices }: Dataset,
): CalibrationRows {
  const { labels, node } = slices.calibration.facts()
  const margins = scoreRows(module, booster, slices.calibration.rows())
  return { margins, labels, node }
}
