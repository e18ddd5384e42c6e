/** A node that drowns the others: its evidence comes many times faster than that of its peers. */
import type { Finding } from '../core/fault.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { ACT_AT, attackFault, beyond, EVIDENCE_KINDS } from './attack.ts'
import { detector, type DetectorFold, type DetectorInput, NOTHING_FOUND } from './detector.ts'
import { count, duration, number, type Values } from './settings.ts'

const SETTINGS = {
  actAt: ACT_AT,
  window: duration(2_000, 100, 60_000),
  /** Records in a window that are no flood whatever the peers do. */
  recordsMin: count(200, 1, 1_000_000),
  /** Times the median of all authors in the window before. */
  timesPeers: number(10, 1.5, 10_000),
} as const

/** Authors of a window that are counted apart; further ones are one. */
const AUTHORS_MAX = 50_000
const OTHERS = '\u0000others' as NodeId

export const flooding = detector({
  name: 'flooding',
  inputs: [...EVIDENCE_KINDS, 'departure', 'tick'],
  enabled: false,
  settings: SETTINGS,
  create: (values, pool): DetectorFold => new FloodingFold(values, pool),
})

class FloodingFold implements DetectorFold {
  readonly #limits: Values<typeof SETTINGS>
  readonly #pool: PoolId
  #window = 0
  #counts = new Map<NodeId, number>()
  #limit: number
  /** Those that flooded in this window or the one before. */
  #flooding = new Set<NodeId>()
  #floodingNow = new Set<NodeId>()

  constructor(limits: Values<typeof SETTINGS>, pool: PoolId) {
    this.#limits = limits
    this.#pool = pool
    this.#limit = limits.recordsMin
  }

  take(input: DetectorInput, nowMs: number): readonly Finding[] {
    const ended = this.#turn(nowMs)
    if (input.kind === 'departure') {
      this.#flooding.delete(input.node)
      this.#floodingNow.delete(input.node)
    }
    if (!('record' in input)) return ended
    const author = input.record.node
    const key = this.#counts.size < AUTHORS_MAX || this.#counts.has(author) ? author : OTHERS
    const sent = (this.#counts.get(key) ?? 0) + 1
    this.#counts.set(key, sent)
    if (key === OTHERS || this.#floodingNow.has(author)) return ended
    const confidence = beyond(sent, this.#limit)
    if (confidence === 0 || confidence < this.#limits.actAt) return ended
    this.#floodingNow.add(author)
    this.#flooding.add(author)
    const evidence = [{ what: 'records', value: sent, limit: this.#limit }]
    const attack = { detector: flooding.name, pool: this.#pool, subject: author, node: author }
    const fault = attackFault({ ...attack, confidenceRatio: confidence, evidence }, nowMs)
    return [...ended, { ok: false, fault }]
  }

  stats(): Readonly<Record<string, number>> {
    return { authors: this.#counts.size, limit: this.#limit, flooding: this.#flooding.size }
  }

  /** A new window takes its limit from the one before; floods that did not go on are over. */
  #turn(nowMs: number): readonly Finding[] {
    const window = Math.floor(nowMs / this.#limits.window)
    if (window === this.#window) return NOTHING_FOUND
    const { recordsMin, timesPeers } = this.#limits
    const counts = [...this.#counts.values()].sort((a, b) => a - b)
    const median = counts[Math.floor((counts.length - 1) / 2)] ?? 0
    this.#limit = Math.max(recordsMin, timesPeers * median)
    const over = [...this.#flooding].filter((node) => !this.#floodingNow.has(node))
    for (const node of over) this.#flooding.delete(node)
    this.#window = window
    this.#counts = new Map()
    this.#floodingNow = new Set()
    return over.map((subject) => ({ ok: true, subject, why: 'it sends no more than its peers' }))
  }
}
