/** Every record of ours names its partition. kafkajs splits in time that grows with their square. */
export function groupByPartition<Message extends { readonly partition: number }>({
  messages,
}: {
  readonly messages: readonly Message[]
}): Record<string, Message[]> {
  const groups: Record<string, Message[]> = {}
  for (const message of messages) (groups[message.partition] ??= []).push(message)
  return groups
}
