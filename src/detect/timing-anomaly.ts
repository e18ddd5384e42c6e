/**
 * A node whose times do not fit: its clock runs far from everybody's, or it sends old records again.
 * Delay on the way is the same for all, so each node is held against the median of all.
 */
import type { Finding } from '../core/fault.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { ACT_AT, attackFault, beyond, EVIDENCE_KINDS } from './attack.ts'
import { detector, type DetectorFold, type DetectorInput, NOTHING_FOUND } from './detector.ts'
import { count, duration, type Values } from './settings.ts'

const SETTINGS = {
  actAt: ACT_AT,
  window: duration(2_000, 100, 60_000),
  /** Offset from the median of all authors, and from an author's own newest record. */
  tolerance: duration(30_000, 100, 86_400_000),
  recordsMin: count(3, 1, 10_000),
  authorsMin: count(5, 2, 100_000),
} as const

/** Authors that are followed; the oldest go first. */
const AUTHORS_MAX = 50_000
/** Windows without a deviation that end it. */
const QUIET_WINDOWS = 3

interface Author {
  newestAtMs: number
  /** Of this window: the sum of append time less own time, and how many. */
  offsetSum: number
  records: number
  backwards: number
  quiet: number
  deviates: boolean
}

export const timingAnomaly = detector({
  name: 'timing-anomaly',
  inputs: [...EVIDENCE_KINDS, 'departure', 'tick'],
  enabled: false,
  settings: SETTINGS,
  create: (values, pool): DetectorFold => new TimingFold(values, pool),
})

class TimingFold implements DetectorFold {
  readonly #limits: Values<typeof SETTINGS>
  readonly #pool: PoolId
  readonly #authors = new Map<NodeId, Author>()
  #window = 0

  constructor(limits: Values<typeof SETTINGS>, pool: PoolId) {
    this.#limits = limits
    this.#pool = pool
  }

  take(input: DetectorInput, nowMs: number): readonly Finding[] {
    const findings = this.#turn(nowMs)
    if (input.kind === 'departure') this.#authors.delete(input.node)
    if ('record' in input) this.#hear(input.record.node, input.record.atMs, nowMs)
    return findings
  }

  stats(): Readonly<Record<string, number>> {
    return { authors: this.#authors.size }
  }

  #hear(node: NodeId, atMs: number, nowMs: number): void {
    let author = this.#authors.get(node)
    if (author === undefined) {
      const none = { offsetSum: 0, records: 0, backwards: 0, quiet: 0, deviates: false }
      author = { newestAtMs: atMs, ...none }
      this.#authors.set(node, author)
      if (this.#authors.size > AUTHORS_MAX) {
        const [oldest] = this.#authors.keys()
        if (oldest !== undefined) this.#authors.delete(oldest)
      }
    }
    author.records++
    author.offsetSum += nowMs - atMs
    if (atMs < author.newestAtMs - this.#limits.tolerance) author.backwards++
    author.newestAtMs = Math.max(author.newestAtMs, atMs)
  }

  #turn(nowMs: number): readonly Finding[] {
    const window = Math.floor(nowMs / this.#limits.window)
    if (window === this.#window) return NOTHING_FOUND
    this.#window = window
    const heard = [...this.#authors].filter(([, { records }]) => records > 0)
    const offsets = heard.map(([, { offsetSum, records }]) => offsetSum / records)
    const sorted = [...offsets].sort((a, b) => a - b)
    const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0
    const findings: Finding[] = []
    for (const [index, [node, author]] of heard.entries()) {
      const away = Math.abs(offsets[index] - median)
      const finding = this.#judge(node, author, away, heard.length, nowMs)
      if (finding !== null) findings.push(finding)
      author.offsetSum = author.records = author.backwards = 0
    }
    return findings
  }

  #judge(
    node: NodeId,
    author: Author,
    awayMs: number,
    authorCount: number,
    nowMs: number,
  ): Finding | null {
    const { tolerance, recordsMin, authorsMin, actAt } = this.#limits
    const enough = author.records >= recordsMin
    const skewed = enough && authorCount >= authorsMin ? beyond(awayMs, tolerance) : 0
    const replays = author.backwards >= recordsMin ? beyond(author.backwards, recordsMin) : 0
    const confidenceRatio = Math.max(skewed, replays)
    if (confidenceRatio === 0 || confidenceRatio < actAt) {
      if (!author.deviates || ++author.quiet < QUIET_WINDOWS) return null
      author.deviates = false
      return { ok: true, subject: node, why: 'its times fit again' }
    }
    author.quiet = 0
    author.deviates = true
    const evidence = [
      { what: 'offsetFromPeersMs', value: awayMs, limit: tolerance },
      { what: 'recordsOlderThanBefore', value: author.backwards, limit: recordsMin },
    ]
    const attack = { detector: timingAnomaly.name, pool: this.#pool, subject: node, node }
    return { ok: false, fault: attackFault({ ...attack, confidenceRatio, evidence }, nowMs) }
  }
}
