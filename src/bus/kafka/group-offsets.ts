/**
 * What a group has committed. kafkajs asks for the partitions that it knows of a topic, and for none
 * where it has forgotten the topic for a moment. Such an answer is not taken: to an owner that begins
 * where it is told, nothing committed means to send everything again.
 */
import type { Admin as KafkaAdmin } from 'kafkajs'

import { PartitionsUnknown, patiently } from './patience.ts'

/** Topic → per partition the next offset, of every partition; 0 where the group never committed. */
export async function fetchGroupOffsets(
  admin: Pick<KafkaAdmin, 'fetchOffsets'>,
  group: string,
  topics: readonly string[],
): Promise<ReadonlyMap<string, readonly number[]>> {
  return await patiently(async () => {
    const answer = await admin.fetchOffsets({ groupId: group, topics: [...topics] })
    const told = new Map(answer.map(({ topic, partitions }) => [topic, partitions]))
    return new Map(
      topics.map((topic) => {
        const partitions = told.get(topic) ?? []
        if (partitions.length === 0) throw new PartitionsUnknown(topic)
        const inOrder = [...partitions].sort((a, b) => a.partition - b.partition)
        const offsets = inOrder.map(({ offset }) => Math.max(0, Number(offset)))
        return [topic, offsets] as const
      }),
    )
  })
}
