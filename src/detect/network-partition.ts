/**
 * A network partition: two sides that each hold a tenth of the nodes or more, and do not reach each
 * other. Smaller islands are nodes with trouble of their own, and nodes that died are no side.
 *
 *     NORMAL ── two sides for `stableFor` ──▶ PARTITIONED ── one side again ──▶ RECOVERING
 *       ▲                                         ▲─────── two sides again ───────┘ │
 *       └───────────────────────── one side for `recoveryFor` ──────────────────────┘
 */
import type { ReachabilityReport } from '../core/evidence.ts'
import type { Finding } from '../core/fault.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import type { NetworkView, PartitionEpisode } from '../core/network.ts'
import { detector, type DetectorFold, found, NOTHING_FOUND, well } from './detector.ts'
import { Reachability } from './reachability.ts'
import { duration, ratio, type Values } from './settings.ts'

const SETTINGS = {
  /** A side with more than this share of the nodes goes on. */
  majority: ratio(0.5, 0.5, 1),
  /** A side with less than this share is an island. */
  island: ratio(0.1, 0, 0.5),
  stableFor: duration(5_000, 1_000, 600_000),
  recoveryFor: duration(30_000, 1_000, 86_400_000),
  /** An older report counts no longer. */
  reportFresh: duration(60_000, 1_000, 86_400_000),
} as const

/** Between two looks at the sides, ms. */
const LOOK_GAP_MS = 1_000
/** Episodes remembered; the oldest go first. */
const EPISODES_MAX = 256
const SUBJECT = 'network'

export const networkPartition = detector({
  name: 'network-partition',
  inputs: ['reachability', 'departure', 'tick'],
  enabled: true,
  settings: SETTINGS,
  create: (values, pool): DetectorFold => new PartitionFold(values, pool),
})

class PartitionFold implements DetectorFold {
  readonly #limits: Values<typeof SETTINGS>
  readonly #pool: PoolId
  readonly #reachability = new Reachability()
  #state: NetworkView['state'] = 'NORMAL'
  #version = 0
  #lookedAtMs = Number.NEGATIVE_INFINITY
  /** Since when the sides are as they are now: split, or in one piece. */
  #split = false
  #sinceMs = 0
  #hasMajority = true
  #cutOff: ReadonlySet<NodeId> = new Set()
  #sides: readonly (readonly NodeId[])[] = []
  #sidesSinceMs = 0
  #nodeCount = 0
  readonly #episodes: PartitionEpisode[] = []
  #partitionCount = 0
  #partitionedMs = 0
  #longestMs = 0

  constructor(limits: Values<typeof SETTINGS>, pool: PoolId) {
    this.#limits = limits
    this.#pool = pool
  }

  take(input: Parameters<DetectorFold['take']>[0], nowMs: number): readonly Finding[] {
    if (input.kind === 'reachability') this.#hear(input.record, nowMs)
    else if (input.kind === 'departure') this.#reachability.forget(input.node)
    else if (input.kind === 'tick' && nowMs - this.#lookedAtMs >= LOOK_GAP_MS) {
      return this.#look(nowMs)
    }
    return NOTHING_FOUND
  }

  network(): NetworkView {
    return {
      state: this.#state,
      version: this.#version,
      hasMajority: this.#hasMajority,
      isCutOff: (node) => this.#cutOff.has(node),
      sides: this.#sides,
      sidesSinceMs: this.#sidesSinceMs,
      nodeCount: this.#nodeCount,
      episodes: this.#episodes,
      partitionCount: this.#partitionCount,
      partitionedMs: this.#partitionedMs,
      longestPartitionMs: this.#longestMs,
    }
  }

  stats(): Readonly<Record<string, number>> {
    return {
      reports: this.#reachability.reportCount,
      leftOut: this.#reachability.leftOutCount,
      partitions: this.#partitionCount,
      partitionedMs: this.#partitionedMs,
      state: ['NORMAL', 'PARTITIONED', 'RECOVERING'].indexOf(this.#state),
      cutOff: this.#cutOff.size,
    }
  }

  #hear(report: ReachabilityReport, nowMs: number): void {
    this.#reachability.take(report, nowMs)
  }

