/**
 * `[policy.detectors.NAME]` and `[pools.POOL.detectors.NAME]`: the schema follows from the registry, so
 * that a detector's settings and their bounds stand in its own file alone.
 */
import { z } from 'zod'
import type { DetectorSettings } from '../core/policy.ts'
import { formatDuration } from '../core/time.ts'
import type { Detector } from '../detect/detector.ts'
import { DETECTORS } from '../detect/registry.ts'
import { type Setting, tomlName, valuesOf } from '../detect/settings.ts'
import { duration, invalid } from './toml.ts'

type Given = Readonly<Record<string, number | boolean | undefined>>
type Table = Readonly<Record<string, Given | undefined>>

/** Every detector and every setting may be left out. */
export const DetectorsTable: z.ZodType<Table> = z.strictObject(
  Object.fromEntries(
    DETECTORS.map((detector) => [tomlName(detector.name), tableOf(detector).optional()]),
  ),
)

/**
 * A pool's setting wins over that of `[policy]`. Names are those of the code. Two that are sound by
 * themselves may contradict each other: CONFIG_INVALID.
 */
export function mergeDetectors(base: Table = {}, own: Table = {}): DetectorSettings {
  const merged: Record<string, Record<string, number | boolean>> = {}
  for (const detector of DETECTORS) {
    const { name, settings } = detector
    const given: Given = { ...base[tomlName(name)], ...own[tomlName(name)] }
    const values: Record<string, number | boolean> = {}
    for (const key of ['enabled', ...Object.keys(settings)]) {
      const value = given[tomlName(key)]
      if (value !== undefined) values[key] = value
    }
    if (Object.keys(values).length === 0) continue
    merged[name] = values
    const problem = detector.check?.(valuesOf(detector, merged)) ?? null
    if (problem !== null) throw invalid(`\`detectors.${tomlName(name)}\`: ${problem}`)
  }
  return merged
}

function tableOf(detector: Detector): z.ZodType<Given> {
  const settings = Object.entries(detector.settings)
  return z
    .strictObject({
      enabled: z.boolean().optional(),
      ...Object.fromEntries(settings.map(([key, s]) => [tomlName(key), schemaOf(s).optional()])),
    })
    .superRefine((given: Given, context) => {
      const own = mergeOne(detector, given)
      const problem = detector.check?.(valuesOf(detector, { [detector.name]: own })) ?? null
      if (problem !== null) context.addIssue({ code: 'custom', message: problem })
    })
}

function mergeOne({ settings }: Detector, given: Given): Readonly<Record<string, number>> {
  const values: Record<string, number> = {}
  for (const key of Object.keys(settings)) {
    const value = given[tomlName(key)]
    if (typeof value === 'number') values[key] = value
  }
  return values
}

function schemaOf({ unit, min, max }: Setting): z.ZodType<number> {
  if (unit === 'duration') {
    const text = `expected ${formatDuration(min)} to ${formatDuration(max)}`
    return duration.refine((ms) => ms >= min && ms <= max, { error: text })
  }
  const error = `expected ${unit === 'count' ? 'a whole number' : 'a number'} from ${min} to ${max}`
  const number = z.number({ error }).min(min, { error }).max(max, { error })
  return unit === 'count' ? number.int({ error }) : number
}
