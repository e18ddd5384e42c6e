/**
 * One adversary that pretends to be many: several new nodes that look alike, and know nobody but each
 * other. Nodes of an autoscaler look alike too, but they reach the old ones.
 */
import type { Finding } from '../core/fault.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { ACT_AT, attackFault } from './attack.ts'
import { detector, type DetectorFold, NOTHING_FOUND } from './detector.ts'
import { count, duration, type Values } from './settings.ts'

const SETTINGS = {
  actAt: ACT_AT,
  clusterMin: count(5, 2, 10_000),
  /** A node is new for so long. */
  newFor: duration(600_000, 10_000, 86_400_000),
} as const

/** New nodes that are followed; the oldest go first. */
const NEWCOMERS_MAX = 10_000
const LIKENESSES_NAMED = 5

interface Newcomer {
  readonly likeness: string
  readonly cameAtMs: number
  /** Whom it says it reaches; null before its first report. */
  peers: readonly NodeId[] | null
}

export const sybil = detector({
  name: 'sybil',
  inputs: ['arrival', 'reachability', 'departure', 'tick'],
  enabled: false,
  settings: SETTINGS,
  create: (values, pool): DetectorFold => new SybilFold(values, pool),
})

class SybilFold implements DetectorFold {
  readonly #limits: Values<typeof SETTINGS>
  readonly #pool: PoolId
  readonly #newcomers = new Map<NodeId, Newcomer>()
  readonly #found = new Set<string>()
  #changed = false
  /** Nodes that were new once: a deployment that begins has none, and then everybody is new. */
  #settledCount = 0

  constructor(limits: Values<typeof SETTINGS>, pool: PoolId) {
    this.#limits = limits
    this.#pool = pool
  }

  take(input: Parameters<DetectorFold['take']>[0], nowMs: number): readonly Finding[] {
    if (input.kind === 'arrival') {
      this.#newcomers.set(input.node, { likeness: input.likeness, cameAtMs: nowMs, peers: null })
      this.#expire(nowMs)
      this.#changed = true
    } else if (input.kind === 'reachability') {
      const newcomer = this.#newcomers.get(input.record.node)
      if (newcomer !== undefined) {
        newcomer.peers = input.record.reachable
        this.#changed = true
      }
    } else if (input.kind === 'departure') {
      if (this.#newcomers.delete(input.node)) this.#changed = true
      else this.#settledCount = Math.max(0, this.#settledCount - 1)
    } else if (input.kind === 'tick') {
      this.#changed = this.#expire(nowMs) || this.#changed
      if (this.#changed) return this.#look(nowMs)
    }
    return NOTHING_FOUND
  }

  stats(): Readonly<Record<string, number>> {
    return { newcomers: this.#newcomers.size, settled: this.#settledCount }
  }

  #look(nowMs: number): readonly Finding[] {
    this.#changed = false
    const clusters = new Map<string, NodeId[]>()
    for (const [node, { likeness }] of this.#newcomers) {
      const cluster = clusters.get(likeness)
      if (cluster === undefined) clusters.set(likeness, [node])
      else cluster.push(node)
    }
    const findings: Finding[] = []
    for (const [likeness, members] of clusters) {
      const finding = this.#judge(likeness, members.sort(), nowMs)
      if (finding !== null) findings.push(finding)
    }
    for (const likeness of this.#found) {
      if (clusters.has(likeness)) continue
      this.#found.delete(likeness)
      findings.push({ ok: true, subject: likeness, why: 'its nodes are gone, or new no longer' })
    }
    return findings
  }

  #judge(likeness: string, members: readonly NodeId[], nowMs: number): Finding | null {
    const { clusterMin, actAt } = this.#limits
    if (this.#settledCount < members.length) return null
    const own = new Set(members)
    let [inside, links] = [0, 0]
    for (const member of members) {
      for (const peer of this.#newcomers.get(member)?.peers ?? []) {
        links++
        if (own.has(peer)) inside++
      }
    }
    const isolation = links === 0 ? 0 : inside / links
    const size = Math.min(1, members.length / (2 * clusterMin))
    // Neither a large nor a closed cluster is an attack by itself.
    const confidence = members.length < clusterMin ? 0 : isolation * (0.6 + 0.4 * size)
    if (confidence < actAt) {
      if (!this.#found.delete(likeness)) return null
      return { ok: true, subject: likeness, why: 'its nodes reach others than each other' }
    }
    this.#found.add(likeness)
    return {
      ok: false,
      fault: attackFault(
        {
          detector: sybil.name,
          pool: this.#pool,
          subject: likeness,
          node: null,
          others: members,
          confidenceRatio: confidence,
          evidence: [
            { what: 'newNodes', value: members.length, limit: clusterMin },
            { what: 'linksAmongThem', value: isolation, limit: actAt },
            { what: 'first', value: members.slice(0, LIKENESSES_NAMED).join(', '), limit: null },
          ],
        },
        nowMs,
      ),
    }
  }

  /** True where somebody is new no longer. */
  #expire(nowMs: number): boolean {
    let expired = false
    for (const [node, { cameAtMs }] of this.#newcomers) {
      const old = nowMs - cameAtMs > this.#limits.newFor
      if (!old && this.#newcomers.size <= NEWCOMERS_MAX) break
      this.#newcomers.delete(node)
      this.#settledCount++
      expired = true
    }
    return expired
  }
}
