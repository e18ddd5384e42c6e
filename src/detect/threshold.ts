/**
 * Fixed limits on what a node reads: network latency and resource usage from above, health from below.
 * Each has a warning and a critical limit, and is cleared only beyond its hysteresis.
 */
import type { Assessment } from '../core/assessment.ts'
import type { FaultKind, Finding } from '../core/fault.ts'
import { detector, type DetectorFold, NOTHING_FOUND } from './detector.ts'
import { Latch, type Level } from './latch.ts'
import { count, number, ratio, type Values } from './settings.ts'

const SETTINGS = {
  /** Ms. */
  networkLatencyWarning: number(500, 1, 600_000),
  networkLatencyCritical: number(1_000, 1, 600_000),
  nodeHealthWarning: ratio(0.5),
  nodeHealthCritical: ratio(0.3),
  /** Percent of the fullest resource. */
  resourceUsageWarning: number(80, 1, 100),
  resourceUsageCritical: number(95, 1, 100),
  /** A level is left once the value is better than its limit by this share of it. */
  hysteresis: ratio(0.1, 0, 0.9),
  persistence: count(2, 1, 1_000),
} as const

type Limits = Values<typeof SETTINGS>

/** What a limit is about. `sign` turns "less" into "greater". */
interface Rule {
  readonly name: 'network-latency' | 'node-health' | 'resource-usage'
  readonly kind: FaultKind
  readonly sign: 1 | -1
  readonly read: (row: Assessment) => { readonly what: string; readonly value: number } | null
  readonly limits: (values: Limits) => Pair
}
type Pair = readonly [warning: number, critical: number]

const RULES: readonly Rule[] = [
  {
    name: 'network-latency',
    kind: 'network',
    sign: 1,
    read: ({ readings }) => largest(readings?.networkMs),
    limits: (values) => [values.networkLatencyWarning, values.networkLatencyCritical],
  },
  {
    name: 'node-health',
    kind: 'performance-degradation',
    sign: -1,
    read: ({ health }) => (health === null ? null : { what: 'health', value: health }),
    limits: (values) => [values.nodeHealthWarning, values.nodeHealthCritical],
  },
  {
    name: 'resource-usage',
    kind: 'resource-exhaustion',
    sign: 1,
    read: ({ readings }) => {
      const fullest = largest(readings?.usageRatio)
      return fullest && { what: fullest.what, value: fullest.value * 100 }
    },
    limits: (values) => [values.resourceUsageWarning, values.resourceUsageCritical],
  },
]

export const threshold = detector({
  name: 'threshold',
  inputs: ['assessment', 'departure'],
  enabled: true,
  settings: SETTINGS,
  check(values) {
    for (const { name, sign, limits } of RULES) {
      const [warning, critical] = limits(values)
      if (sign * (critical - warning) > 0) continue
      const side = sign > 0 ? 'over' : 'under'
      return `${name}: the critical limit (${critical}) must lie ${side} the warning (${warning})`
    }
    return null
  },
  create(values): DetectorFold {
    const watches = RULES.map((rule) => watchOf(rule, values))
    const sum = (pick: (latch: Latch) => number) =>
      watches.reduce((total, { latch }) => total + pick(latch), 0)
    return {
      take(input, nowMs) {
        if (input.kind === 'departure') {
          for (const { latch } of watches) latch.forget(input.node)
          return NOTHING_FOUND
        }
        if (input.kind !== 'assessment' || input.row.trigger === 'liveness') return NOTHING_FOUND
        let findings = NOTHING_FOUND
        for (const watch of watches) {
          const finding = judge(watch, input.row, nowMs)
          if (finding !== null) findings = [...findings, finding]
        }
        return findings
      },
      stats: () => ({
        latched: sum((latch) => latch.size),
        leftOut: sum((latch) => latch.leftOutCount),
      }),
    }
  },
})

/** A rule with its limits, and the nodes that are not well by it. */
interface Watch {
  readonly rule: Rule
  readonly limits: Pair
  readonly held: Pair
  readonly latch: Latch
}

function watchOf(rule: Rule, values: Limits): Watch {
  const [warning, critical] = rule.limits(values)
  const held: Pair = [heldFrom(warning, rule.sign, values), heldFrom(critical, rule.sign, values)]
  return { rule, limits: [warning, critical], held, latch: new Latch(values.persistence) }
}

/** Values at which something begins or ends: the watcher tells at once where one is crossed. */
export function turningPoints(values: Limits, name: Rule['name']): readonly number[] {
  return RULES.filter((rule) => rule.name === name).flatMap(({ sign, limits }) =>
    limits(values).flatMap((limit) => [limit, heldFrom(limit, sign, values)]),
  )
}

function judge(
  { rule, limits, held, latch }: Watch,
  row: Assessment,
  nowMs: number,
): Finding | null {
  const reading = rule.read(row)
  if (reading === null) return null
  const { name, kind, sign } = rule
  const over = levelOf(reading.value, limits, sign)
  const { node, pool } = row
  // Nearly every reading of a fleet is within its limit, as the one before it was.
  if (over === 0 && !latch.has(node)) return null
  const before = latch.level(node)
  const level = latch.next(node, over, levelOf(reading.value, held, sign))
  const subject = `${node}/${name}`
  if (level === 0) {
    return before === 0 ? null : { ok: true, subject, why: `${name} is within its limit` }
  }
  const limit = limits[level - 1]
  return {
    ok: false,
    fault: {
      detector: threshold.name,
      kind,
      subject,
      node,
      pool,
      atMs: nowMs,
      severity: level === 2 ? 'critical' : 'warning',
      confidenceRatio: 1,
      evidence: [{ what: reading.what, value: reading.value, limit }],
    },
  }
}

function levelOf(value: number, [warning, critical]: Pair, sign: 1 | -1): Level {
  if (sign * (value - critical) >= 0) return 2
  return sign * (value - warning) >= 0 ? 1 : 0
}

/** Where hysteresis lets go. */
function heldFrom(limit: number, sign: 1 | -1, { hysteresis }: Limits): number {
  return limit * (1 - sign * hysteresis)
}

function largest(
  values: Readonly<Record<string, number>> | undefined,
): { readonly what: string; readonly value: number } | null {
  let [most, value] = ['', Number.NEGATIVE_INFINITY]
  for (const what in values) {
    if (values[what] > value) [most, value] = [what, values[what]]
  }
  return most === '' ? null : { what: most, value }
}
