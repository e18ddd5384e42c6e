import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { CommitOutcome, Offsets, Output } from '../../src/core/bus.ts'
import { EmbeddedBroker } from '../../src/bus/embedded/embedded-bus.ts'
import type { Fence } from '../../src/bus/local/log-store.ts'
import { claimOutput } from '../../src/bus/local/membership.ts'
import type { BusHarness, CommitFault } from './harness.ts'
import { stagedTransaction } from './simulated-harness.ts'
import { busContract } from './suite.ts'

/** Longer than the retention of any topic in the suite. */
const RETENTION_MS_MAX = 86_400_000

async function embeddedHarness(): Promise<BusHarness> {
  const directory = await mkdtemp(join(tmpdir(), 'foreshock-embedded-'))
  let clockOffsetMs = 0
  const logNowMs = (): number => Date.now() + clockOffsetMs
  const broker = new EmbeddedBroker({ directory, logNowMs })
  const faults: CommitFault[] = []
  failCommitsOf(broker, faults)
  return {
    name: 'embedded',
    prefix: 'clause.',
    patienceMs: 10_000,
    overshootBytesMax: 0,
    pause: async (ms) => await new Promise<void>((resolve) => void setTimeout(resolve, ms)),
    open: async () => broker.open(),
    seize: async (seizure) => {
      const { group, role, partition, topics } = seizure
      const claim = claimOutput(seizure, 'thief', partition)
      await broker.store.claim({ group, role, partition }, topics, claim)
    },
    openTransaction: async () => stagedTransaction(broker.open()),
    expire: async () => {
      clockOffsetMs += RETENTION_MS_MAX
      await broker.clean()
    },
    failNextCommit: (fault) => void faults.push(fault),
    compact: async () => await broker.clean(),
    stepClockBack: (ms) => (clockOffsetMs -= ms),
    dispose: async () => {
      await broker.close()
      await rm(directory, { recursive: true })
    },
  }
}

/** LMDB itself does not lose answers, so they are lost here, between the store and its lease. */
function failCommitsOf({ store }: EmbeddedBroker, faults: CommitFault[]): void {
  const commit = store.commit.bind(store)
  Object.assign(store, {
    commit: async (
      fence: Fence,
      token: number,
      outputs: readonly Output[],
      next: Offsets,
    ): Promise<CommitOutcome> => {
      const fault = faults.shift()
      if (fault === undefined) return await commit(fence, token, outputs, next)
      if (fault.written) await commit(fence, token, outputs, next)
      return fault.outcome
    },
  })
}

busContract(embeddedHarness)
