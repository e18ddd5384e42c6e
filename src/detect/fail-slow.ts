/**
 * A node that answers, but slowly: its latencies against its own history, and how far it has moved from
 * that against how far its peers have. A node may always have been slower, and a pool may slow down as a
 * whole: neither is a fault of the node.
 *
 * Each reading earns points by how many times slower the node is than both; points add up to a score
 * and wear off, so that a spike is forgotten and a steady ill is not. The idea of a score that
 * accumulates over peers' spread is that of Perseus (FAST 2023).
 */
import type { FaultKind, Finding } from '../core/fault.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { detector, type DetectorFold, NOTHING_FOUND, type Sighting } from './detector.ts'
import { NodeSlots } from './node-slots.ts'
import { PeerHistogram, type PeerView } from './peer-histogram.ts'
import { count, duration, number, type Values } from './settings.ts'

const SETTINGS = {
  /** Times slower than own history and peers, from which a reading earns 3, 4 and 5 points. */
  slowRatio: number(1.5, 1.1, 100),
  slowerRatio: number(2.5, 1.1, 100),
  slowestRatio: number(5, 1.1, 100),
  /** Standard deviations that both must be exceeded by. */
  deviations: number(3, 1, 20),
  warningScore: number(14, 1, 20),
  errorScore: number(17, 1, 20),
  /** Readings before a node's own history counts. */
  historyMin: count(8, 2, 10_000),
  /** Readings of peers in a window before they count. */
  peersMin: count(5, 2, 100_000),
  /** Between readings that count: noise lasts, and ten values of one minute are not ten readings. */
  spacing: duration(15_000, 1_000, 86_400_000),
  peerWindow: duration(120_000, 10_000, 86_400_000),
} as const

type Limits = Values<typeof SETTINGS>

/** Nodes of a pool whose history of a metric is kept: 48 bytes each. */
const NODES_MAX = 100_000
/** A history adapts over so many readings, and fifty times slower while it is exceeded. */
const HISTORY_READINGS = 200
const EXCEEDED_PACE = 0.02
const CUT_DEVIATIONS = 3
/** Logarithms: nothing is steadier than 15 %. */
const DEVIATION_MIN = 0.15
const SCORE_MAX = 20
const WEAR = 2
/** Metrics of all classes together; further ones are left out. */
const METRICS_MAX = 32

const COUNT = 0
const MEAN = 1
const VARIANCE = 2
const SCORE = 3
const LEVEL = 4
const TAKEN_AT = 5
const WIDTH = 6

export const failSlow = detector({
  name: 'fail-slow',
  inputs: ['assessment', 'departure'],
  enabled: true,
  settings: SETTINGS,
  check(values) {
    const { slowRatio, slowerRatio, slowestRatio, warningScore, errorScore } = values
    if (slowRatio >= slowerRatio || slowerRatio >= slowestRatio) {
      return 'slow_ratio, slower_ratio and slowest_ratio must rise'
    }
    return warningScore < errorScore ? null : 'error_score must lie over warning_score'
  },
  create: (values, pool): DetectorFold => new FailSlowFold(values, pool),
})

/** Of one metric of a class. */
interface Watched {
  readonly peers: PeerHistogram
  readonly histories: NodeSlots
}

interface Reading {
  readonly node: NodeId
  readonly metric: string
  readonly value: number
  /** A link that is slow is another fault than a node that is. */
  readonly kind: FaultKind
}

class FailSlowFold implements DetectorFold {
  readonly #limits: Limits
  readonly #pool: PoolId
  /** By class and metric. */
  readonly #watched = new Map<string, Map<string, Watched>>()
  #watchedCount = 0

  constructor(limits: Limits, pool: PoolId) {
    this.#limits = limits
    this.#pool = pool
  }

  take(input: Parameters<DetectorFold['take']>[0], nowMs: number): readonly Finding[] {
    if (input.kind === 'departure') {
      for (const { histories } of this.#all()) histories.forget(input.node)
      return NOTHING_FOUND
    }
    return input.kind === 'assessment' ? this.#judge(input, nowMs) : NOTHING_FOUND
  }

  stats(): Readonly<Record<string, number>> {
    let [histories, leftOut] = [0, 0]
    for (const watched of this.#all()) {
      histories += watched.histories.size
      leftOut += watched.histories.leftOutCount
    }
    return { histories, leftOut }
  }

  *#all(): Iterable<Watched> {
    for (const ofClass of this.#watched.values()) yield* ofClass.values()
  }

  #judge({ row }: Sighting, nowMs: number): readonly Finding[] {
    if (row.readings === undefined) return NOTHING_FOUND
    const findings: Finding[] = []
    let ofClass = this.#watched.get(row.class)
    if (ofClass === undefined) this.#watched.set(row.class, (ofClass = new Map()))
    const { networkMs, latencyMs } = row.readings
    for (const metric in networkMs) {
      this.#weigh(ofClass, row.node, metric, networkMs[metric], 'network', nowMs, findings)
    }
    for (const metric in latencyMs) {
      const kind = 'performance-degradation'
      this.#weigh(ofClass, row.node, metric, latencyMs[metric], kind, nowMs, findings)
    }
    return findings
  }

