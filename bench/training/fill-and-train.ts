/**
 * usage: fill-and-train.ts ROWS FEATURES TREES. Collects made-up rows as `foreshock train` does, trains
 * on them, and prints how large the process became and how long both took, as JSON.
 */
import { existsSync, readFileSync } from 'node:fs'
import { loadKernel } from '../../src/commands/package.ts'
import { Binner } from '../../training/binner.ts'
import { findBounds } from '../../training/bins.ts'
import { DEFAULT_BOOST, randomFrom, trainBoost } from '../../training/boost.ts'
import { RowStore } from '../../training/row-store.ts'

const [rowCount, featureCount, trees] = process.argv.slice(2).map(Number)
const VALIDATION_SHARE = 0.1
const FAILURE_RATIO = 0.003
const SAMPLE_ROWS = 20_000

const module = await loadKernel()
const random = randomFrom(5)
const sample = new Float32Array(SAMPLE_ROWS * featureCount)
for (let i = 0; i < sample.length; i++) sample[i] = random()
const bounds = findBounds(sample, featureCount)
const binner = new Binner(module, bounds)
const fit = new RowStore(binner, 1)
const validation = new RowStore(binner, 1)
const began = performance.now()
const matrix = new Float32Array(featureCount)
for (let row = 0; row < rowCount; row++) {
  for (let f = 0; f < featureCount; f++) matrix[f] = random()
  const fails = random() < FAILURE_RATIO * 2 * matrix[0]
  const atMs = row * 1_000
  const label = fails
    ? ({ kind: 'positive', failureAtMs: atMs + 1 } as const)
    : ({ kind: 'negative' } as const)
  const folded = { node: row, hash: row, atMs, label, matrix, from: 0, width: featureCount }
  const store = random() < VALIDATION_SHARE ? validation : fit
  store.add(folded, 1, [0])
}
const filled = performance.now()
const params = { ...DEFAULT_BOOST, treesMax: trees, leavesMax: 63 }
const data = { rows: fit.rows(), bounds, validation: validation.rows() }
trainBoost(module, data, params)
const done = performance.now()
const answer = {
  maxRssBytes: largestResident(),
  fillS: (filled - began) / 1_000,
  trainS: (done - filled) / 1_000,
}
process.stdout.write(`${JSON.stringify(answer)}\n`)

/** Of this program: what `getrusage` says begins with the size of the process that started it. */
function largestResident(): number {
  const status = '/proc/self/status'
  const known = existsSync(status) ? /VmHWM:\s+(\d+) kB/.exec(readFileSync(status, 'utf8')) : null
  return 1_024 * Number(known?.[1] ?? process.resourceUsage().maxRSS)
}
