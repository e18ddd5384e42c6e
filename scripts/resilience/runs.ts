/** Simulated worlds in processes of their own, one for each core: a world has only one thread. */
import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Outcome } from '../../src/simulate/outcome.ts'

export const SCENARIOS = ['default', 'detection', 'heavy', 'wave', 'calm', 'standby'] as const
export type Scenario = (typeof SCENARIOS)[number]

/** One world. */
export interface Job {
  readonly scenario: Scenario
  readonly seed: number
  readonly nodeCount: number
  readonly hours: number
}

/** Young objects are many, and most die at once. */
const SEMI_SPACE_MB = 64

/**
 * Runs all jobs; the first that finishes is told first. After an interruption what was not finished is not told.
 * Rejects when a process ends before its job does.
 */
export async function runAll(
  jobs: readonly Job[],
  signal: AbortSignal,
  told: (job: Job, outcome: Outcome) => void,
): Promise<void> {
  const left = jobs.toReversed()
  const workers = Array.from(
    { length: Math.min(availableParallelism(), jobs.length) },
    async () => {
      const child = fork(join(import.meta.dirname, 'run.ts'), {
        execArgv: [`--max-semi-space-size=${SEMI_SPACE_MB}`, '--import', 'tsx'],
      })
      try {
        for (
          let job = left.pop();
          job !== undefined;
          job = signal.aborted ? undefined : left.pop()
        ) {
          const outcome = await answer(child, job)
          if (outcome !== null) told(job, outcome)
        }
      } finally {
        child.removeAllListeners('exit')
        child.kill()
      }
    },
  )
  await Promise.all(workers)
}

async function answer(child: ChildProcess, job: Job): Promise<Outcome | null> {
  return await new Promise((resolve, reject) => {
    const ended = (code: number | null): void => {
      const where = `seed ${job.seed} of ${job.scenario}`
      reject(new Error(`the process of ${where} ended with ${code} before its world did`))
    }
    child.once('exit', ended)
    child.once('message', (message) => {
      child.removeListener('exit', ended)
      resolve(message as Outcome | null)
    })
    child.send(job)
  })
}
