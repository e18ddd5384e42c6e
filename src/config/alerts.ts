/** `[alerts]`: what people are paged for, and how it reaches them. */
import { z } from 'zod'
import type { PageRules } from '../core/alert.ts'
import { HOUR_MS } from '../core/time.ts'
import { duration } from './toml.ts'

const within = (leastMs: number, mostMs: number, shown: string) =>
  duration.refine((ms) => ms >= leastMs && ms <= mostMs, { error: `expected ${shown}` })

const address = z.url({ protocol: /^https?$/, error: 'expected an http or https address' })

export const AlertsTable = z.strictObject({
  severity_min: z.enum(['info', 'warning', 'error', 'critical']).default('warning'),
  repeat: within(60_000, 168 * HOUR_MS, 'from 1m to 7d').prefault('4h'),
  escalate_after: within(1_000, 168 * HOUR_MS, 'from 1s to 7d').prefault('15m'),
  pages_per_minute: z.int().min(1).max(600).default(10),
  alertmanager: z.strictObject({ url: address }).optional(),
  webhook: z
    .strictObject({
      url: address,
      /** Signs each page. */
      secret: z.string().min(16, 'expected at least 16 characters'),
    })
    .optional(),
})

export interface AlertsConfig {
  readonly rules: PageRules
  readonly alertmanager: { readonly url: string } | null
  readonly webhook: { readonly url: string; readonly secret: string } | null
}

export function toAlerts(table: z.output<typeof AlertsTable>): AlertsConfig {
  return {
    rules: {
      severityMin: table.severity_min,
      repeatMs: table.repeat,
      escalateMs: table.escalate_after,
      pagesPerMinute: table.pages_per_minute,
    },
    alertmanager: table.alertmanager ?? null,
    webhook: table.webhook ?? null,
  }
}
