/**
 * Sends the pages. One process does it: the one that owns partition 0 of the group `pager`. It folds
 * `alerts` and `journal` from their start, so it knows what stands and what its predecessor has sent. Each
 * receiver has a plan of its own, so that one which does not answer keeps nothing from the others, and a page
 * is written into the journal once the receiver has it. A crash between the two sends that page again, under
 * the same idempotency key where it is made anew at the same time; none is lost.
 */
import type { PageRules, PublishedAlert } from '../core/alert.ts'
import type { Bus, Lease, LogRecord, Output, Reader } from '../core/bus.ts'
import { toText } from '../core/bytes.ts'
import { cloudEventOutput } from '../core/cloudevent.ts'
import type { JournalEntry } from '../core/command.ts'
import { CallRefused } from '../core/guard.ts'
import { FLEET_POOL } from '../core/ids.ts'
import { topicName, type Topology } from '../core/topics.ts'
import { AlertBook } from './alert-book.ts'
import { type Page, PagePlan } from './page-plan.ts'
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

/** A receiver, what it was told, and what it is being told. */
interface Line {
  readonly receiver: Receiver
  readonly plan: PagePlan
  /** Delivered and not yet in the journal. */
  readonly sent: Page[]
  round: Promise<void> | null
}

class PagerLoop {
  readonly #options: PagerOptions
  readonly #lease: Lease
  readonly #signal: AbortSignal
  readonly #book = new AlertBook()
  readonly #lines: readonly Line[]
  /** Entries of the journal that this process wrote and has not read back. */
  readonly #own = new Set<string>()

  constructor(options: PagerOptions, lease: Lease, signal: AbortSignal) {
    this.#options = options
    this.#lease = lease
    this.#signal = signal
    this.#lines = options.receivers.map((receiver) => {
      return { receiver, plan: new PagePlan(options.rules), sent: [], round: null }
    })
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
      for (const { round } of this.#lines) await round
      if (!lease.lost) await this.#note()
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
    const { page, config } = entry
    if (config?.alerts !== undefined) {
      for (const { plan } of this.#lines) plan.rules = config.alerts
    }
    if (page === undefined || this.#own.delete(entry.entryId)) return
    for (const { receiver, plan } of this.#lines) {
      if (page.to === undefined || page.to === receiver.name) plan.take(page)
    }
  }

  /** Each receiver that has nothing under way is told what is due for it. */
  async #page(): Promise<void> {
    await this.#note()
    const { bus, topology } = this.#options
    const { nowMs: logMs } = this.#book
    const nowMs = topology.clock === 'driven' ? logMs : Math.max(logMs, bus.nowMs())
    this.#book.advance(nowMs)
    for (const line of this.#lines) {
      if (line.round !== null || line.sent.length > 0) continue
      const due = line.plan.due(this.#book.list(), nowMs)
      if (due.length === 0) continue
      line.round = this.#send(line, due).finally(() => (line.round = null))
    }
  }

  /** Until one does not arrive: it is due again, and so are those behind it. */
  async #send({ receiver, sent }: Line, due: readonly Page[]): Promise<void> {
    const { delivery, report } = this.#options
    try {
      for (const page of due) {
        if (!this.#goesOn()) return
        await deliver(receiver, page, delivery)
        sent.push(page)
      }
    } catch (error) {
      // That the guard keeps calls back was said when it began to.
      if (!(error instanceof CallRefused)) report(error)
    }
  }

  /** What has arrived goes into the journal, and counts from then on. */
  async #note(): Promise<void> {
    for (const { receiver, plan, sent } of this.#lines) {
      while (sent.length > 0) {
        const [page] = sent
        const output = this.#record(page, receiver)
        if ((await this.#lease.commit([output], {})) !== 'committed') return
        sent.shift()
        this.#own.add(entryIdOf(page, receiver))
        plan.take(page)
      }
    }
  }

  #record({ alerts, ...page }: Page, receiver: Receiver): Output {
    const entryId = entryIdOf(page, receiver)
    const entry: JournalEntry = {
      entryId,
      atMs: page.atMs,
      pool: FLEET_POOL,
      kind: 'page',
      incidentId: null,
      commandId: null,
      node: null,
      workload: null,
      rail: null,
      reasons: [`A ${page.kind} of ${alerts.length} alerts was sent to the ${receiver.name}.`],
      evidence: [],
      page: { ...page, to: receiver.name },
    }
    const event = {
      type: 'foreshock.journal.page',
      source: '/foreshock/pager',
      id: entryId,
      subject: FLEET_POOL,
      atMs: page.atMs,
    }
    return cloudEventOutput(topicName(this.#options.topology, 'journal'), 0, event, entry)
  }
}

function entryIdOf({ pageId }: Pick<Page, 'pageId'>, { name }: Receiver): string {
  return `${pageId}/${name}`
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
