/** Takes topics away for good, for those who made them for themselves: benches and drills. */
import { kafkaClient, type KafkaBusOptions } from './client.ts'

const RETRY = { initialRetryTime: 50, maxRetryTime: 1_000, retries: 5 }

export async function deleteTopics(
  options: KafkaBusOptions,
  topics: readonly string[],
): Promise<void> {
  const admin = kafkaClient(options, { retry: RETRY }).admin()
  await admin.connect()
  try {
    await admin.deleteTopics({ topics: [...topics] })
  } finally {
    await admin.disconnect()
  }
}
