/**
 * Which keys may change while the service runs. They are compared as the text that the file would have,
 * so that a change is told as people wrote it; what else differs needs a restart and is named.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import {
  CONFIG_BYTES_MAX,
  CONFIG_POOLS_MAX,
  type ConfigChange,
  type RuntimeSettings,
} from '../core/runtime-config.ts'
import { formatDuration } from '../core/time.ts'
import { type Config, type ConfigSource, loadSettings, toConfig } from './config.ts'
import { Settings } from './settings.ts'
import { invalid, schemaAt } from './toml.ts'

/** By their beginnings; a key that none of them begins needs a restart. */
const RUNTIME = [
  'policy.',
  'pools.',
  'promotion.',
  'drift.',
  'reload.',
  'alerts.severity_min',
  'alerts.repeat',
  'alerts.escalate_after',
  'alerts.pages_per_minute',
] as const
/** Watchers have these from their start. */
const FIXED: readonly string[] = [
  'promotion.moved_labels',
  'promotion.moved_labels_weight',
  'drift.window',
]
const SECRET = /(?:^|\.)(?:secret|password)$/

export type Keys = Readonly<Record<string, string>>

export interface LoadedConfig {
  readonly config: Config
  /** Every key that has a value, defaults of sections among them, as text. */
  readonly keys: Keys
}

/** As `loadConfig`, with its keys. */
export function loadKeyedConfig(source: ConfigSource): LoadedConfig {
  const settings = loadSettings(source)
  return { config: toConfig(settings), keys: keysOf(settings) }
}

export function isRuntimeKey(key: string): boolean {
  return RUNTIME.some((beginning) => key.startsWith(beginning)) && !FIXED.includes(key)
}

export function runtimeKeys(keys: Keys): Keys {
  return Object.fromEntries(Object.entries(keys).filter(([key]) => isRuntimeKey(key)))
}

/** Text of a value that may be shown. */
export function shown(key: string, text: string): string {
  return SECRET.test(key) ? '(hidden)' : text
}

export function shownKeys(keys: Keys): Keys {
  return Object.fromEntries(Object.entries(keys).map(([key, text]) => [key, shown(key, text)]))
}

/** By name, each once. */
export function changesBetween(from: Keys, to: Keys): readonly ConfigChange[] {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort()
  return names.flatMap((key) => {
    const [was, is] = [from[key] ?? null, to[key] ?? null]
    return was === is ? [] : [{ key, from: was, to: is }]
  })
}

/** CONFIG_INVALID where it is more than the log takes. */
export function runtimeSettings({ policy, pools, promotion, drift, alerts, reload }: Config): {
  readonly version: string
  readonly settings: RuntimeSettings
} {
  const settings: RuntimeSettings = {
    policy,
    pools: Object.fromEntries(pools),
    promotion,
    drift,
    alerts: alerts.rules,
    watch: reload,
  }
  const text = JSON.stringify(settings)
  if (pools.size > CONFIG_POOLS_MAX) {
    throw invalid(`\`pools\`: ${pools.size} pools, at most ${CONFIG_POOLS_MAX} can be reloaded`)
  }
  if (text.length > CONFIG_BYTES_MAX) {
    throw invalid(
      `\`pools\`: the settings take ${text.length} characters, at most ${CONFIG_BYTES_MAX} can be reloaded; say in [policy] what pools share`,
    )
  }
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 12)
  return { version: `sha256:${hash}`, settings }
}

function keysOf(settings: Settings): Keys {
  const keys: Record<string, string> = {}
  const walk = (value: unknown, path: readonly string[]) => {
    if (value === undefined || value === null) return
    if (typeof value === 'object' && !Array.isArray(value)) {
      for (const [key, inner] of Object.entries(value)) walk(inner, [...path, key])
    } else keys[path.join('.')] = textOf(value, schemaAt(Settings, path))
  }
  walk(settings, [])
  return keys
}

/** A number that the file has as text is a length of time. */
function textOf(value: unknown, schema: z.core.$ZodType): string {
  if (typeof value === 'number' && schema instanceof z.ZodString) return formatDuration(value)
  return JSON.stringify(value)
}
