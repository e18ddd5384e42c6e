/**
 * Gives the same partition number of every group to the same process, and moves little when one
 * joins or leaves. It is a function of the set of processes alone, without memory: groups that have
 * the same processes agree, so that one death does not cut every chain of ingest and watcher.
 *
 * Rendezvous hashing under exact quotas: each partition in turn goes to the process that ranks it
 * highest among those that still have room (Thaler, Ravishankar 1998, with bounded loads).
 */
import type { Assigner, Cluster, GroupMember, GroupMemberAssignment } from 'kafkajs'

import { toBytes } from '../../core/bytes.ts'
import { kafkajs } from './library.ts'
import { murmur2 } from '../../core/partition.ts'

const NAME = 'foreshock-aligned'
const PROTOCOL_VERSION = 1

/** `owner` names the process; all memberships of one bus share it. */
export function alignedAssigner(owner: string) {
  const { AssignerProtocol } = kafkajs
  return ({ cluster }: { readonly cluster: Cluster }): Assigner => ({
    name: NAME,
    version: PROTOCOL_VERSION,
    protocol: ({ topics }) => ({
      name: NAME,
      metadata: AssignerProtocol.MemberMetadata.encode({
        version: PROTOCOL_VERSION,
        topics,
        userData: Buffer.from(owner),
      }),
    }),
    async assign({ members, topics }): Promise<GroupMemberAssignment[]> {
      const counts = topics.map((topic) => cluster.findTopicPartitionMetadata(topic).length)
      const names = namesOf(members)
      const owned = alignedPartitions([...names.values()], Math.min(...counts))
      return members.map(({ memberId }) => {
        const partitions = [...(owned.get(names.get(memberId)!) ?? [])]
        return {
          memberId,
          memberAssignment: AssignerProtocol.MemberAssignment.encode({
            version: PROTOCOL_VERSION,
            assignment: Object.fromEntries(topics.map((topic) => [topic, partitions])),
            userData: Buffer.alloc(0),
          }),
        }
      })
    },
  })
}

/** Owner → partition numbers. Loads differ by one at most. */
export function alignedPartitions(
  owners: readonly string[],
  partitionCount: number,
): ReadonlyMap<string, readonly number[]> {
  const sorted = [...new Set(owners)].sort()
  const owned = new Map<string, number[]>(sorted.map((owner) => [owner, []]))
  if (sorted.length === 0) return owned
  const quota = Math.floor(partitionCount / sorted.length)
  let extras = partitionCount % sorted.length
  for (let partition = 0; partition < partitionCount; partition++) {
    let best: string | undefined
    let bestRank = -1
    for (const owner of sorted) {
      const load = owned.get(owner)!.length
      const rank = murmur2(toBytes(`${owner}\n${partition}`)) >>> 0
      const room = load < quota || (load === quota && extras > 0)
      if (room && rank > bestRank) [best, bestRank] = [owner, rank]
    }
    if (owned.get(best!)!.length === quota) extras -= 1
    owned.get(best!)!.push(partition)
  }
  return owned
}

/** Member → owner; a second member of one process in the same group gets a name of its own. */
function namesOf(members: readonly GroupMember[]): ReadonlyMap<string, string> {
  const { AssignerProtocol } = kafkajs
  const taken = new Set<string>()
  const names = new Map<string, string>()
  for (const member of [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1))) {
    const owner = AssignerProtocol.MemberMetadata.decode(member.memberMetadata)?.userData.toString()
    const name = owner && !taken.has(owner) ? owner : `${owner ?? ''}\n${member.memberId}`
    taken.add(name)
    names.set(member.memberId, name)
  }
  return names
}
