/** A process of `npm run resilience`: runs the worlds it is given, one after the other, and answers each with what came of it. */
import { join } from 'node:path'
import { measuredRepairHours } from '../../src/commands/measured-times.ts'
import { loadKernel } from '../../src/commands/package.ts'
import { readFaults } from '../../src/commands/simulate.ts'
import { HOUR_MS } from '../../src/core/time.ts'
import { simulate } from '../../src/simulate/outcome.ts'
import type { Job } from './runs.ts'

const FAULTS = join(import.meta.dirname, '../../faults')
const kernel = await loadKernel()
const repairHours = measuredRepairHours(process.env['FORESHOCK_DATA'])
const interrupted = new AbortController()
process.on('SIGINT', () => interrupted.abort())
process.once('disconnect', () => process.exit(1))

process.on('message', ({ seed, scenario, nodeCount, hours }: Job) => {
  void simulate({
    seed,
    nodeCount,
    lengthMs: hours * HOUR_MS,
    faults: readFaults(join(FAULTS, `${scenario}.toml`)),
    kernel,
    signal: interrupted.signal,
    ...(repairHours === null ? {} : { repairHours }),
  }).then((outcome) => process.send?.(outcome))
})
