/**
 * Sends the pages. One process does it: the one that owns partition 0 of the group `pager`. It folds
 * `alerts` and `journal` from their start, so it knows what stands and what its predecessor has sent, and
 * writes each page into the journal once every receiver has it. A crash between the two sends that page
 * again, under the same idempotency key where it is made anew at the same time; none is lost.
 */
import type { PublishedAlert } from '../core/alert.ts'
import type { Bus, Lease, LogRecord, Output, Reader } from '../core/bus.ts'
import { toText } from '../core/bytes.ts'
import { cloudEventOutput } from '../core/cloudevent.ts'
import type { JournalEntry } from '../core/command.ts'
import { FLEET_POOL } from '../core/ids.ts'
import { topicName, type Topology } from '../core/topics.ts'
import { AlertBook } from './alert-book.ts'
import { type Page, PagePlan, type PageRules } from './page-plan.ts'
import { deliver, type DeliveryPorts, type Receiver } from './receivers.ts'

export interface PagerOptions {
  readonly bus: Bus
  readonly topology: Topology
  readonly rules: PageRules
  readonly receivers: readonly Receiver[]
  readonly delivery: DeliveryPorts
  /** What is due is asked this often. */
  readonly intervalMs: number
  /** Told of pages that did not arrive; they are tried again. */
  readonly report: (error: unknown) => void
}

/** A log with a busy partition is caught up when it has read what is this much younger than its start. */
const CATCH_UP_MS = 5_000

/** The answer ends it. */
export async function startPager(options: PagerOptions): Promise<() => Promise<void>> {
  const { bus, topology, report } = options
  const ended = new AbortController()
  const loops = new Set<Promise<void>>()
  const membership = await bus.join({
    group: `${topology.prefix}pager`,
    role: 'pager',
    topics: [topicName(topology, 'alerts')],
    claimTopic: null,
    onGained: (lease) => {
      const loop = new PagerLoop(options, lease, ended.signal).run().catch(report)
      loops.add(loop)
      void loop.finally(() => loops.delete(loop))
    },
  })
  return async () => {
    ended.abort()
    await membership.leave()
    await Promise.all(loops)
  }
}

class PagerLoop {
  readonly #options: PagerOptions
  readonly #lease: Lease
  readonly #signal: AbortSignal
  readonly #book = new AlertBook()
  readonly #plan: PagePlan
  /** Sent by this process and not yet read back. */
  readonly #own = new Set<string>()
  /** Of the page that is being sent, who has it already. */
  readonly #reached = new Map<string, Set<Receiver>>()

  constructor(options: PagerOptions, lease: Lease, signal: AbortSignal) {
    this.#options = options
    this.#lease = lease
    this.#signal = signal
    this.#plan = new PagePlan(options.rules)
  }

  async run(): Promise<void> {
    const lease = this.#lease
    lease.start(lease.committed)
    if (lease.partition !== 0) return this.#hold()
    const { bus, topology } = this.#options
    const [alerts, journal] = await Promise.all(
      (['alerts', 'journal'] as const).map((name) =>
        bus.read({ topic: topicName(topology, name), from: 'start' }),
      ),
    )
    try {
      await this.#catchUp(journal)
      await this.#catchUp(alerts)
      while (this.#goesOn()) {
        await this.#move()
        await this.#read(journal)
        await this.#read(alerts)
        await this.#page()
      }
    } finally {
      await Promise.all([alerts?.close(), journal?.close()])
    }
  }

  /** Others than the first have nothing to do, and keep their partition. */
  async #hold(): Promise<void> {
    while (this.#goesOn()) await this.#move()
  }

  /** The lease is only who pages, but one that does not move counts as stuck. */
  async #move(): Promise<void> {
    const last = (await this.#lease.take(this.#options.intervalMs)).at(-1)
    if (last !== undefined) await this.#lease.commit([], { [last.topic]: last.offset + 1 })
  }

  #goesOn(): boolean {
    return !this.#lease.lost && !this.#signal.aborted
  }

  async #catchUp(reader: Reader): Promise<void> {
    const untilMs = this.#options.bus.nowMs() + CATCH_UP_MS
    for (let emptyCount = 0; emptyCount < 2 && this.#goesOn();) {
      const records = await reader.take(this.#options.intervalMs)
      for (const record of records) this.#take(record)
      emptyCount = records.length === 0 ? emptyCount + 1 : 0
      if ((records.at(-1)?.appendedAtMs ?? 0) >= untilMs) return
    }
  }

  async #read(reader: Reader): Promise<void> {
    for (const record of await reader.take(0)) this.#take(record)
  }

  #take({ topic, value }: LogRecord): void {
    const { topology } = this.#options
    const body = value === null ? undefined : objectOf(toText(value))
    if (body === undefined) return
    if (topic === topicName(topology, 'alerts')) {
      return this.#book.takeAlert(body as unknown as PublishedAlert)
    }
    const entry = body as unknown as JournalEntry
    this.#book.takeJournal(entry)
    if (entry.page === undefined || this.#own.delete(entry.page.pageId)) return
    this.#plan.take(entry.page)
  }

  async #page(): Promise<void> {
    const { bus, topology } = this.#options
    const { nowMs: logMs } = this.#book
    const nowMs = topology.clock === 'driven' ? logMs : Math.max(logMs, bus.nowMs())
    this.#book.advance(nowMs)
    for (const page of this.#plan.due(this.#book.list(), nowMs)) {
      if (!this.#goesOn() || !(await this.#send(page))) return
    }
  }

  /** False: not now. Whoever has it already is not told again meanwhile. */
  async #send(page: Page): Promise<boolean> {
    const { receivers, delivery, report } = this.#options
    const key = JSON.stringify(page.groups)
    const reached = this.#reached.get(key) ?? new Set()
    // What is due may change before all have it: then it is another page.
    this.#reached.clear()
    this.#reached.set(key, reached)
    const missing = receivers.filter((receiver) => !reached.has(receiver))
    await Promise.all(
      missing.map((receiver) =>
        deliver(receiver, page, delivery).then(() => reached.add(receiver), report),
      ),
    )
    if (reached.size < receivers.length) return false
    const outcome = await this.#lease.commit([this.#record(page)], {})
    if (outcome !== 'committed') return false
    this.#reached.clear()
    this.#own.add(page.pageId)
    this.#plan.take(page)
    return true
  }

  #record({ alerts, ...page }: Page): Output {
    const { topology, receivers } = this.#options
    const to = receivers.map(({ name }) => name).join(' and ')
    const entry: JournalEntry = {
      entryId: page.pageId,
      atMs: page.atMs,
      pool: FLEET_POOL,
      kind: 'page',
      incidentId: null,
      commandId: null,
      node: null,
      workload: null,
      rail: null,
      reasons: [`A ${page.kind} of ${alerts.length} alerts was sent to the ${to}.`],
      evidence: [],
      page,
    }
    const event = {
      type: 'foreshock.journal.page',
      source: '/foreshock/pager',
      id: page.pageId,
      subject: FLEET_POOL,
      atMs: page.atMs,
    }
    return cloudEventOutput(topicName(topology, 'journal'), 0, event, entry)
  }
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const body: unknown = JSON.parse(text)
    const isObject = typeof body === 'object' && body !== null
    return isObject && 'atMs' in body && 'kind' in body ? body : undefined
  } catch {
    // Not ours: consoles count it.
    return undefined
  }
}
