/** A process of worlds: runs those it is given, one after the other, and answers each with what came of it. */
import { simulate } from '../simulate/outcome.ts'
import { loadKernel } from './package.ts'
import type { WorldJob } from './world-pool.ts'

const kernel = await loadKernel()
// Ctrl-C of a terminal reaches every process: the one that asks ends this one.
process.on('SIGINT', () => undefined)
process.once('disconnect', () => process.exit(1))

process.on('message', (job: WorldJob) => {
  void simulate({ ...job, kernel }).then((outcome) => process.send?.(outcome))
})
