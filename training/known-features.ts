/** What a manifest knows of features before training: how the risk moves with them, which are names. */
import type { NodeClass } from '../src/core/node.ts'
import type { BoostData } from './boost-params.ts'
import { featuresEnding, type Dataset } from './dataset.ts'
import type { Manifest } from './manifest.ts'

export type KnownFeatures = Pick<BoostData, 'monotone' | 'categorical'>

/**
 * Per column that is learned from. A category is singled out value by value where the manifest says
 * so; otherwise its values are cut in the order in which the node class lists them. ServiceError
 * HISTORY_INVALID when `monotone` names no feature.
 */
export function knownFeatures(
  manifest: Manifest,
  { attributes }: NodeClass,
  { columns, featureNames }: Pick<Dataset, 'columns' | 'featureNames'>,
): KnownFeatures {
  const { monotone, categories } = manifest.training
  const names = Array.from(columns, (column) => featureNames[column])
  const signs = names.map((): -1 | 0 | 1 => 0)
  for (const [ending, way] of Object.entries(monotone)) {
    for (const f of featuresEnding(manifest, [ending], names)) signs[f] = way === 'rises' ? 1 : -1
  }
  const named = new Set(attributes.flatMap(({ name, kind }) => (kind === 'category' ? [name] : [])))
  return {
    monotone: signs,
    categorical: names.map((name) => categories === 'single' && named.has(name)),
  }
}
