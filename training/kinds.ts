/** Judges a model by kind of failure, where a history names the kinds (column `failure_kind`). */
import type { KindQuality } from '../src/core/model.ts'
import type { ScoredRows } from './alerts.ts'
import { countAlerts } from './alerts.ts'
import type { HistoryEvent } from './history.ts'
import type { Lives } from './labels.ts'
import type { Manifest } from './manifest.ts'
import { sliceOf } from './manifest.ts'

export interface FailureKinds {
  /** `undefined` where the history does not say. */
  readonly kindOf: (node: number, failureAtMs: number) => string | undefined
  readonly trained: ReadonlySet<string>
}

/** The kinds of a history's failures, and which of them the fit slice could learn from. */
export function failureKinds(
  manifest: Manifest,
  events: readonly HistoryEvent[],
  lives: Lives,
): FailureKinds {
  const kinds = new Map<string, string>()
  const trained = new Set<string>()
  for (const event of events) {
    if (event.kind !== 'failure' || event.failureKind === 'unknown') continue
    const node = lives.numberOf(event.node)
    kinds.set(`${node} ${event.atMs}`, event.failureKind)
    const { trainUntilMs } = manifest
    const isEarly = trainUntilMs === null || event.atMs <= trainUntilMs
    if (isEarly && sliceOf(manifest, lives.hashOf(node)) === 'fit') trained.add(event.failureKind)
  }
  return { kindOf: (node, failureAtMs) => kinds.get(`${node} ${failureAtMs}`), trained }
}

export function judgeKinds(
  rows: ScoredRows,
  threshold: number,
  { kindOf, trained }: FailureKinds,
): Readonly<Record<string, KindQuality>> {
  const members = new Map<string, number[]>()
  for (let i = 0; i < rows.labels.length; i++) {
    const kind = rows.labels[i] === 1 ? kindOf(rows.node[i], rows.failureAtMs[i]) : undefined
    if (kind === undefined) continue
    const others = members.get(kind)
    if (others === undefined) members.set(kind, [i])
    else others.push(i)
  }
  const judged: Record<string, KindQuality> = {}
  for (const [kind, indexes] of [...members].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const counts = countAlerts(pick(rows, indexes), threshold)
    judged[kind] = {
      trained: trained.has(kind),
      failureCount: counts.failureCount,
      foreseenCount: counts.foreseenCount,
      leadTimeMs: counts.leadTimeMs,
    }
  }
  return judged
}

function pick(rows: ScoredRows, indexes: readonly number[]): ScoredRows {
  return {
    ...rows,
    node: Uint32Array.from(indexes, (i) => rows.node[i]),
    atMs: Float64Array.from(indexes, (i) => rows.atMs[i]),
    labels: Uint8Array.from(indexes, (i) => rows.labels[i]),
    failureAtMs: Float64Array.from(indexes, (i) => rows.failureAtMs[i]),
    scores: Float64Array.from(indexes, (i) => rows.scores[i]),
  }
}
