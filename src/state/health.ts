/** Health of a node from its last values. The readable reference of the kernel of the same name. */
import { healthPart, healthScore } from '../core/health.ts'
import type { HealthPart, Metric } from '../core/node.ts'

const PARTS: readonly HealthPart[] = ['network', 'uptime', 'resources', 'trust']

/** The kernel's number of a part; the order of the weights. */
export function healthPartIndex(part: HealthPart): number {
  return PARTS.indexOf(part)
}

/**
 * 0..1. A part is as healthy as its worst metric, so one failing disk is not outvoted by four good
 * ones. A missing value (NaN), or a part that no metric speaks for, counts as healthy: silence is
 * the business of liveness, not of health.
 */
export function healthOf(metrics: readonly Metric[], values: ArrayLike<number>): number {
  const parts = { network: 1, uptime: 1, resources: 1, trust: 1 }
  metrics.forEach(({ health }, index) => {
    const value = values[index]
    if (health === null || Number.isNaN(value)) return
    parts[health.part] = Math.min(parts[health.part], healthPart(value, health.good, health.bad))
  })
  return healthScore(parts)
}
