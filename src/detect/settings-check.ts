/** Settings of detectors that did not come through the schema of the file: are they within their bounds? */
import type { DetectorSettings } from '../core/policy.ts'
import { DETECTORS } from './registry.ts'
import { valuesOf } from './settings.ts'

/** What is wrong and where; null where nothing is. */
export function settingsProblem(given: DetectorSettings): string | null {
  for (const [name, own] of Object.entries(given)) {
    const detector = DETECTORS.find((known) => known.name === name)
    if (detector === undefined) return `there is no detector \`${name}\``
    for (const [key, value] of Object.entries(own ?? {})) {
      if (key === 'enabled' && typeof value === 'boolean') continue
      const setting = Object.hasOwn(detector.settings, key) ? detector.settings[key] : undefined
      if (setting === undefined) return `\`${name}\` has no setting \`${key}\``
      const { unit, min, max } = setting
      const isIn = typeof value === 'number' && value >= min && value <= max
      if (!isIn || (unit === 'count' && !Number.isInteger(value))) {
        return `\`${name}.${key}\` is ${String(value)}; expected ${min} to ${max}`
      }
    }
    const problem = detector.check?.(valuesOf(detector, given)) ?? null
    if (problem !== null) return `\`${name}\`: ${problem}`
  }
  return null
}
