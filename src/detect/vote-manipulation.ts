/**
 * Ballots that are tampered with: a node that votes for two things, or a third of the voices from nodes
 * that came only after the ballot was opened. Who takes part is counted, because silence sways too.
 */
import type { Ballot } from '../core/evidence.ts'
import type { Evidence, Finding } from '../core/fault.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { ACT_AT, attackFault, beyond, dropOldest } from './attack.ts'
import { detector, type DetectorFold, NOTHING_FOUND } from './detector.ts'
import { count, ratio, type Values } from './settings.ts'

const SETTINGS = {
  actAt: ACT_AT,
  /** Share of the voices that may come from nodes newer than the ballot. */
  latecomersRatio: ratio(1 / 3, 0.05, 1),
  voicesMin: count(6, 2, 10_000),
} as const

/** Ballots, voices of each, and nodes whose coming is remembered; the oldest go first. */
const BALLOTS_MAX = 1_000
const VOICES_MAX = 10_000
const ARRIVALS_MAX = 100_000

interface Open {
  readonly openedAtMs: number
  readonly choices: Map<NodeId, string>
  latecomers: number
}

export const voteManipulation = detector({
  name: 'vote-manipulation',
  inputs: ['ballot', 'arrival', 'departure'],
  enabled: false,
  settings: SETTINGS,
  create: (values, pool): DetectorFold => new VoteFold(values, pool),
})

class VoteFold implements DetectorFold {
  readonly #limits: Values<typeof SETTINGS>
  readonly #pool: PoolId
  readonly #ballots = new Map<string, Open>()
  readonly #arrivals = new Map<NodeId, number>()
  #ballotCount = 0
  #voiceCount = 0
  #leftOutCount = 0

  constructor(limits: Values<typeof SETTINGS>, pool: PoolId) {
    this.#limits = limits
    this.#pool = pool
  }

  take(input: Parameters<DetectorFold['take']>[0], nowMs: number): readonly Finding[] {
    if (input.kind === 'arrival') {
      this.#arrivals.set(input.node, nowMs)
      dropOldest(this.#arrivals, ARRIVALS_MAX)
    } else if (input.kind === 'departure') this.#arrivals.delete(input.node)
    return input.kind === 'ballot' ? this.#count(input.record, nowMs) : NOTHING_FOUND
  }

  /** `participation` is the share of the known nodes that voted, over the ballots remembered. */
  stats(): Readonly<Record<string, number>> {
    const voices = [...this.#ballots.values()].reduce((sum, { choices }) => sum + choices.size, 0)
    const asked = this.#ballots.size * this.#arrivals.size
    return {
      ballots: this.#ballotCount,
      voices: this.#voiceCount,
      leftOut: this.#leftOutCount,
      participation: asked === 0 ? 0 : Math.min(1, voices / asked),
    }
  }

  #count({ node, ballot, choice }: Ballot, nowMs: number): readonly Finding[] {
    const open = this.#open(ballot, nowMs)
    const before = open.choices.get(node)
    if (before !== undefined) {
      if (before === choice) return NOTHING_FOUND
      return this.#found(`${ballot}/${node}`, node, 1, nowMs, [
        { what: 'firstChoice', value: before, limit: null },
        { what: 'secondChoice', value: choice, limit: null },
      ])
    }
    if (open.choices.size === VOICES_MAX) {
      this.#leftOutCount++
      return NOTHING_FOUND
    }
    this.#voiceCount++
    open.choices.set(node, choice)
    // A node that never came is later than any ballot.
    if ((this.#arrivals.get(node) ?? Infinity) >= open.openedAtMs) open.latecomers++
    const voices = open.choices.size
    if (voices < this.#limits.voicesMin) return NOTHING_FOUND
    const limit = this.#limits.latecomersRatio * voices
    const confidence = open.latecomers > limit ? beyond(open.latecomers, limit) : 0
    return this.#found(ballot, null, confidence, nowMs, [
      { what: 'latecomers', value: open.latecomers, limit },
      { what: 'voices', value: voices, limit: null },
    ])
  }

  #found(
    subject: string,
    node: NodeId | null,
    confidenceRatio: number,
    atMs: number,
    evidence: readonly Evidence[],
  ): readonly Finding[] {
    if (confidenceRatio < this.#limits.actAt) {
      return [{ ok: true, subject, why: 'most voices are of nodes that were there before' }]
    }
    const attack = { detector: voteManipulation.name, pool: this.#pool, subject, node }
    return [{ ok: false, fault: attackFault({ ...attack, confidenceRatio, evidence }, atMs) }]
  }

  #open(ballot: string, nowMs: number): Open {
    let open = this.#ballots.get(ballot)
    if (open === undefined) {
      open = { openedAtMs: nowMs, choices: new Map(), latecomers: 0 }
      this.#ballots.set(ballot, open)
      this.#ballotCount++
      dropOldest(this.#ballots, BALLOTS_MAX)
    }
    return open
  }
}
