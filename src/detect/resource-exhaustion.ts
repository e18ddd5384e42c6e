/**
 * A resource that fills up: when will it be full? The trend is Theil and Sen's median of all pairwise
 * slopes, which a few wild readings do not move, and it counts only where Kendall's tau says
 * that the resource rises steadily. The interval of the time left follows from the slopes' quantiles
 * (Sen, 1968, https://doi.org/10.1080/01621459.1968.10480934).
 */
import type { Finding } from '../core/fault.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { detector, type DetectorFold, NOTHING_FOUND } from './detector.ts'
import { NodeSlots } from './node-slots.ts'
import { count, duration, ratio, type Values } from './settings.ts'
import { POINTS_MAX, steadyTrend, type Trend } from './trend.ts'

const SETTINGS = {
  /** Below this share a resource is not watched. */
  watchFrom: ratio(0.5),
  warningLeft: duration(6 * 3_600_000, 60_000, 90 * 86_400_000),
  criticalLeft: duration(30 * 60_000, 10_000, 90 * 86_400_000),
  /** Between the readings that a trend is made of. */
  spacing: duration(30_000, 1_000, 86_400_000),
  readingsMin: count(10, 4, POINTS_MAX),
  /** Kendall's tau: 1 where every reading is over the one before. */
  steadiness: ratio(0.6, 0.1, 1),
} as const

type Limits = Values<typeof SETTINGS>

/** Nodes of a pool whose series of a resource is kept, 400 bytes each; further ones are counted and left out. */
const NODES_MAX = 20_000
const RESOURCES_MAX = 16
/** Resources that keep what they have taken; a load comes and goes. */
const FILLS = /^(memory|disk|swap|storage|filesystem|inode).*_utilization$/

const COUNT = 0
const LEVEL = 1
const HEAD = 2
const WIDTH = HEAD + 2 * POINTS_MAX

export const resourceExhaustion = detector({
  name: 'resource-exhaustion',
  inputs: ['assessment', 'departure'],
  enabled: true,
  settings: SETTINGS,
  check: ({ warningLeft, criticalLeft }) =>
    criticalLeft < warningLeft ? null : 'critical_left must be shorter than warning_left',
  create: (values, pool): DetectorFold => new ExhaustionFold(values, pool),
})

class ExhaustionFold implements DetectorFold {
  readonly #limits: Limits
  readonly #pool: PoolId
  /** By resource. */
  readonly #series = new Map<string, NodeSlots>()

  constructor(limits: Limits, pool: PoolId) {
    this.#limits = limits
    this.#pool = pool
  }

  take(input: Parameters<DetectorFold['take']>[0], nowMs: number): readonly Finding[] {
    if (input.kind === 'departure') {
      for (const series of this.#series.values()) series.forget(input.node)
      return NOTHING_FOUND
    }
    if (input.kind !== 'assessment' || input.row.readings === undefined) return NOTHING_FOUND
    const findings: Finding[] = []
    const { usageRatio } = input.row.readings
    for (const what in usageRatio) {
      const series = this.#seriesOf(what)
      if (series !== null) {
        this.#follow(series, input.row.node, what, usageRatio[what], nowMs, findings)
      }
    }
    return findings
  }

  stats(): Readonly<Record<string, number>> {
    let [series, leftOut] = [0, 0]
    for (const slots of this.#series.values()) {
      series += slots.size
      leftOut += slots.leftOutCount
    }
    return { series, leftOut }
  }

  /** Null for what does not fill up. */
  #seriesOf(what: string): NodeSlots | null {
    let series = this.#series.get(what)
    if (series === undefined) {
      if (!FILLS.test(what) || this.#series.size === RESOURCES_MAX) return null
      this.#series.set(what, (series = new NodeSlots(WIDTH, NODES_MAX)))
    }
    return series
  }

  #follow(
    slots: NodeSlots,
    node: NodeId,
    what: string,
    value: number,
    nowMs: number,
    findings: Finding[],
  ): void {
    if (value < this.#limits.watchFrom) return this.#drop(slots, node, what, findings)
    const at = slots.open(node)
    if (at < 0) return
    const series = slots.values.subarray(at, at + WIDTH)
    if (!append(series, value, nowMs, this.#limits.spacing)) return
    const size = series[COUNT]
    if (size < this.#limits.readingsMin) return
    const points = series.subarray(HEAD, HEAD + 2 * size)
    const trend = steadyTrend(points, this.#limits.steadiness)
    const leftMs = trend === null ? Infinity : (1 - value) / trend.slope
    const before = series[LEVEL]
    series[LEVEL] = this.#levelOf(leftMs, before)
    if (series[LEVEL] === before) return
    const subject = `${node}/${what}`
    if (series[LEVEL] === 0 || trend === null) {
      findings.push({ ok: true, subject, why: `${what} no longer rises towards its limit` })
      return
    }
    findings.push(this.#fault(node, what, value, trend, series[LEVEL], nowMs))
  }

  /** A level is left where the time left is a third over what it was reached at. */
  #levelOf(leftMs: number, before: number): number {
    const { warningLeft, criticalLeft } = this.#limits
    const within = (limitMs: number, level: number) =>
      leftMs <= (before >= level ? (limitMs * 4) / 3 : limitMs)
    return within(criticalLeft, 2) ? 2 : within(warningLeft, 1) ? 1 : 0
  }

  #fault(
    node: NodeId,
    what: string,
    value: number,
    { slope, low, high, tau }: Trend,
    level: number,
    nowMs: number,
  ): Finding {
    const { warningLeft, criticalLeft } = this.#limits
    const left = (rate: number) => (rate > 0 ? Math.round((1 - value) / rate) : 'no end')
    return {
      ok: false,
      fault: {
        detector: resourceExhaustion.name,
        kind: 'resource-exhaustion',
        subject: `${node}/${what}`,
        node,
        pool: this.#pool,
        atMs: nowMs,
        severity: level === 2 ? 'error' : 'warning',
        confidenceRatio: tau,
        evidence: [
          { what, value, limit: 1 },
          {
            what: 'timeLeftMs',
            value: left(slope),
            limit: level === 2 ? criticalLeft : warningLeft,
          },
          { what: 'timeLeftMsEarliest', value: left(high), limit: null },
          { what: 'timeLeftMsLatest', value: left(low), limit: null },
        ],
      },
    }
  }

  #drop(slots: NodeSlots, node: NodeId, what: string, findings: Finding[]): void {
    if (!slots.has(node)) return
    const level = slots.values[slots.open(node) + LEVEL]
    slots.forget(node)
    if (level === 0) return
    findings.push({ ok: true, subject: `${node}/${what}`, why: `${what} has room again` })
  }
}

/** Pairs of time and value, oldest first; the oldest makes room. False where it comes too soon. */
function append(series: Float64Array, value: number, nowMs: number, spacingMs: number): boolean {
  const size = series[COUNT]
  if (size > 0 && nowMs - series[HEAD + 2 * (size - 1)] < spacingMs) return false
  if (size === POINTS_MAX) series.copyWithin(HEAD, HEAD + 2, WIDTH)
  const at = HEAD + 2 * Math.min(size, POINTS_MAX - 1)
  series[at] = nowMs
  series[at + 1] = value
  series[COUNT] = Math.min(size + 1, POINTS_MAX)
  return true
}
