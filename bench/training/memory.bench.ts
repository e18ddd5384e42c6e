/**
 * Memory that training takes from collecting rows to the last tree, with rows as Backblaze has them:
 * in a process of its own, whose largest resident size is what is reported.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { Bench } from '../bench.ts'

const SIZE = { rows: 4_700_000, features: 100, trees: 5 }
const QUICK = { rows: 400_000, features: 100, trees: 5 }
const GIGABYTES_MAX = 1.5
/** LightGBM's, on all rows of Backblaze with its own copy of them. */
const RIVAL_GIGABYTES = 4.7

interface Answer {
  readonly maxRssBytes: number
  readonly fillS: number
  readonly trainS: number
}

export const bench: Bench = {
  name: 'memory of training',
  async run({ quick }) {
    const { rows, features, trees } = quick ? QUICK : SIZE
    const script = join(import.meta.dirname, 'fill-and-train.ts')
    const args = ['--import', 'tsx', script, String(rows), String(features), String(trees)]
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    if (status !== 0) throw new Error('the process that trains failed')
    const { maxRssBytes, fillS, trainS } = JSON.parse(stdout) as Answer
    const value = maxRssBytes / 1e9
    return [
      {
        what: `largest resident size, GB, ${rows} rows × ${features} features`,
        against: 'LightGBM, 4.7 GB on all rows of Backblaze (FACTS)',
        value,
        reach: GIGABYTES_MAX,
        ok: value <= GIGABYTES_MAX,
        better: 'less',
        figures: { rival: RIVAL_GIGABYTES, fillS, trainS, trees },
      },
    ]
  },
}
