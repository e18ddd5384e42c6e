/**
 * From the faults of one cause to what it is: kind, severity, priority and how sure that is.
 *
 * Every fault votes for its kind with its confidence. A detector that sees symptoms only (a silence, a
 * limit, a probability) leaves most of its vote to what its evidence names, because a node that is
 * foretold to fail by its disk errors is another case than one that runs out of memory.
 */
import { type Fault, type FaultKind, SEVERITIES, type Severity } from '../core/fault.ts'
import type { NodeId } from '../core/ids.ts'
import type { Priority } from '../core/workload.ts'

export interface Classified {
  readonly kind: FaultKind
  readonly severity: Severity
  readonly priority: Priority
  /** Share of the votes that the kind got, 0..1. */
  readonly confidenceRatio: number
  readonly votes: readonly { readonly kind: FaultKind; readonly weight: number }[]
}

/** What the cause hits. */
export interface Impact {
  readonly nodeCount: number
  readonly poolNodeCount: number
  /** Of the most urgent workload on these nodes; null where they carry none. */
  readonly workload: Priority | null
}

/** Ties go to the first: the more specific the kind, the further in front. */
const KINDS: readonly FaultKind[] = [
  'attack',
  'byzantine',
  'data-corruption',
  'network-partition',
  'node-hardware',
  'resource-exhaustion',
  'network',
  'software',
  'performance-degradation',
  'service-unavailability',
]
/** They see symptoms; what is behind these their evidence says. */
const SYMPTOMATIC: ReadonlySet<string> = new Set([
  'heartbeat',
  'phi-accrual',
  'predicted-failure',
  'threshold',
  'anomaly',
])
/** A cause that was proved outweighs the symptoms that it makes. */
const PROVED: ReadonlySet<FaultKind> = new Set([
  'attack',
  'byzantine',
  'data-corruption',
  'network-partition',
])
const PROVED_WEIGHT = 3
/** Whatever befalls a node ends in this: however many see it, it is one voice of that node. */
export const SYMPTOM: FaultKind = 'service-unavailability'
const CUE_SHARE = 0.8
const CUES: readonly (readonly [RegExp, FaultKind])[] = [
  [/disk_errors|gpu_memory_errors|temperature|smart_|ecc/, 'node-hardware'],
  [/memory_(utilization|pressure)|disk_utilization|swap_utilization|inode/, 'resource-exhaustion'],
  [/network_|packet|loss_ratio/, 'network'],
  [/error_rate|exit_?code|crash/i, 'software'],
  [/response_time|disk_latency|cpu_utilization/, 'performance-degradation'],
]
/** By the name that an event gives to a failure; the first that fits. */
const FAILURE_CUES: readonly (readonly [RegExp, FaultKind])[] = [
  // What goes wrong in a part's memory is the part's.
  [/gpu|ecc/i, 'node-hardware'],
  [/leak|memory|oom|disk-?fill|out-of-space/i, 'resource-exhaustion'],
  [/\bnic\b|network|link|switch/i, 'network'],
  [/software|crash|hang|panic|exit/i, 'software'],
  [/hardware|disk|drive|fan|power|thermal|pcie|cpu/i, 'node-hardware'],
]
/** So much of a pool at once is more than its worst node. */
const WIDE_RATIO = 0.1

export function classify(faults: readonly Fault[], impact: Impact): Classified {
  const weights = new Map<FaultKind, number>()
  const symptoms = new Map<NodeId | null, number>()
  for (const fault of faults) {
    const cues = cuesOf(fault)
    if (fault.kind === SYMPTOM && cues.length === 0) {
      const most = Math.max(symptoms.get(fault.node) ?? 0, weightOf(fault))
      symptoms.set(fault.node, most)
    } else vote(fault, cues, weights)
  }
  for (const weight of symptoms.values()) {
    weights.set(SYMPTOM, (weights.get(SYMPTOM) ?? 0) + weight)
  }
  const votes = KINDS.flatMap((kind) => {
    const weight = weights.get(kind) ?? 0
    return weight === 0 ? [] : [{ kind, weight }]
  }).sort((a, b) => b.weight - a.weight || KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind))
  const total = votes.reduce((sum, { weight }) => sum + weight, 0)
  const severity = severityOf(faults)
  return {
    kind: votes[0]?.kind ?? 'software',
    severity,
    priority: priorityOf(severity, impact),
    confidenceRatio: total === 0 ? 0 : votes[0].weight / total,
    votes,
  }
}

/** Of a failure that an event confirms; hardware unless its name says otherwise. */
export function kindOfFailure(name: string): FaultKind {
  return kindNamed(name) ?? 'node-hardware'
}

/** Null where the name of a failure says nothing. */
export function kindNamed(name: string): FaultKind | null {
  return FAILURE_CUES.find(([pattern]) => pattern.test(name))?.[1] ?? null
}

/** What was known of an incident stays: the silence that follows says nothing of its own. */
export function kindAfter(before: FaultKind | null, seen: FaultKind): FaultKind {
  return before !== null && seen === SYMPTOM ? before : seen
}

function weightOf({ kind, confidenceRatio }: Fault): number {
  return Math.max(0.01, confidenceRatio) * (PROVED.has(kind) ? PROVED_WEIGHT : 1)
}

function vote(fault: Fault, cues: readonly FaultKind[], weights: Map<FaultKind, number>): void {
  const { kind } = fault
  const weight = weightOf(fault)
  const own = cues.length === 0 ? weight : weight * (1 - CUE_SHARE)
  weights.set(kind, (weights.get(kind) ?? 0) + own)
  // The first piece of evidence weighs most: 1, 1/2, 1/3, ...
  const shares = cues.map((_, rank) => 1 / (rank + 1))
  const sum = shares.reduce((a, b) => a + b, 0)
  for (const [rank, cue] of cues.entries()) {
    weights.set(cue, (weights.get(cue) ?? 0) + (weight * CUE_SHARE * shares[rank]) / sum)
  }
}

function cuesOf({ detector, evidence }: Fault): readonly FaultKind[] {
  if (!SYMPTOMATIC.has(detector)) return []
  return evidence.flatMap(({ what }) => {
    const cue = CUES.find(([pattern]) => pattern.test(what))
    return cue === undefined ? [] : [cue[1]]
  })
}

/** The gravest; two detectors that warn of the same thing make an error. */
function severityOf(faults: readonly Fault[]): Severity {
  const worst = faults.reduce(
    (most, { severity }) => Math.max(most, SEVERITIES.indexOf(severity)),
    0,
  )
  if (SEVERITIES[worst] !== 'warning') return SEVERITIES[worst]
  const warners = new Set(faults.filter((f) => f.severity === 'warning').map((f) => f.detector))
  return warners.size > 1 ? 'error' : 'warning'
}

function priorityOf(severity: Severity, { nodeCount, poolNodeCount, workload }: Impact): Priority {
  const wide = nodeCount > 1 && nodeCount >= WIDE_RATIO * poolNodeCount
  const urgent = workload === 'CRITICAL' || wide
  if (severity === 'critical') return urgent ? 'CRITICAL' : 'HIGH'
  if (severity === 'error') return urgent ? 'HIGH' : 'NORMAL'
  return severity === 'warning' && urgent ? 'NORMAL' : 'LOW'
}
