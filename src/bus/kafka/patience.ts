/**
 * Asks again where kafkajs gives up at once, or has asked for less than it was asked: a partition whose
 * leader is only being found (a new topic, a broker that comes back), a group whose coordinator is, and
 * a topic that is missing from metadata which was fetched for another one at the same moment.
 */
import { setTimeout as sleep } from 'node:timers/promises'

import { failureOf } from './failure.ts'

export const TRIES_MAX = 30
const RETRY_MS = 5
const RETRY_MS_MAX = 500
/** The broker's names for what passes by itself. */
export const LEADERLESS: ReadonlySet<string> = new Set([
  'NOT_LEADER_FOR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'REPLICA_NOT_AVAILABLE',
])
const COORDINATORLESS: ReadonlySet<string> = new Set([
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
])

/** kafkajs did not know the partitions of a topic, and so has asked for none of them. */
export class PartitionsUnknown extends Error {
  override readonly name = 'PartitionsUnknown'

  constructor(topic: string) {
    super(`the partitions of ${topic} are not known at the moment`)
  }
}

export async function patiently<Answer>(question: () => Promise<Answer>): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await question()
    } catch (error) {
      if (!isPassing(error) || attempt === TRIES_MAX) throw error
      await nap(attempt)
    }
  }
}

/** Longer with every attempt. */
export async function nap(attempt: number): Promise<void> {
  await sleep(Math.min(RETRY_MS * 2 ** attempt, RETRY_MS_MAX))
}

/** Where it has forgotten a topic, kafkajs stumbles over the ends that it did not ask for. */
function isPassing(error: unknown): boolean {
  if (error instanceof TypeError || error instanceof PartitionsUnknown) return true
  const { type } = failureOf(error)
  return LEADERLESS.has(type) || COORDINATORLESS.has(type)
}
