/**
 * Nodes that cannot prove who they are: each challenge asks for an HMAC with the node's key. A wrong
 * answer is an impostor at once; no answer within the timeout counts, and several in a row tell.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Challenge, ChallengeResponse } from '../core/evidence.ts'
import type { Evidence, Finding } from '../core/fault.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { ACT_AT, attackFault, beyond, dropOldest } from './attack.ts'
import {
  detector,
  type DetectorFold,
  type NodeKeys,
  NOTHING_FOUND,
  type Sighting,
} from './detector.ts'
import { count, duration, type Values } from './settings.ts'

const SETTINGS = {
  actAt: ACT_AT,
  timeout: duration(120_000, 1_000, 86_400_000),
  /** Challenges in a row without an answer. */
  missesMax: count(3, 1, 1_000),
} as const

/** Challenges that wait for an answer, and nodes whose part is counted; the oldest go first. */
const OPEN_MAX = 50_000
const PARTS_MAX = 50_000

interface OpenChallenge {
  readonly about: NodeId
  readonly nonce: string
  readonly heardAtMs: number
}

/** How a node takes part. */
interface Part {
  asked: number
  answered: number
  missedInRow: number
}

export const challengeResponse = detector({
  name: 'challenge-response',
  inputs: ['challenge', 'challenge-response', 'assessment', 'departure', 'tick'],
  enabled: false,
  settings: SETTINGS,
  create: (values, pool, keyOf): DetectorFold => new ChallengeFold(values, pool, keyOf),
})

/** The key of one node, from the secret of the deployment: who knows it knows no other. Hex. */
export function nodeKey(secret: string, node: NodeId): string {
  return createHmac('sha256', secret).update(node).digest('hex')
}

class ChallengeFold implements DetectorFold {
  readonly #limits: Values<typeof SETTINGS>
  readonly #pool: PoolId
  readonly #keyOf: NodeKeys
  readonly #open = new Map<string, OpenChallenge>()
  readonly #parts = new Map<NodeId, Part>()
  /** Who is not heard of at all cannot answer either, and is no impostor. */
  readonly #silent = new Set<NodeId>()
  #wrongCount = 0
  #unaskedCount = 0
  #unverifiableCount = 0

  constructor(limits: Values<typeof SETTINGS>, pool: PoolId, keyOf: NodeKeys) {
    this.#limits = limits
    this.#pool = pool
    this.#keyOf = keyOf
  }

  take(input: Parameters<DetectorFold['take']>[0], nowMs: number): readonly Finding[] {
    if (input.kind === 'challenge') this.#ask(input.record, nowMs)
    else if (input.kind === 'assessment') this.#note(input)
    else if (input.kind === 'departure') this.#forget(input.node)
    if (input.kind === 'challenge-response') return this.#answer(input.record, nowMs)
    return input.kind === 'tick' ? this.#expire(nowMs) : NOTHING_FOUND
  }

  stats(): Readonly<Record<string, number>> {
    let [asked, answered] = [0, 0]
    for (const part of this.#parts.values()) {
      asked += part.asked
      answered += part.answered
    }
    return {
      open: this.#open.size,
      wrong: this.#wrongCount,
      unasked: this.#unaskedCount,
      unverifiable: this.#unverifiableCount,
      participation: asked === 0 ? 0 : answered / asked,
    }
  }

  #ask({ challengeId, about, nonce }: Challenge, nowMs: number): void {
    if (this.#open.has(challengeId)) return
    this.#open.set(challengeId, { about, nonce, heardAtMs: nowMs })
    this.#part(about).asked++
    dropOldest(this.#open, OPEN_MAX)
  }

  #answer({ challengeId, node, mac }: ChallengeResponse, nowMs: number): readonly Finding[] {
    const challenge = this.#open.get(challengeId)
    if (challenge === undefined || challenge.about !== node) {
      this.#unaskedCount++
      return NOTHING_FOUND
    }
    const key = this.#keyOf(node)
    if (key === null) {
      this.#unverifiableCount++
      return NOTHING_FOUND
    }
    const part = this.#part(node)
    const right = createHmac('sha256', Buffer.from(key, 'hex'))
      .update(`${challengeId}.${challenge.nonce}`)
      .digest()
    if (!timingSafeEqual(right, Buffer.from(mac, 'hex'))) {
      // The challenge stays open: somebody else's wrong answer must not spare the node's own.
      this.#wrongCount++
      return this.#found(node, 1, nowMs, [{ what: 'mac', value: 'wrong', limit: null }])
    }
    this.#open.delete(challengeId)
    part.answered++
    part.missedInRow = 0
    return [{ ok: true, subject: node, why: 'it has proved who it is' }]
  }

  #note({ row, liveness }: Sighting): void {
    if (liveness === 'silent') this.#silent.add(row.node)
    else if (liveness === 'live') this.#silent.delete(row.node)
  }

  #forget(node: NodeId): void {
    this.#parts.delete(node)
    this.#silent.delete(node)
  }

  #expire(nowMs: number): readonly Finding[] {
    const findings: Finding[] = []
    for (const [id, { about, heardAtMs }] of this.#open) {
      if (nowMs - heardAtMs <= this.#limits.timeout) break
      this.#open.delete(id)
      // Without a key no answer could have counted.
      if (this.#keyOf(about) === null || this.#silent.has(about)) continue
      const part = this.#part(about)
      part.missedInRow++
      const { missesMax } = this.#limits
      const evidence = [{ what: 'unanswered', value: part.missedInRow, limit: missesMax }]
      findings.push(...this.#found(about, beyond(part.missedInRow, missesMax), nowMs, evidence))
    }
    return findings
  }

  #found(
    node: NodeId,
    confidenceRatio: number,
    atMs: number,
    evidence: readonly Evidence[],
  ): readonly Finding[] {
    if (confidenceRatio === 0 || confidenceRatio < this.#limits.actAt) return NOTHING_FOUND
    const attack = { detector: challengeResponse.name, pool: this.#pool, subject: node, node }
    return [{ ok: false, fault: attackFault({ ...attack, confidenceRatio, evidence }, atMs) }]
  }

  #part(node: NodeId): Part {
    let part = this.#parts.get(node)
    if (part === undefined) {
      part = { asked: 0, answered: 0, missedInRow: 0 }
      this.#parts.set(node, part)
      dropOldest(this.#parts, PARTS_MAX)
    }
    return part
  }
}
