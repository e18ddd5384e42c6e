/**
 * What stands of the alerts: a fold over the topics `alerts` and `journal`, so that a restart changes
 * nothing. Partitions and topics are read side by side: the end of an incident may be read before its
 * alert, and an acknowledgement too, so what counts are the times in the records.
 */
import type { AcknowledgeControl, PublishedAlert } from '../core/alert.ts'
import type { JournalEntry } from '../core/command.ts'
import { HOUR_MS } from '../core/time.ts'
import { fingerprintOf, groupOf } from './fingerprint.ts'
import { type Silence, Silences } from './silences.ts'

export interface BookLimits {
  /** Beyond it the oldest that is over is forgotten, else the oldest. */
  readonly alertsMax: number
  /** Ends of incidents, acknowledgements and nodes of causes kept for alerts yet to be read. */
  readonly aheadMax: number
  /** An alert whose end nobody tells is over when it has not come again within this. */
  readonly resolveAfterMs: number
}

export const BOOK_LIMITS: BookLimits = {
  alertsMax: 10_000,
  aheadMax: 20_000,
  resolveAfterMs: HOUR_MS,
}

export interface Acknowledgement {
  readonly by: string
  readonly reason: string
  readonly atMs: number
}

/** The newest record of the alert, and what became of it. */
export interface AlertView extends PublishedAlert {
  readonly fingerprint: string
  readonly group: string
  readonly state: 'firing' | 'resolved'
  readonly firingSinceMs: number
  readonly resolvedAtMs: number | null
  /** Records since then. */
  readonly count: number
  readonly acknowledgedBy: Acknowledgement | null
  /** Name of the silence. */
  readonly silencedBy: string | null
  /** Fingerprint of the alert whose cause explains this one. */
  readonly inhibitedBy: string | null
}

interface Known {
  readonly fingerprint: string
  alert: PublishedAlert
  firingSinceMs: number
  endedAtMs: number | null
  count: number
}

/** What a cause explains; that people are asked for something is never inhibited. */
const INHIBITED: ReadonlySet<PublishedAlert['kind']> = new Set([
  'failure',
  'prediction',
  'missed',
  'anomaly',
  'fault',
])

/** Their end is a record of its own. */
const TOLD_WHEN_OVER: ReadonlySet<PublishedAlert['kind']> = new Set([
  'shared-cause',
  'drift',
  'emergency',
  'split-brain',
  'waiting',
])

export class AlertBook {
  readonly #limits: BookLimits
  /** By fingerprint, the one that began to fire last at the end. */
  readonly #known = new Map<string, Known>()
  readonly #ofIncident = new Map<string, Set<Known>>()
  readonly #ends = new Map<string, number>()
  readonly #acknowledged = new Map<string, Acknowledgement>()
  /** `POOL/CAUSE/NODE` → when it was told. */
  readonly #joined = new Map<string, number>()
  readonly #silences = new Silences()
  #nowMs = 0
  #forgottenCount = 0

  constructor(limits: Partial<BookLimits> = {}) {
    this.#limits = { ...BOOK_LIMITS, ...limits }
  }

  /** Newest time that was read. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** Alerts that were firing when there was no room for them any more. */
  get forgottenCount(): number {
    return this.#forgottenCount
  }

