/** Simulated worlds in processes of their own, one for each core: a world has only one thread. */
import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Outcome, SimulateOptions } from '../simulate/outcome.ts'

/** One world, as values that can be sent. */
export type WorldJob = Pick<
  SimulateOptions,
  'seed' | 'nodeCount' | 'lengthMs' | 'faults' | 'policy' | 'repairHours'
>

/** Young objects are many, and most die at once. */
const SEMI_SPACE_MB = 64

/**
 * Runs all jobs; the first that finishes is told first, with its place in the list. After an interruption what was
 * not finished is not told. Rejects when a process ends before its job does.
 */
export async function runWorlds(
  jobs: readonly WorldJob[],
  signal: AbortSignal,
  told: (index: number, outcome: Outcome) => void,
): Promise<void> {
  let next = 0
  const work = async (): Promise<void> => {
    const child = startProcess()
    try {
      while (next < jobs.length && !signal.aborted) {
        const index = next++
        const outcome = await answer(child, jobs[index], signal)
        if (outcome !== null) told(index, outcome)
      }
    } finally {
      child.removeAllListeners('exit')
      child.kill()
    }
  }
  const count = Math.min(availableParallelism(), jobs.length)
  await Promise.all(Array.from({ length: count }, work))
}

/** From the build it is one file; from the sources it needs the loader that this process has. */
function startProcess(): ChildProcess {
  const isSource = import.meta.url.endsWith('.ts')
  const entry = new URL(`./world-process.${isSource ? 'ts' : 'js'}`, import.meta.url)
  const loader = isSource ? ['--import', import.meta.resolve('tsx')] : []
  return fork(fileURLToPath(entry), {
    execArgv: [`--max-semi-space-size=${SEMI_SPACE_MB}`, ...loader],
    serialization: 'advanced',
  })
}

/** Null after an interruption. */
async function answer(
  child: ChildProcess,
  job: WorldJob,
  signal: AbortSignal,
): Promise<Outcome | null> {
  return await new Promise((resolve, reject) => {
    const over = (): void => {
      child.removeListener('exit', ended)
      signal.removeEventListener('abort', interrupted)
    }
    const ended = (code: number | null): void => {
      over()
      reject(new Error(`the process of seed ${job.seed} ended with ${code} before its world did`))
    }
    const interrupted = (): void => {
      over()
      resolve(null)
    }
    signal.addEventListener('abort', interrupted)
    child.once('exit', ended)
    child.once('message', (message) => {
      over()
      resolve(message as Outcome | null)
    })
    child.send(job)
  })
}
