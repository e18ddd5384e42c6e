/**
 * One ballot: who may vote is fixed when it is opened, each of them once, until the deadline.
 *
 * With a third of the weight or less nobody decides alone: a yes takes the quorum, which is over a half, and a
 * no that ends it early takes more than a third as well. Whoever says nothing only leaves things as they are,
 * because nothing is done without a yes.
 */
import type { NodeId } from '../core/ids.ts'
import type { BallotState, Choice, VoteRules } from '../core/vote.ts'

/** A node of the pool when a ballot is opened. */
export interface Candidate {
  readonly node: NodeId
  readonly zone: string | null
  readonly memberSinceMs: number
  /** Reputation, 0..1. */
  readonly trust: number
}

/** Electors of one ballot; beyond, those who came last are left out. */
export const ELECTORS_MAX = 10_000
/** Weights are whole, so that sums do not hang on their order. */
const WEIGHT_OF_FULL_TRUST = 1_000
const DECIDES_NOT_ALONE = 1 / 3

export type Cast = 'counted' | 'repeated' | 'stranger' | 'late'

interface Elector {
  readonly zone: string
  readonly weight: number
}

export class Ballot {
  readonly openedAtMs: number
  readonly deadlineAtMs: number
  readonly #rules: VoteRules
  readonly #electors = new Map<NodeId, Elector>()
  readonly #voted = new Set<NodeId>()
  /** Zone → weight; nodes without a zone are one. */
  readonly #yes = new Map<string, number>()
  readonly #no = new Map<string, number>()
  #totalWeight = 0

  constructor(candidates: Iterable<Candidate>, rules: VoteRules, nowMs: number) {
    this.#rules = rules
    this.openedAtMs = nowMs
    this.deadlineAtMs = nowMs + rules.deadlineMs
    const able = [...candidates].filter(
      ({ memberSinceMs, trust }) =>
        nowMs - memberSinceMs >= rules.ageMinMs && trust >= rules.trustMinRatio && trust > 0,
    )
    able.sort((a, b) => a.memberSinceMs - b.memberSinceMs || (a.node < b.node ? -1 : 1))
    for (const { node, zone, trust } of able.slice(0, ELECTORS_MAX)) {
      const weight = Math.max(1, Math.round(trust * WEIGHT_OF_FULL_TRUST))
      this.#electors.set(node, { zone: zone ?? '', weight })
      this.#totalWeight += weight
    }
  }

  get electorCount(): number {
    return this.#electors.size
  }

  get voteCount(): number {
    return this.#voted.size
  }

  /** Of the weight of all who may vote, 0..1. */
  get yesRatio(): number {
    return this.#ratioOf(this.#yes)
  }

  get noRatio(): number {
    return this.#ratioOf(this.#no)
  }

  /** The signature was verified by the caller. The first vote of a node counts, whatever comes later. */
  cast(node: NodeId, choice: Choice, nowMs: number): Cast {
    if (nowMs > this.deadlineAtMs) return 'late'
    const elector = this.#electors.get(node)
    if (elector === undefined) return 'stranger'
    if (this.#voted.has(node)) return 'repeated'
    this.#voted.add(node)
    const side = choice === 'yes' ? this.#yes : this.#no
    side.set(elector.zone, (side.get(elector.zone) ?? 0) + elector.weight)
    return 'counted'
  }

  stateAt(nowMs: number): BallotState {
    const { quorumRatio, electorsMin } = this.#rules
    const isEnough = this.electorCount >= electorsMin
    if (isEnough && reaches(this.yesRatio, quorumRatio)) return 'approved'
    const against = Math.max(1 - quorumRatio, DECIDES_NOT_ALONE)
    if (isEnough && this.noRatio > against + EPSILON) return 'rejected'
    return nowMs > this.deadlineAtMs ? 'expired' : 'open'
  }

  #ratioOf(side: ReadonlyMap<string, number>): number {
    if (this.#totalWeight === 0) return 0
    const most = this.#rules.zoneWeightMaxRatio * this.#totalWeight
    let sum = 0
    for (const weight of side.values()) sum += Math.min(weight, most)
    return sum / this.#totalWeight
  }
}

const EPSILON = 1e-9

function reaches(ratio: number, limit: number): boolean {
  return ratio >= limit - EPSILON
}