  advance(atMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, atMs)
  }

  takeAlert(alert: PublishedAlert): void {
    this.advance(alert.atMs)
    const fingerprint = fingerprintOf(alert)
    const known = this.#known.get(fingerprint)
    if (known !== undefined && known.alert.alertId === alert.alertId) return
    if (alert.resolved === true) {
      if (known !== undefined && known.endedAtMs === null) known.endedAtMs = alert.atMs
      return
    }
    const firing = known !== undefined && this.#endOf(known, alert.atMs) === null
    const next = firing ? this.#again(known, alert) : this.#begin(fingerprint, alert)
    const endedAtMs = alert.incidentId === null ? undefined : this.#ends.get(alert.incidentId)
    if (endedAtMs !== undefined && endedAtMs >= alert.atMs) next.endedAtMs = endedAtMs
  }

  takeJournal({ kind, atMs, incidentId, pool, node, cause, said }: JournalEntry): void {
    this.advance(atMs)
    if (kind === 'incident-closed' && incidentId !== null) this.#end(incidentId, atMs)
    if (cause !== undefined && node !== null) {
      this.#remember(this.#joined, `${pool}/${cause}/${node}`, atMs)
    }
    if (said?.kind === 'silence') this.#silences.take(said)
    else if (said?.kind === 'acknowledge') this.#acknowledge(said, atMs)
  }

  silences(): readonly Silence[] {
    return this.#silences.standing(this.#nowMs)
  }

  /** Newest first. */
  list(): readonly AlertView[] {
    const known = [...this.#known.values()].toReversed()
    const causes = known.filter(
      (each) => each.alert.cause !== undefined && this.#endOf(each, this.#nowMs) === null,
    )
    return known.map((each) => this.#view(each, causes))
  }

  #again(known: Known, alert: PublishedAlert): Known {
    this.#unlink(known)
    known.alert = alert
    known.count++
    this.#link(known)
    return known
  }

  #begin(fingerprint: string, alert: PublishedAlert): Known {
    const before = this.#known.get(fingerprint)
    if (before !== undefined) this.#forget(before)
    else if (this.#known.size >= this.#limits.alertsMax) this.#makeRoom()
    const known = { fingerprint, alert, firingSinceMs: alert.atMs, endedAtMs: null, count: 1 }
    this.#known.set(fingerprint, known)
    this.#link(known)
    return known
  }

  #makeRoom(): void {
    let [gone] = this.#known.values()
    for (const known of this.#known.values()) {
      if (this.#endOf(known, this.#nowMs) === null) continue
      gone = known
      break
    }
    if (gone === undefined) return
    if (this.#endOf(gone, this.#nowMs) === null) this.#forgottenCount++
    this.#forget(gone)
  }

  #forget(known: Known): void {
    this.#known.delete(known.fingerprint)
    this.#unlink(known)
  }

  #link(known: Known): void {
    const { incidentId } = known.alert
    if (incidentId === null) return
    const of = this.#ofIncident.get(incidentId) ?? new Set()
    of.add(known)
    this.#ofIncident.set(incidentId, of)
  }

  #unlink(known: Known): void {
    const { incidentId } = known.alert
    const of = incidentId === null ? undefined : this.#ofIncident.get(incidentId)
    if (incidentId === null || of === undefined) return
    of.delete(known)
    if (of.size === 0) this.#ofIncident.delete(incidentId)
  }

  #end(incidentId: string, atMs: number): void {
    this.#remember(this.#ends, incidentId, atMs)
    for (const known of this.#ofIncident.get(incidentId) ?? []) {
      if (known.endedAtMs === null && known.alert.atMs <= atMs) known.endedAtMs = atMs
    }
  }

  #acknowledge({ fingerprint, acknowledged, by, reason }: AcknowledgeControl, atMs: number): void {
    if (acknowledged) this.#remember(this.#acknowledged, fingerprint, { by, reason, atMs })
    else this.#acknowledged.delete(fingerprint)
  }

  #remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
    map.delete(key)
    map.set(key, value)
    if (map.size <= this.#limits.aheadMax) return
    const [oldest] = map.keys()
    if (oldest !== undefined) map.delete(oldest)
  }

  /** When it was over, seen at a time; null while it fires. */
  #endOf({ alert, endedAtMs }: Known, nowMs: number): number | null {
    if (endedAtMs !== null) return endedAtMs
    const overAtMs = alert.atMs + this.#limits.resolveAfterMs
    const lasts = alert.incidentId !== null || TOLD_WHEN_OVER.has(alert.kind)
    return !lasts && nowMs >= overAtMs ? overAtMs : null
  }

  #view(known: Known, causes: readonly Known[]): AlertView {
    const { fingerprint, alert, firingSinceMs, count } = known
    const resolvedAtMs = this.#endOf(known, this.#nowMs)
    const { kind, pool, node, cause = null, severity } = alert
    const acknowledged = this.#acknowledged.get(fingerprint)
    const labels = { fingerprint, kind, pool, node, cause, severity }
    return {
      ...alert,
      fingerprint,
      group: groupOf(alert),
      state: resolvedAtMs === null ? 'firing' : 'resolved',
      firingSinceMs,
      resolvedAtMs,
      count,
      acknowledgedBy:
        acknowledged !== undefined && acknowledged.atMs >= firingSinceMs ? acknowledged : null,
      silencedBy: this.#silences.matching(labels, this.#nowMs),
      inhibitedBy: causes.find((each) => this.#explains(each, alert))?.fingerprint ?? null,
    }
  }

  #explains({ alert: cause, firingSinceMs }: Known, alert: PublishedAlert): boolean {
    const { node, pool, zone } = alert
    if (node === null || alert.cause !== undefined || pool !== cause.pool) return false
    if (!INHIBITED.has(alert.kind)) return false
    if (cause.cause === 'pool:all') return true
    if (zone && cause.cause === `zone:${zone}`) return true
    if (cause.nodes?.includes(node) === true) return true
    return (this.#joined.get(`${pool}/${cause.cause}/${node}`) ?? -1) >= firingSinceMs
  }
}
