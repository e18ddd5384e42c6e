/** `[resilience]`: how everything outside of the bus is called, and from when on a part counts as degraded. */
import { z } from 'zod'
import { DEFAULT_GUARD, type GuardRules } from '../core/guard.ts'
import { duration } from './toml.ts'

const MINUTE_MS = 60_000

const within = (leastMs: number, mostMs: number, shown: string) =>
  duration.refine((ms) => ms >= leastMs && ms <= mostMs, { error: `expected ${shown}` })

const waited = within(100, 10 * MINUTE_MS, 'from 100ms to 10m')

export const ResilienceTable = z
  .strictObject({
    failures_max: z.int().min(1).max(1_000).default(DEFAULT_GUARD.failuresMax),
    open: within(1_000, 60 * MINUTE_MS, 'from 1s to 1h').prefault('60s'),
    probes: z.int().min(1).max(100).default(DEFAULT_GUARD.probes),
    concurrency: z.int().min(1).max(256).default(DEFAULT_GUARD.concurrencyMax),
    queue: z.int().min(0).max(10_000).default(DEFAULT_GUARD.queueMax),
    attempts_max: z.int().min(1).max(10).default(DEFAULT_GUARD.attemptsMax),
    timeout_critical: waited.prefault('5s'),
    timeout_normal: waited.prefault('15s'),
    timeout_low: waited.prefault('60s'),
    commit_slow: within(1, 10 * MINUTE_MS, 'from 1ms to 10m').prefault('1s'),
    recorder_behind: within(1_000, 24 * 60 * MINUTE_MS, 'from 1s to 24h').prefault('5m'),
  })
  .refine(({ timeout_critical: critical, timeout_normal: normal }) => critical <= normal, {
    message: 'longer than resilience.timeout_normal: critical calls fail first',
    path: ['timeout_critical'],
  })
  .refine(({ timeout_normal: normal, timeout_low: low }) => normal <= low, {
    message: 'longer than resilience.timeout_low: normal calls fail first',
    path: ['timeout_normal'],
  })

export interface DegradedConfig {
  readonly commitSlowMs: number
  readonly recorderBehindMs: number
}

export function toDegraded(table: z.output<typeof ResilienceTable>): DegradedConfig {
  return { commitSlowMs: table.commit_slow, recorderBehindMs: table.recorder_behind }
}

export function toResilience(table: z.output<typeof ResilienceTable>): GuardRules {
  return {
    failuresMax: table.failures_max,
    openMs: table.open,
    probes: table.probes,
    concurrencyMax: table.concurrency,
    queueMax: table.queue,
    attemptsMax: table.attempts_max,
    timeoutMs: {
      critical: table.timeout_critical,
      normal: table.timeout_normal,
      low: table.timeout_low,
    },
  }
}