  #weigh(
    ofClass: Map<string, Watched>,
    node: NodeId,
    metric: string,
    value: number,
    kind: FaultKind,
    nowMs: number,
    findings: Finding[],
  ): void {
    const watched = value > 0 ? this.#watch(ofClass, metric) : null
    if (watched === null) return
    const { peers, histories } = watched
    const at = histories.open(node)
    if (at < 0) return
    if (nowMs - histories.values[at + TAKEN_AT] < this.#limits.spacing) return
    const own = histories.values.subarray(at, at + WIDTH)
    own[TAKEN_AT] = nowMs
    const logarithm = Math.log(value)
    const shift = logarithm - own[MEAN]
    const view = peers.view(nowMs)
    const isKnown = own[COUNT] >= this.#limits.historyMin
    if (isKnown) peers.add(shift, nowMs)
    const times = isKnown ? this.#timesSlower(own, view, shift) : 1
    learn(own, logarithm, isKnown, times > 1)
    const points = this.#points(times)
    own[SCORE] = Math.max(0, Math.min(SCORE_MAX, own[SCORE] + (points === 0 ? -WEAR : points)))
    if (own[SCORE] === 0 && own[LEVEL] === 0) return
    this.#tell({ node, metric, value, kind }, own, view, times, nowMs, findings)
  }

  /** How many times slower than both, 1 where either does not say so. */
  #timesSlower(own: Float64Array, view: PeerView | null, shift: number): number {
    const { peersMin, deviations } = this.#limits
    if (view === null || view.count < peersMin) return 1
    const overPeers = shift - view.median
    const peerDeviation = Math.max(DEVIATION_MIN, view.deviation)
    if (shift < deviations * deviationOf(own) || overPeers < deviations * peerDeviation) return 1
    return Math.exp(Math.min(shift, overPeers))
  }

  #points(times: number): number {
    const { slowRatio, slowerRatio, slowestRatio } = this.#limits
    if (times >= slowestRatio) return 5
    if (times >= slowerRatio) return 4
    return times >= slowRatio ? 3 : 0
  }

  #tell(
    { node, metric, value, kind }: Reading,
    own: Float64Array,
    view: PeerView | null,
    times: number,
    nowMs: number,
    findings: Finding[],
  ): void {
    const { warningScore, errorScore } = this.#limits
    const score = own[SCORE]
    const subject = `${node}/${metric}`
    const before = own[LEVEL]
    // It is left at half the score that it was reached at.
    const held = (level: number, limit: number) => before >= level && score >= limit / 2
    if (score >= errorScore || held(2, errorScore)) own[LEVEL] = 2
    else own[LEVEL] = score >= warningScore || held(1, warningScore) ? 1 : 0
    if (own[LEVEL] === 0) {
      if (before > 0) findings.push({ ok: true, subject, why: `${metric} is as usual again` })
      return
    }
    if (own[LEVEL] === before) return
    findings.push({
      ok: false,
      fault: {
        detector: failSlow.name,
        kind,
        subject,
        node,
        pool: this.#pool,
        atMs: nowMs,
        severity: own[LEVEL] === 2 ? 'error' : 'warning',
        confidenceRatio: score / SCORE_MAX,
        evidence: [
          { what: metric, value, limit: Math.exp(own[MEAN]) },
          { what: 'peersTimesSlower', value: Math.exp(view?.median ?? 0), limit: null },
          { what: 'timesSlower', value: times, limit: this.#limits.slowRatio },
          { what: 'score', value: score, limit: own[LEVEL] === 2 ? errorScore : warningScore },
        ],
      },
    })
  }

  #watch(ofClass: Map<string, Watched>, metric: string): Watched | null {
    let watched = ofClass.get(metric)
    if (watched === undefined) {
      if (this.#watchedCount === METRICS_MAX) return null
      this.#watchedCount++
      const peers = new PeerHistogram(this.#limits.peerWindow)
      ofClass.set(metric, (watched = { peers, histories: new NodeSlots(WIDTH, NODES_MAX) }))
    }
    return watched
  }
}

/** Exponentially weighted mean and variance of the logarithm, all readings alike at first; then spikes are cut. */
function learn(own: Float64Array, logarithm: number, isKnown: boolean, exceeded: boolean): void {
  const limit = isKnown ? CUT_DEVIATIONS * deviationOf(own) : Infinity
  own[COUNT] += 1
  const weight = (exceeded ? EXCEEDED_PACE : 1) / Math.min(own[COUNT], HISTORY_READINGS)
  const delta = Math.max(-limit, Math.min(limit, logarithm - own[MEAN]))
  own[MEAN] += weight * delta
  own[VARIANCE] = (1 - weight) * (own[VARIANCE] + weight * delta * delta)
}

function deviationOf(own: Float64Array): number {
  return Math.max(DEVIATION_MIN, Math.sqrt(own[VARIANCE]))
}
