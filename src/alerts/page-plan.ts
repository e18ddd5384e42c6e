/**
 * Which pages people get now: a function of what stands of the alerts, of the pages that were sent, and of
 * the time. Nothing waits in a queue: what is kept back by the budget is still due when it is asked again.
 */
import type { PagedGroup, PageRecord, PageRules } from '../core/alert.ts'
import { SEVERITIES, type Severity } from '../core/fault.ts'
import type { AlertView } from './alert-book.ts'

export const MINUTE_MS = 60_000
/** What is beyond goes into the digest of the next minute. */
export const DIGEST_GROUPS_MAX = 1_000

export interface Page extends PageRecord {
  readonly alerts: readonly AlertView[]
}

interface Last extends PagedGroup {
  readonly atMs: number
  /** Of the first page since the group began to fire. */
  readonly sinceMs: number
}

export class PagePlan {
  /** They may change between two looks. */
  rules: PageRules
  readonly #last = new Map<string, Last>()
  /** When pages and digests were sent, within the last minute. */
  #pages: number[] = []
  #digestAtMs = Number.NEGATIVE_INFINITY

  constructor(rules: PageRules) {
    this.rules = rules
  }

  /** A page was sent. */
  take({ kind, atMs, groups }: PageRecord): void {
    if (kind === 'digest') this.#digestAtMs = Math.max(this.#digestAtMs, atMs)
    else this.#pages.push(atMs)
    for (const paged of groups) {
      const before = this.#last.get(paged.group)
      this.#last.delete(paged.group)
      if (paged.state === 'resolved') continue
      this.#last.set(paged.group, { ...paged, atMs, sinceMs: before?.sinceMs ?? atMs })
    }
  }

  due(alerts: readonly AlertView[], nowMs: number): readonly Page[] {
    this.#pages = this.#pages.filter((atMs) => nowMs - atMs < MINUTE_MS)
    const due = this.#dueGroups(alerts, nowMs)
    const room = Math.max(0, this.rules.pagesPerMinute - this.#pages.length)
    const pages = due.slice(0, room).map((each) => pageOf('page', [each], nowMs))
    const rest = due.slice(room, room + DIGEST_GROUPS_MAX)
    const mayDigest = nowMs - this.#digestAtMs >= MINUTE_MS
    return rest.length > 0 && mayDigest ? [...pages, pageOf('digest', rest, nowMs)] : pages
  }

  /** Gravest first, and by name. */
  #dueGroups(alerts: readonly AlertView[], nowMs: number): readonly DueGroup[] {
    const groups = new Map<string, AlertView[]>()
    for (const alert of alerts) {
      const of = groups.get(alert.group) ?? []
      of.push(alert)
      groups.set(alert.group, of)
    }
    const due: DueGroup[] = []
    for (const [group, all] of groups) {
      const paged = this.#dueOf(group, all, nowMs)
      if (paged !== null) due.push(paged)
    }
    return due.toSorted(
      (a, b) =>
        rank(b.paged.severity) - rank(a.paged.severity) || (a.paged.group < b.paged.group ? -1 : 1),
    )
  }

  #dueOf(group: string, all: readonly AlertView[], nowMs: number): DueGroup | null {
    const last = this.#last.get(group)
    const firing = all.filter(({ state }) => state === 'firing')
    if (firing.length === 0) {
      if (last === undefined) return null
      return { paged: { ...last, state: 'resolved' }, alerts: all }
    }
    const heard = firing.filter((alert) => this.#isHeard(alert))
    const open = heard.filter(({ acknowledgedBy }) => acknowledgedBy === null)
    if (open.length === 0) return null
    const severity = heard.reduce<Severity>(
      (most, each) => (rank(each.severity) > rank(most) ? each.severity : most),
      'info',
    )
    const escalated = last?.escalated === true || this.#isToEscalate(open, last, nowMs)
    const told = heard.map(({ fingerprint, firingSinceMs }) => `${fingerprint}@${firingSinceMs}`)
    const isDue =
      last === undefined ||
      open.some(
        ({ fingerprint, firingSinceMs }) => !last.told.includes(`${fingerprint}@${firingSinceMs}`),
      ) ||
      rank(severity) > rank(last.severity) ||
      escalated !== last.escalated ||
      nowMs - last.atMs >= this.rules.repeatMs
    if (!isDue) return null
    return { paged: { group, state: 'firing', severity, escalated, told }, alerts: heard }
  }

  #isHeard({ severity, silencedBy, inhibitedBy }: AlertView): boolean {
    if (silencedBy !== null || inhibitedBy !== null) return false
    return rank(severity) >= rank(this.rules.severityMin)
  }

  #isToEscalate(open: readonly AlertView[], last: Last | undefined, nowMs: number): boolean {
    if (last === undefined || nowMs - last.sinceMs < this.rules.escalateMs) return false
    return open.some(({ severity }) => severity === 'critical')
  }
}

interface DueGroup {
  readonly paged: PagedGroup
  readonly alerts: readonly AlertView[]
}

/** The same page has the same name when it is made again, so receivers may know it. */
function pageOf(kind: PageRecord['kind'], due: readonly DueGroup[], atMs: number): Page {
  const [first] = due
  const groups = due.map(({ paged: { group, state, severity, escalated, told } }) => {
    return { group, state, severity, escalated, told }
  })
  const pageId = `${kind}/${first?.paged.group ?? ''}/${atMs}`
  return { pageId, kind, atMs, groups, alerts: due.flatMap(({ alerts }) => alerts) }
}

function rank(severity: Severity): number {
  return SEVERITIES.indexOf(severity)
}
