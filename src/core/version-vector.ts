/**
 * Version vectors: how often each writer has changed something, as far as a copy of it knows. Of two copies
 * one is newer, or both were changed without knowing of each other (Parker et al. 1983).
 */
export type VersionVector = Readonly<Record<string, number>>

/** Writers of one vector. */
export const WRITERS_MAX = 64

export type VersionOrder = 'before' | 'after' | 'equal' | 'concurrent'

/** How `a` stands to `b`; who is not named has changed nothing. */
export function compareVersions(a: VersionVector, b: VersionVector): VersionOrder {
  let [isAhead, isBehind] = [false, false]
  for (const writer of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const [left, right] = [countOf(a, writer), countOf(b, writer)]
    if (left > right) isAhead = true
    if (left < right) isBehind = true
  }
  if (isAhead && isBehind) return 'concurrent'
  if (isAhead) return 'after'
  return isBehind ? 'before' : 'equal'
}

/** What knows of both; the writers in order, so that equal vectors are equal texts. */
export function mergeVersions(a: VersionVector, b: VersionVector): VersionVector {
  const writers = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()
  return Object.fromEntries(
    writers.map((writer) => [writer, Math.max(countOf(a, writer), countOf(b, writer))]),
  )
}

function countOf(versions: VersionVector, writer: string): number {
  return Object.hasOwn(versions, writer) ? versions[writer] : 0
}
