/**
 * Replicas whose Merkle digests disagree. A root that more than half of the holders have is taken for
 * the truth; without one, all holders are suspect and the object is told of. A report whose root does
 * not follow from its own chunks is wrong whatever the others say. Where the truth is known a fault says who
 * has it, so that it can be fetched from there.
 *
 * What is found depends on the newest report of each holder and not on their order.
 */
import type { DigestReport } from '../core/evidence.ts'
import { type Fault, type Finding, SOURCES_MAX, type WrongReplica } from '../core/fault.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { detector, type DetectorFold, NOTHING_FOUND } from './detector.ts'
import { merkleRoot } from './merkle.ts'
import { count, type Values } from './settings.ts'

const SETTINGS = {
  /** Holders that must agree on a root before the others are wrong. */
  agreeingMin: count(2, 2, 1_000),
} as const

/** Objects and holders of each that are remembered; the oldest object goes first. */
const OBJECTS_MAX = 20_000
const HOLDERS_MAX = 64
/** Differing chunks that are named. */
const CHUNKS_NAMED = 16

interface Holding {
  readonly report: DigestReport
  readonly isSound: boolean
}

/** What a holder has wrong, and what it should have where that is known. */
interface Wrong {
  readonly key: string
  readonly node: NodeId
  readonly replica: WrongReplica | undefined
}

interface Replicas {
  readonly holders: Map<NodeId, Holding>
  /** Subjects that were found and not cleared. */
  found: ReadonlySet<string>
}

export const dataCorruption = detector({
  name: 'data-corruption',
  inputs: ['digest', 'departure'],
  enabled: true,
  settings: SETTINGS,
  create: (values, pool): DetectorFold => new CorruptionFold(values, pool),
})

class CorruptionFold implements DetectorFold {
  readonly #limits: Values<typeof SETTINGS>
  readonly #pool: PoolId
  readonly #objects = new Map<string, Replicas>()
  #reportCount = 0
  #leftOutCount = 0

  constructor(limits: Values<typeof SETTINGS>, pool: PoolId) {
    this.#limits = limits
    this.#pool = pool
  }

  take(input: Parameters<DetectorFold['take']>[0], nowMs: number): readonly Finding[] {
    if (input.kind === 'departure') {
      for (const { holders } of this.#objects.values()) holders.delete(input.node)
      return NOTHING_FOUND
    }
    return input.kind === 'digest' ? this.#weigh(input.record, nowMs) : NOTHING_FOUND
  }

  stats(): Readonly<Record<string, number>> {
    return { objects: this.#objects.size, reports: this.#reportCount, leftOut: this.#leftOutCount }
  }

  #weigh(report: DigestReport, nowMs: number): readonly Finding[] {
    this.#reportCount++
    const key = `${report.object}@${report.version}`
    const replicas = this.#replicas(key)
    const before = replicas.holders.get(report.node)
    if (before !== undefined && before.report.atMs >= report.atMs) return NOTHING_FOUND
    if (before === undefined && replicas.holders.size === HOLDERS_MAX) {
      this.#leftOutCount++
      return NOTHING_FOUND
    }
    const isSound = report.chunks.length === 0 || merkleRoot(report.chunks) === report.root
    replicas.holders.set(report.node, { report, isSound })
    const faults = this.#faults(key, replicas, nowMs)
    const subjects = new Set(faults.map(({ subject }) => subject))
    const cleared = [...replicas.found].filter((subject) => !subjects.has(subject))
    replicas.found = subjects
    return [
      ...cleared.map((subject): Finding => ({ ok: true, subject, why: 'the digests agree again' })),
      ...faults.map((fault): Finding => ({ ok: false, fault })),
    ]
  }

  #faults(key: string, { holders }: Replicas, nowMs: number): readonly Fault[] {
    const names = [...holders.keys()].sort()
    const roots = new Map<string, NodeId[]>()
    for (const name of names) {
      const { report, isSound } = holders.get(name)!
      if (isSound) roots.set(report.root, [...(roots.get(report.root) ?? []), name])
    }
    const contradicting = names.filter((name) => !holders.get(name)!.isSound)
    const soundCount = names.length - contradicting.length
    const [root, agreeing] = [...roots].reduce<readonly [string, readonly NodeId[]]>(
      (a, b) => (b[1].length > a[1].length ? b : a),
      ['', []],
    )
    const isKnown = agreeing.length >= this.#limits.agreeingMin && 2 * agreeing.length > soundCount
    const truth = isKnown ? holders.get(agreeing[0])!.report : null
    const replica =
      truth === null
        ? undefined
        : {
            object: truth.object,
            version: truth.version,
            root,
            sources: agreeing.slice(0, SOURCES_MAX),
          }
    const own = contradicting.map((node) =>
      this.#fault({ key, node, replica }, 1, nowMs, [
        { what: 'rootFollowsFromChunks', value: 'no', limit: null },
      ]),
    )
    if (roots.size < 2) return own
    if (truth === null) return [...own, this.#undecided(key, roots, names, nowMs)]
    const wrong = names.filter((name) => {
      const { report, isSound } = holders.get(name)!
      return isSound && report.root !== root
    })
    return [
      ...own,
      ...wrong.map((node) =>
        this.#fault({ key, node, replica }, agreeing.length / soundCount, nowMs, [
          { what: 'root', value: holders.get(node)!.report.root, limit: root },
          { what: 'chunks', value: differing(holders.get(node)!.report, truth), limit: null },
          { what: 'agreeing', value: agreeing.length, limit: soundCount },
        ]),
      ),
    ]
  }

  #fault(
    { key, node, replica }: Wrong,
    confidenceRatio: number,
    atMs: number,
    evidence: Fault['evidence'],
  ): Fault {
    return {
      detector: dataCorruption.name,
      kind: 'data-corruption',
      subject: `${key}/${node}`,
      node,
      pool: this.#pool,
      atMs,
      severity: 'critical',
      confidenceRatio,
      evidence: [{ what: 'object', value: key, limit: null }, ...evidence],
      ...(replica === undefined ? {} : { replica }),
    }
  }

  #undecided(
    key: string,
    roots: ReadonlyMap<string, readonly NodeId[]>,
    holders: readonly NodeId[],
    atMs: number,
  ): Fault {
    return {
      detector: dataCorruption.name,
      kind: 'data-corruption',
      subject: key,
      node: null,
      pool: this.#pool,
      atMs,
      severity: 'critical',
      confidenceRatio: 0.5,
      evidence: [
        { what: 'object', value: key, limit: null },
        { what: 'differentRoots', value: roots.size, limit: 1 },
      ],
      others: holders,
    }
  }

  #replicas(key: string): Replicas {
    let replicas = this.#objects.get(key)
    if (replicas === undefined) {
      replicas = { holders: new Map(), found: new Set() }
      this.#objects.set(key, replicas)
      if (this.#objects.size > OBJECTS_MAX) {
        const [oldest] = this.#objects.keys()
        if (oldest !== undefined) this.#objects.delete(oldest)
      }
    }
    return replicas
  }
}

/** Which chunks are others than those of the truth, as far as both name them. */
function differing({ chunks }: DigestReport, truth: DigestReport): string {
  if (chunks.length === 0 || truth.chunks.length === 0) return 'unknown'
  const length = Math.max(chunks.length, truth.chunks.length)
  const indices = Array.from({ length }, (_, index) => index).filter(
    (index) => chunks[index] !== truth.chunks[index],
  )
  const more = indices.length > CHUNKS_NAMED ? ` and ${indices.length - CHUNKS_NAMED} more` : ''
  return indices.slice(0, CHUNKS_NAMED).join(', ') + more
}
