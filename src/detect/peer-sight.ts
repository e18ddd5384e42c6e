/**
 * Nodes that their peers do not reach, or reach by turns. Each peer's newest reports vote; what most of
 * them say in two reports in a row counts, so that one lost probe, or one liar, says nothing.
 *
 * A node that still reports itself is alive and has trouble with its network. One that does not may as
 * well be down: that is a suspicion, and silence decides. Going down again and again is a link that flaps.
 */
import type { ReachabilityReport } from '../core/evidence.ts'
import type { Evidence, FaultKind, Finding, Severity } from '../core/fault.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { detector, type DetectorFold, NOTHING_FOUND } from './detector.ts'
import { count, duration, ratio, type Values } from './settings.ts'

const SETTINGS = {
  /** Peers that have reported of the node lately; with fewer nothing is said. */
  witnessesMin: count(3, 2, 256),
  /** Share of them that must miss it. */
  witnessesRatio: ratio(0.7, 0.5, 1),
  /** Reports in a row in which a peer must miss it. */
  missesMin: count(2, 1, 100),
  /**
   * A node that reports itself must be missed for so long; and where more than this share of the nodes
   * is, the network is partitioned, which another detector tells.
   */
  cutOffFor: duration(5_000, 0, 600_000),
  cutOffRatio: ratio(0.1, 0, 1),
  /** An older report counts no longer. */
  reportFresh: duration(30_000, 1_000, 3_600_000),
  /** Ends within the window that are no accident. */
  endsMin: count(3, 2, 100),
  endsWindow: duration(600_000, 10_000, 86_400_000),
} as const

type Limits = Values<typeof SETTINGS>

/** Nodes and peers of each that are followed; further ones are counted and left out. */
const NODES_MAX = 20_000
const WITNESSES_MAX = 64
/** One may have been on its way when the node fell. */
const OWN_REPORTS_MIN = 2
/** Between two looks at all nodes, ms. */
const LOOK_GAP_MS = 1_000

interface View {
  misses: number
  atMs: number
  heardAtMs: number
}

interface Seen {
  /** Peer → what it saw of the node. */
  readonly views: Map<NodeId, View>
  /** Of its own: when the newest was made, and how many since it is missed. */
  ownReportAtMs: number
  ownReports: number
  /** Most peers have just missed it; and they have in as many reports in a row as count. */
  lost: boolean
  missed: boolean
  missedSinceMs: number
  /** When it was lost after it had been reached; newest last. */
  ends: readonly number[]
  told: 'nothing' | 'down' | 'cut off' | 'flapping'
}

export const peerSight = detector({
  name: 'peer-sight',
  inputs: ['reachability', 'arrival', 'departure', 'tick'],
  enabled: true,
  settings: SETTINGS,
  create: (values, pool): DetectorFold => new SightFold(values, pool),
})

/** It has reported itself since its peers miss it. */
function speaks({ ownReports }: Seen): boolean {
  return ownReports >= OWN_REPORTS_MIN
}

class SightFold implements DetectorFold {
  readonly #limits: Limits
  readonly #pool: PoolId
  readonly #nodes = new Map<NodeId, Seen>()
  /** Those that some peer has missed, and that are not known to be well since. */
  readonly #active = new Map<NodeId, Seen>()
  #lookedAtMs = Number.NEGATIVE_INFINITY
  #leftOutCount = 0

  constructor(limits: Limits, pool: PoolId) {
    this.#limits = limits
    this.#pool = pool
  }

  take(input: Parameters<DetectorFold['take']>[0], nowMs: number): readonly Finding[] {
    if (input.kind === 'reachability') this.#hear(input.record, nowMs)
    else if (input.kind === 'arrival') this.#open(input.node)
    else if (input.kind === 'departure') this.#forget(input.node)
    else if (input.kind === 'tick' && nowMs - this.#lookedAtMs >= LOOK_GAP_MS) {
      this.#lookedAtMs = nowMs
      return this.#look(nowMs)
    }
    return NOTHING_FOUND
  }

  stats(): Readonly<Record<string, number>> {
    let [missed, witnesses] = [0, 0]
    for (const seen of this.#nodes.values()) {
      if (seen.missed) missed++
      witnesses += seen.views.size
    }
    return { nodes: this.#nodes.size, witnesses, missed, leftOut: this.#leftOutCount }
  }

  #hear({ node, atMs, reachable, unreachable }: ReachabilityReport, nowMs: number): void {
    const own = this.#open(node)
    if (own !== undefined && atMs > own.ownReportAtMs) {
      own.ownReportAtMs = atMs
      if (Math.min(atMs, nowMs) > own.missedSinceMs) own.ownReports++
    }
    for (const peer of reachable) this.#note(node, peer, true, atMs, nowMs)
    for (const peer of unreachable) this.#note(node, peer, false, atMs, nowMs)
  }

