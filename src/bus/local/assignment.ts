/**
 * Which member of a group owns which partition: balanced to within one, and sticky, so that a join
 * or a leave moves no more partitions than it must.
 */

/** Partition → member. `previous` may name members that are gone and leave partitions out. */
export function assignPartitions(
  members: readonly string[],
  partitionCount: number,
  previous: ReadonlyMap<number, string>,
): ReadonlyMap<number, string> {
  const sorted = [...members].sort()
  const assignment = new Map<number, string>()
  if (sorted.length === 0) return assignment
  const kept = new Map<string, number[]>(sorted.map((member) => [member, []]))
  for (let partition = 0; partition < partitionCount; partition++) {
    kept.get(previous.get(partition) ?? '')?.push(partition)
  }
  const quotas = quotasOf(sorted, partitionCount, kept)
  for (const [member, partitions] of kept) {
    for (const partition of partitions.slice(0, quotas.get(member))) {
      assignment.set(partition, member)
    }
  }
  const free = Array.from({ length: partitionCount }, (_, p) => p).filter((p) => !assignment.has(p))
  for (const member of sorted) {
    const missing = quotas.get(member)! - Math.min(kept.get(member)!.length, quotas.get(member)!)
    for (const partition of free.splice(0, missing)) assignment.set(partition, member)
  }
  return assignment
}

/** The larger shares go to those who hold most already; among equals, to the lower id. */
function quotasOf(
  sorted: readonly string[],
  partitionCount: number,
  kept: ReadonlyMap<string, readonly number[]>,
): ReadonlyMap<string, number> {
  const least = Math.floor(partitionCount / sorted.length)
  const larger = partitionCount % sorted.length
  const byHolding = [...sorted].sort((a, b) => kept.get(b)!.length - kept.get(a)!.length)
  return new Map(byHolding.map((member, rank) => [member, rank < larger ? least + 1 : least]))
}