  #look(nowMs: number): readonly Finding[] {
    if (this.#reachability.reportCount === 0 && this.#state === 'NORMAL') return NOTHING_FOUND
    this.#lookedAtMs = nowMs
    const { island, majority, reportFresh } = this.#limits
    const { nodeCount, sides } = this.#reachability.sides(nowMs, reportFresh)
    const large = sides.filter((side) => side.length >= Math.max(2, island * nodeCount))
    const split = large.length > 1
    if (split !== this.#split) {
      this.#split = split
      this.#sinceMs = nowMs
      if (split) this.#sidesSinceMs = nowMs
    }
    if (!split) return this.#mend(nowMs)
    const hasMajority = large[0].length > majority * nodeCount
    const same = hasMajority === this.#hasMajority && areSame(large, this.#sides)
    if (!areSame(large, this.#sides)) this.#sidesSinceMs = nowMs
    this.#sides = large
    this.#nodeCount = nodeCount
    if (this.#state === 'NORMAL' && !this.#isCertain(large, nowMs)) return NOTHING_FOUND
    if (this.#state === 'PARTITIONED' && same) return NOTHING_FOUND
    return this.#part(large, hasMajority, nowMs)
  }

  /** It has lasted, and both sides live: nodes that died together look like a side for a while. */
  #isCertain(large: readonly (readonly NodeId[])[], nowMs: number): boolean {
    if (nowMs - this.#sinceMs < this.#limits.stableFor) return false
    return large.every((side) => this.#reachability.spokeSince(side, this.#sinceMs))
  }

  #part(
    large: readonly (readonly NodeId[])[],
    hasMajority: boolean,
    nowMs: number,
  ): readonly Finding[] {
    const sizes = large.map(({ length }) => length)
    const cutOff = large.slice(hasMajority ? 1 : 0).flat()
    if (this.#state === 'NORMAL') {
      this.#partitionCount++
      this.#episodes.push({
        beganAtMs: this.#sinceMs,
        toldAtMs: nowMs,
        mergedAtMs: null,
        endedAtMs: null,
        sides: sizes,
        hasMajority,
      })
      if (this.#episodes.length > EPISODES_MAX) this.#episodes.shift()
    } else this.#amend({ sides: sizes, hasMajority, mergedAtMs: null })
    this.#state = 'PARTITIONED'
    this.#version++
    this.#hasMajority = hasMajority
    this.#cutOff = new Set(cutOff)
    return found({
      detector: networkPartition.name,
      kind: 'network-partition',
      subject: SUBJECT,
      node: null,
      pool: this.#pool,
      atMs: nowMs,
      severity: hasMajority ? 'error' : 'critical',
      confidenceRatio: 1,
      evidence: [
        { what: 'sides', value: sizes.join(', '), limit: null },
        { what: 'hasMajority', value: String(hasMajority), limit: null },
        { what: 'cutOff', value: cutOff.length, limit: null },
      ],
      others: cutOff,
    })
  }

  /** One side again, as far as is heard. */
  #mend(nowMs: number): readonly Finding[] {
    const sinceMs = nowMs - this.#sinceMs
    if (this.#state === 'PARTITIONED' && sinceMs >= this.#limits.stableFor) {
      this.#state = 'RECOVERING'
      this.#version++
      this.#amend({ mergedAtMs: this.#sinceMs })
    } else if (this.#state === 'RECOVERING' && sinceMs >= this.#limits.recoveryFor) {
      this.#state = 'NORMAL'
      this.#version++
      this.#hasMajority = true
      this.#cutOff = new Set()
      this.#sides = []
      this.#amend({ endedAtMs: nowMs })
      const { beganAtMs, mergedAtMs } = this.#episodes[this.#episodes.length - 1]
      const lastedMs = (mergedAtMs ?? nowMs) - beganAtMs
      this.#partitionedMs += lastedMs
      this.#longestMs = Math.max(this.#longestMs, lastedMs)
      return well(SUBJECT, 'the sides have merged and stayed together')
    }
    return NOTHING_FOUND
  }

  #amend(change: Partial<PartitionEpisode>): void {
    const last = this.#episodes.length - 1
    this.#episodes[last] = { ...this.#episodes[last], ...change }
  }
}

function areSame(a: readonly (readonly NodeId[])[], b: readonly (readonly NodeId[])[]): boolean {
  if (a.length !== b.length) return false
  return a.every((side, i) => {
    const other = b[i]
    return side.length === other.length && side.every((node, j) => node === other[j])
  })
}
