/** `[reload]`: how pools are watched after their settings changed at runtime. */
import { z } from 'zod'
import { DEFAULT_WATCH, type WatchRules } from '../core/runtime-config.ts'
import { DAY_MS } from '../core/time.ts'
import { duration } from './toml.ts'

const MINUTE_MS = 60_000

export const ReloadTable = z.strictObject({
  watch: duration
    .refine((ms) => ms >= MINUTE_MS && ms <= 7 * DAY_MS, { error: 'expected from 1m to 7d' })
    .prefault('1h'),
  worse_ratio: z.number().min(1).max(1_000).default(DEFAULT_WATCH.worseRatio),
  worse_min: z.int().min(1).max(1_000_000).default(DEFAULT_WATCH.worseMin),
})

export function toReload(table: z.output<typeof ReloadTable>): WatchRules {
  const { watch: watchMs, worse_ratio: worseRatio, worse_min: worseMin } = table
  return { watchMs, worseRatio, worseMin }
}
