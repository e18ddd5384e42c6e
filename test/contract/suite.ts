/** The one list of promises. Every bus is run against all of them; each has a mutant that breaks it. */
import { test } from 'vitest'

import type { BusHarness } from './harness.ts'
import * as group from './group-clauses.ts'
import type { Clause } from './log-clauses.ts'
import * as log from './log-clauses.ts'
import * as transaction from './transaction-clauses.ts'

export const clauses = {
  'topics are created once and never by accident': log.topicsAreExplicit,
  'a partition keeps its order': log.partitionsKeepOrder,
  'a record lands in the partition it names': log.partitionsAreExplicit,
  'keys, values and headers come back as sent': log.contentIsKept,
  'a reader replays from start, end, offset or time': log.replayFromAnywhere,
  'a lease replays from the offset it is given': log.leaseReplaysFromOffset,
  'log time never goes back': log.logTimeNeverGoesBack,
  'compaction keeps the last value of each key': log.compactionKeepsTheLast,
  'retention drops the oldest and nothing else': log.retentionDropsTheOldest,
  'a join and a leave lose and repeat nothing': group.handoverLosesAndRepeatsNothing,
  'claims are recorded and epochs rise': group.claimsAreRecordedAndRise,
  'the same number of each topic is one lease': group.topicsOfOneMembershipAreOwnedTogether,
  'a lost lease falls silent': group.lostLeaseFallsSilent,
  'what is not taken is bounded': group.untakenRecordsAreBounded,
  'a full buffer is paused, and says so': group.fullBufferIsPaused,
  'closing under load loses nothing acknowledged': group.closeUnderLoadLosesNothing,
  'outputs and offsets commit together': transaction.outputsAndOffsetsCommitTogether,
  'an aborted commit leaves nothing and may be tried again': transaction.abortedCommitLeavesNothing,
  'an unknown commit is resolved by the next lease': transaction.unknownCommitIsResolved,
  'a zombie that wakes up is fenced and harmless': transaction.zombieIsFencedAndHarmless,
  'only what was committed is read': transaction.onlyCommittedIsRead,
  'a reader knows when it has reached an end': transaction.readerReachesTheEnd,
  'overlapping aborted transactions stay unseen': transaction.overlappingAbortsStayUnseen,
} satisfies Record<string, Clause>

/** Clauses that hold only where the bus has the capability of that name. */
export const capabilityClauses = {
  compression: { 'foreign compressed records are read': log.foreignCompressionIsRead },
} satisfies Record<string, Record<string, Clause>>

export type ClauseName = keyof typeof clauses

/** Declares one test per clause, each on a harness of its own. */
export function busContract(
  makeHarness: () => Promise<BusHarness>,
  capabilities: readonly (keyof typeof capabilityClauses)[] = [],
): void {
  const extra = capabilities.flatMap((name) => Object.entries(capabilityClauses[name]))
  for (const [name, clause] of [...Object.entries(clauses), ...extra]) {
    test(name, async () => {
      const harness = await makeHarness()
      try {
        await clause(harness)
      } finally {
        await harness.dispose()
      }
    })
  }
}
