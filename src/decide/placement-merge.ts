/** What holds of a workload that executors on two sides of a split network have placed without knowing of each other. */
import type { NodeId } from '../core/ids.ts'
import type { MergePolicy } from '../core/split-brain.ts'
import { compareVersions, mergeVersions } from '../core/version-vector.ts'
import type { Placement } from '../core/workload.ts'

/** `lost`: the other of two that were concurrent. */
export type Merge =
  | { readonly kind: 'newer'; readonly kept: Placement }
  | { readonly kind: 'stale' }
  | { readonly kind: 'conflict'; readonly kept: Placement; readonly lost: Placement }

/**
 * Records without versions are what they always were: the newest in the log holds. `wentOn` says whether a
 * node was on the side that went on; by `majority` its placement holds where just one of the two was there,
 * and otherwise the one that was written last, which is what `last-writer` means in a log.
 */
export function mergePlacement(
  known: Placement | undefined,
  said: Placement,
  policy: MergePolicy,
  wentOn: (node: NodeId) => boolean,
): Merge {
  if (known?.versions === undefined || said.versions === undefined) {
    return { kind: 'newer', kept: said }
  }
  const order = compareVersions(said.versions, known.versions)
  if (order === 'before') return { kind: 'stale' }
  // Whoever is said to run it has answered that it does not; a repeated record must not bring it back.
  if (order === 'equal' && known.node === null) return { kind: 'stale' }
  if (order !== 'concurrent') return { kind: 'newer', kept: said }
  const versions = mergeVersions(known.versions, said.versions)
  // Both have moved it to the same place: there is nothing to choose.
  if (known.node === said.node) return { kind: 'newer', kept: { ...said, versions } }
  const [knownWent, saidWent] = [known, said].map(({ node }) => node !== null && wentOn(node))
  const isKnown = policy === 'majority' && knownWent && !saidWent
  return isKnown
    ? { kind: 'conflict', kept: { ...known, versions }, lost: said }
    : { kind: 'conflict', kept: { ...said, versions }, lost: known }
}