  #note(witness: NodeId, about: NodeId, reached: boolean, atMs: number, nowMs: number): void {
    // A name that has neither joined nor reported is hearsay.
    const seen = this.#nodes.get(about)
    if (seen === undefined || witness === about) return
    let view = seen.views.get(witness)
    if (view === undefined) {
      if (seen.views.size === WITNESSES_MAX) {
        this.#leftOutCount++
        return
      }
      view = { misses: 0, atMs: Number.NEGATIVE_INFINITY, heardAtMs: nowMs }
      seen.views.set(witness, view)
    }
    // What comes late, or twice, is no news.
    if (atMs <= view.atMs) return
    view.atMs = atMs
    view.heardAtMs = nowMs
    view.misses = reached ? 0 : view.misses + 1
    if (!reached) this.#active.set(about, seen)
  }

  /** Only those of which something is new, or not well: nearly every node of a fleet is neither. */
  #look(nowMs: number): readonly Finding[] {
    if (this.#active.size === 0) return NOTHING_FOUND
    const findings: Finding[] = []
    let cutOff = 0
    for (const seen of this.#active.values()) if (seen.missed && speaks(seen)) cutOff++
    const isPartition = cutOff > Math.max(1, this.#limits.cutOffRatio * this.#nodes.size)
    for (const [node, seen] of this.#active) {
      this.#judge(node, seen, isPartition, nowMs, findings)
      if (!seen.missed && !seen.lost && seen.told === 'nothing') this.#active.delete(node)
    }
    return findings
  }

  #judge(node: NodeId, seen: Seen, isPartition: boolean, nowMs: number, findings: Finding[]): void {
    const { witnessesMin, witnessesRatio, missesMin, reportFresh, endsMin, endsWindow } =
      this.#limits
    let [witnesses, missing, doubting] = [0, 0, 0]
    for (const [witness, { misses, heardAtMs }] of seen.views) {
      if (nowMs - heardAtMs > reportFresh) {
        seen.views.delete(witness)
        continue
      }
      witnesses++
      if (misses >= missesMin) missing++
      if (misses > 0) doubting++
    }
    // Where too few speak, nothing is known that was not known before.
    if (witnesses < witnessesMin) return
    const enough = (voices: number) => voices >= witnessesRatio * witnesses
    if (!seen.missed && enough(missing)) {
      seen.missed = true
      seen.missedSinceMs = nowMs
      seen.ownReports = 0
    } else if (seen.missed && !enough(doubting)) seen.missed = false
    const isLost = enough(doubting)
    if (isLost && !seen.lost) seen.ends = [...seen.ends, nowMs].slice(-endsMin)
    seen.lost = isLost
    seen.ends = seen.ends.filter((atMs) => nowMs - atMs <= endsWindow)
    const before = seen.told
    seen.told = this.#wordOn(seen, isPartition, nowMs)
    if (seen.told === before) return
    if (seen.told === 'nothing') {
      findings.push({ ok: true, subject: node, why: 'its peers reach it again' })
      return
    }
    const evidence: readonly Evidence[] = [
      { what: 'peersMissing', value: missing, limit: witnesses },
      { what: 'timesLost', value: seen.ends.length, limit: endsMin },
      { what: 'reportsItself', value: speaks(seen) ? 'yes' : 'no', limit: null },
    ]
    findings.push(this.#found(node, seen.told, evidence, nowMs))
  }

  #wordOn(seen: Seen, isPartition: boolean, nowMs: number): Seen['told'] {
    const { endsMin, cutOffFor } = this.#limits
    if (seen.ends.length >= endsMin) return 'flapping'
    if (!seen.missed) return 'nothing'
    if (!speaks(seen)) return 'down'
    // Until then it may be one of many, and what was told of it stands.
    if (nowMs - seen.missedSinceMs < cutOffFor) return seen.told
    return isPartition ? 'nothing' : 'cut off'
  }

  #found(
    node: NodeId,
    told: Exclude<Seen['told'], 'nothing'>,
    evidence: readonly Evidence[],
    atMs: number,
  ): Finding {
    const isDown = told === 'down'
    const kind: FaultKind = isDown ? 'service-unavailability' : 'network'
    const severity: Severity = isDown ? 'warning' : 'error'
    const detectorName = peerSight.name
    const common = { detector: detectorName, subject: node, node, pool: this.#pool, atMs }
    return {
      ok: false,
      fault: { ...common, kind, severity, confidenceRatio: isDown ? 0.7 : 1, evidence },
    }
  }

  #forget(node: NodeId): void {
    this.#nodes.delete(node)
    this.#active.delete(node)
  }

  #open(node: NodeId): Seen | undefined {
    let seen = this.#nodes.get(node)
    if (seen === undefined) {
      if (this.#nodes.size === NODES_MAX) {
        this.#leftOutCount++
        return undefined
      }
      seen = {
        views: new Map(),
        ownReportAtMs: Number.NEGATIVE_INFINITY,
        ownReports: 0,
        lost: false,
        missed: false,
        missedSinceMs: 0,
        ends: [],
        told: 'nothing',
      }
      this.#nodes.set(node, seen)
    }
    return seen
  }
}
