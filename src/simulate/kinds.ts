/** What ails the nodes of a simulated world, and what kind of fault each is: the truth that classification is held to. */
import type { FaultKind } from '../core/fault.ts'

/** Why a node crashes; `metric` shows it coming, and `failureKind` is what the event that confirms it says. */
export interface Cause {
  readonly kind: FaultKind
  readonly metric: 'disk_errors' | 'memory_pressure' | 'network_errors' | 'error_rate'
  readonly failureKind: string
}

export const CAUSES: readonly Cause[] = [
  { kind: 'node-hardware', metric: 'disk_errors', failureKind: 'disk-failure' },
  { kind: 'resource-exhaustion', metric: 'memory_pressure', failureKind: 'out-of-memory' },
  { kind: 'network', metric: 'network_errors', failureKind: 'nic-failure' },
  { kind: 'software', metric: 'error_rate', failureKind: 'kernel-panic' },
]

/** Troubles of a node that is up, and how long each lasts at least before anything shows it. */
export const AILMENTS = {
  slow: { kind: 'performance-degradation', shownAfterMs: 10_000 },
  'slow-network': { kind: 'network', shownAfterMs: 10_000 },
  'memory-leak': { kind: 'resource-exhaustion', shownAfterMs: 60_000 },
  'service-down': { kind: 'service-unavailability', shownAfterMs: 20_000 },
  'container-loop': { kind: 'software', shownAfterMs: 60_000 },
  corruption: { kind: 'data-corruption', shownAfterMs: 60_000 },
  lies: { kind: 'byzantine', shownAfterMs: 30_000 },
  impostor: { kind: 'attack', shownAfterMs: 60_000 },
} as const satisfies Readonly<Record<string, { kind: FaultKind; shownAfterMs: number }>>

export type AilmentName = keyof typeof AILMENTS

/** Those that a faults file lists under `[ailments]`, with `_` for `-`. */
export const LISTED = [
  'slow-network',
  'memory-leak',
  'service-down',
  'container-loop',
  'corruption',
  'lies',
  'impostor',
] as const satisfies readonly AilmentName[]

/** One that a machine has now. `size`: times slower, share of its time until memory is full, or seconds between. */
export interface Ailment {
  readonly name: AilmentName
  readonly sinceMs: number
  readonly untilMs: number
  readonly size: number
}
