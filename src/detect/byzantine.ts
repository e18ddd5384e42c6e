/**
 * Nodes whose word is not to be trusted: what they claim of others is held against what telemetry shows
 * and what other nodes say.
 *
 * A claim that telemetry contradicts costs its author reputation, once for each node that it speaks of,
 * unless enough others say the same (then it is a network partition or a blind watcher, and no lie).
 * Accusations cost the accused only when more than a third of all witnesses make them: as long as at
 * most a third are liars, they cannot ruin an honest node by themselves.
 */
import type { Assessment, Liveness } from '../core/assessment.ts'
import type { Claim } from '../core/evidence.ts'
import type { Finding } from '../core/fault.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { detector, type DetectorFold, NOTHING_FOUND } from './detector.ts'
import { Reputation } from './reputation.ts'
import { count, duration, ratio, type Values } from './settings.ts'

const SETTINGS = {
  faultBelow: ratio(0.3, 0.01, 0.9),
  /** A fault ends above this. */
  trustedFrom: ratio(0.5, 0.02, 1),
  lieCost: ratio(0.15),
  accusedCost: ratio(0.4),
  accusersMin: count(3, 2, 1_000),
  /** Share of the witnesses that must be exceeded. */
  accusersRatio: ratio(1 / 3, 0.1, 1),
  halfLife: duration(3_600_000, 60_000, 90 * 86_400_000),
  /** Claims and witnesses count for so long. */
  claimWindow: duration(600_000, 10_000, 86_400_000),
  /** Telemetry must be so much newer than a claim, or older, to contradict it. */
  margin: duration(30_000, 1_000, 3_600_000),
} as const

/** Nodes that are spoken of, and voices of each; further ones are counted and left out. */
const ACCUSED_MAX = 10_000
const VOICES_MAX = 256
const EXPIRIES_PER_WINDOW = 20

interface Voice {
  readonly claim: Claim['claim']
  readonly atMs: number
  /** When it first claimed the same of a node that was not silent since. */
  sinceMs: number
  readonly heardAtMs: number
  /** It has cost its author something, or was found true. */
  settled: boolean
}

export const byzantine = detector({
  name: 'byzantine',
  inputs: ['claim', 'assessment', 'recovery', 'departure', 'tick'],
  enabled: true,
  settings: SETTINGS,
  check: ({ faultBelow, trustedFrom }) =>
    faultBelow < trustedFrom ? null : 'trusted_from must lie over fault_below',
  create: (values, pool): DetectorFold => new ByzantineFold(values, pool),
})

class ByzantineFold implements DetectorFold {
  readonly #limits: Values<typeof SETTINGS>
  readonly #pool: PoolId
  readonly #reputation: Reputation
  /** Accused → accuser → its newest voice. */
  readonly #voices = new Map<NodeId, Map<NodeId, Voice>>()
  /** Author → when it last said anything. */
  readonly #witnesses = new Map<NodeId, number>()
  readonly #distrusted = new Set<NodeId>()
  /** Of all nodes: what is said of them may be true. */
  readonly #silent = new Set<NodeId>()
  /** When the accusations of many last cost the node something. */
  readonly #condemnedAtMs = new Map<NodeId, number>()
  #expiredAtMs = 0
  #contradictedCount = 0
  #disputedCount = 0
  #leftOutCount = 0

  constructor(limits: Values<typeof SETTINGS>, pool: PoolId) {
    this.#limits = limits
    this.#pool = pool
    this.#reputation = new Reputation(limits.halfLife)
  }

  take(input: Parameters<DetectorFold['take']>[0], nowMs: number): readonly Finding[] {
    if (input.kind === 'claim') return this.#hear(input.record, nowMs)
    if (input.kind === 'assessment') {
      this.#noteSilence(input.row.node, input.liveness)
      if (!this.#voices.has(input.row.node)) return NOTHING_FOUND
      return this.#compare(input.row, input.liveness, nowMs)
    }
    if (input.kind === 'recovery') {
      this.#reputation.restore(input.node, nowMs)
      return this.#judge(input.node, nowMs)
    }
    if (input.kind === 'departure') this.#forget(input.node)
    if (input.kind !== 'tick') return NOTHING_FOUND
    this.#expire(nowMs)
    return [...this.#distrusted].flatMap((node) => this.#judge(node, nowMs))
  }

  reputationOf(node: NodeId, nowMs: number): number {
    return this.#reputation.of(node, nowMs)
  }

  stats(): Readonly<Record<string, number>> {
    return {
      witnesses: this.#witnesses.size,
      accused: this.#voices.size,
      penalised: this.#reputation.size,
      contradicted: this.#contradictedCount,
      disputed: this.#disputedCount,
      leftOut: this.#leftOutCount,
    }
  }

  #hear(claim: Claim, nowMs: number): readonly Finding[] {
    if (claim.node === claim.about) return NOTHING_FOUND
    const voices = this.#voices.get(claim.about) ?? new Map<NodeId, Voice>()
    const full = !this.#voices.has(claim.about) && this.#voices.size === ACCUSED_MAX
    if (full || (voices.size === VOICES_MAX && !voices.has(claim.node))) {
      this.#leftOutCount++
      return NOTHING_FOUND
    }
    this.#voices.set(claim.about, voices)
    this.#witnesses.set(claim.node, nowMs)
    const before = voices.get(claim.node)
    if (before !== undefined && before.atMs >= claim.atMs) return NOTHING_FOUND
    // The same said again is one voice, costs once, and gains its author no time.
    const isSame = before?.claim === claim.claim
    const settled = isSame && before.settled
    const sinceMs = isSame && !this.#silent.has(claim.about) ? before.sinceMs : claim.atMs
    const { atMs } = claim
    voices.set(claim.node, { claim: claim.claim, atMs, sinceMs, heardAtMs: nowMs, settled })
    return this.#condemn(claim.about, voices, nowMs)
  }

  /** More than a third of all witnesses, and some at least, call the node corrupt or worse. */
  #condemn(about: NodeId, voices: ReadonlyMap<NodeId, Voice>, nowMs: number): readonly Finding[] {
    const { accusersMin, accusersRatio, accusedCost, claimWindow } = this.#limits
    let accusers = 0
    for (const { claim } of voices.values()) {
      if (claim === 'corrupt' || claim === 'misbehaving') accusers++
    }
    const enough = accusers >= accusersMin && accusers > accusersRatio * this.#witnesses.size
    const lastAtMs = this.#condemnedAtMs.get(about)
    if (!enough || (lastAtMs !== undefined && nowMs - lastAtMs < claimWindow / 10)) {
      return NOTHING_FOUND
    }
    this.#condemnedAtMs.set(about, nowMs)
    this.#reputation.punish(about, accusedCost, nowMs)
    return this.#judge(about, nowMs)
  }

