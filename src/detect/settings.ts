/**
 * Settings of detectors: each has a default and bounds, and stands in `[policy.detectors.NAME]` or
 * `[pools.POOL.detectors.NAME]` of the configuration under its name in snake case.
 */
import type { DetectorSettings } from '../core/policy.ts'

export interface Setting {
  /** `duration` is text such as "30s" in TOML and ms here; a `count` is whole. */
  readonly unit: 'number' | 'ratio' | 'count' | 'duration'
  readonly initial: number
  readonly min: number
  readonly max: number
}

export type Settings = Readonly<Record<string, Setting>>
export type Values<S extends Settings> = { readonly [Name in keyof S]: number }

export interface Configurable {
  readonly name: string
  /** Whether it runs where the policy does not say. */
  readonly enabled: boolean
  readonly settings: Settings
}

export function number(initial: number, min: number, max: number): Setting {
  return { unit: 'number', initial, min, max }
}

export function ratio(initial: number, min = 0, max = 1): Setting {
  return { unit: 'ratio', initial, min, max }
}

export function count(initial: number, min: number, max: number): Setting {
  return { unit: 'count', initial, min, max }
}

/** All in ms. */
export function duration(initial: number, min: number, max: number): Setting {
  return { unit: 'duration', initial, min, max }
}

/** Name of a detector or a setting as it stands in TOML. */
export function tomlName(name: string): string {
  return name.replaceAll('-', '_').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

export function isEnabled({ name, enabled }: Configurable, given: DetectorSettings): boolean {
  const own = given[name]?.['enabled']
  return typeof own === 'boolean' ? own : enabled
}

/** Every setting of the detector: what the policy gives, else the default. */
export function valuesOf<S extends Settings>(
  { name, settings }: { readonly name: string; readonly settings: S },
  given: DetectorSettings,
): Values<S> {
  const own = given[name] ?? {}
  const values = Object.entries<Setting>(settings).map(([key, { initial }]) => {
    const value = own[key]
    return [key, typeof value === 'number' ? value : initial] as const
  })
  return Object.fromEntries(values) as Values<S>
}