  #noteSilence(node: NodeId, liveness: Liveness): void {
    if (liveness === 'live') this.#silent.delete(node)
    if (liveness !== 'silent') return
    this.#silent.add(node)
    for (const voice of this.#voices.get(node)?.values() ?? []) voice.sinceMs = voice.atMs
  }

  /** What telemetry shows of a node that others spoke of. */
  #compare(row: Assessment, liveness: Liveness, nowMs: number): readonly Finding[] {
    if (liveness === 'unknown') return NOTHING_FOUND
    const { margin, accusersMin, lieCost } = this.#limits
    const voices = this.#voices.get(row.node)!
    const findings: Finding[] = []
    for (const [author, voice] of voices) {
      if (voice.settled) continue
      const lives = liveness === 'live' && row.lastSeenAtMs > voice.sinceMs + margin
      const isDead = liveness === 'silent' && row.lastSeenAtMs < voice.atMs - margin
      const contradicted = (voice.claim === 'dead' && lives) || (voice.claim === 'alive' && isDead)
      if (!contradicted) continue
      voice.settled = true
      const alike = [...voices.values()].filter(({ claim }) => claim === voice.claim).length
      if (alike >= accusersMin) {
        this.#disputedCount++
        continue
      }
      this.#contradictedCount++
      this.#reputation.punish(author, lieCost, nowMs)
      findings.push(...this.#judge(author, nowMs))
    }
    return findings
  }

  #judge(node: NodeId, nowMs: number): readonly Finding[] {
    const { faultBelow, trustedFrom } = this.#limits
    const reputation = this.#reputation.of(node, nowMs)
    if (reputation >= faultBelow) {
      if (!this.#distrusted.has(node) || reputation < trustedFrom) return NOTHING_FOUND
      this.#distrusted.delete(node)
      return [{ ok: true, subject: node, why: 'its reputation has risen again' }]
    }
    if (this.#distrusted.has(node)) return NOTHING_FOUND
    this.#distrusted.add(node)
    return [
      {
        ok: false,
        fault: {
          detector: byzantine.name,
          kind: 'byzantine',
          subject: node,
          node,
          pool: this.#pool,
          atMs: nowMs,
          severity: 'error',
          confidenceRatio: 1 - reputation,
          evidence: [
            { what: 'reputation', value: reputation, limit: faultBelow },
            {
              what: 'accusers',
              value: this.#voices.get(node)?.size ?? 0,
              limit: this.#witnesses.size,
            },
          ],
        },
      },
    ]
  }

  #expire(nowMs: number): void {
    const { claimWindow } = this.#limits
    if (nowMs - this.#expiredAtMs < claimWindow / EXPIRIES_PER_WINDOW) return
    this.#expiredAtMs = nowMs
    for (const [about, voices] of this.#voices) {
      for (const [author, { heardAtMs }] of voices) {
        if (nowMs - heardAtMs > claimWindow) voices.delete(author)
      }
      if (voices.size === 0) this.#voices.delete(about)
    }
    for (const [witness, heardAtMs] of this.#witnesses) {
      if (nowMs - heardAtMs > claimWindow) this.#witnesses.delete(witness)
    }
    for (const [node, atMs] of this.#condemnedAtMs) {
      if (nowMs - atMs > claimWindow) this.#condemnedAtMs.delete(node)
    }
    this.#reputation.penalised(nowMs)
  }

  #forget(node: NodeId): void {
    this.#voices.delete(node)
    this.#silent.delete(node)
    this.#witnesses.delete(node)
    this.#distrusted.delete(node)
    this.#condemnedAtMs.delete(node)
    this.#reputation.forget(node)
  }
}
