/**
 * The ingest role: public records in any format become records of the two internal logs.
 *
 * It holds no state. Under the arrival clock it says twice a second how far it has come, so that a
 * watcher can tell a silent node from a late ingest. Under a driven clock it forwards each step of
 * the driver once everything published before that step has been read.
 */
import type { Bus, Lease, LogRecord, Membership, Offsets, Output } from '../core/bus.ts'
import { toText } from '../core/bytes.ts'
import { ServiceError } from '../core/errors.ts'
import { type ClockRecord, logOutput, type Tick, type Watermark } from '../core/log.ts'
import { INPUT_TOPICS, topicName, type Topology } from '../core/topics.ts'
import type { Intake } from './intake.ts'
import { type LeaseFigures, LeaseGauge } from './lease-gauge.ts'
import { giveUp, groupName, IN_FLIGHT_WAIT_MS, type RoleEvents, toEveryPartition } from './role.ts'

const IDLE_WAIT_MS = 1_000
const WATERMARK_INTERVAL_MS = 500
/** A caught-up partition claims no less delay than this: reading and asking take time. */
const WATERMARK_DELAY_MIN_MS = 300
const COMMIT_TRIES_MAX = 5
/** Of records taken while a transaction is under way; beyond it reading waits for the commit. */
const PENDING_BYTES_MAX = 32 * 1_048_576

/** What turns public records into log records: see src/ingest/route.ts. */
export interface Router {
  take(record: LogRecord, nowMs: number): void
  /** What the records taken since the last flush became. */
  flush(): readonly Output[]
}

export interface IngestOptions {
  readonly bus: Bus
  readonly topology: Topology
  readonly createRouter: (partition: number) => Router
  readonly commitIntervalMs: number
  /** Told of every record that is read. */
  readonly intake?: Intake
  readonly events?: RoleEvents
}

export interface Ingest {
  /** Partition → its lag and its queues. */
  leases(): ReadonlyMap<number, LeaseFigures>
  readyPartitions(): readonly number[]
  stop(): Promise<void>
}

export async function startIngest(options: IngestOptions): Promise<Ingest> {
  const { bus, topology } = options
  const runs = new Map<Lease, IngestRun>()
  const ends = new Set<Promise<void>>()
  const membership: Membership = await bus.join({
    group: groupName(topology, 'ingest'),
    role: 'ingest',
    topics: INPUT_TOPICS.map((name) => topicName(topology, name)),
    claimTopic: null,
    onGained: (lease) => {
      const run = new IngestRun(options, lease)
      runs.set(lease, run)
      const end = run
        .run()
        .catch((error: unknown) => giveUp('ingest', lease, error, options.events))
        .finally(() => {
          ends.delete(end)
          runs.delete(lease)
        })
      ends.add(end)
    },
  })
  const owned = () => [...runs].filter(([lease]) => !lease.lost)
  return {
    leases: () => new Map(owned().map(([{ partition }, run]) => [partition, run.figures()])),
    readyPartitions: () => owned().map(([{ partition }]) => partition),
    stop: async () => {
      await membership.leave()
      await Promise.all(ends)
    },
  }
}

interface HeldStep {
  /** Of its record on the clock topic. */
  readonly offset: number
  readonly step: number
  readonly atMs: number
  readonly until: Offsets
}

class IngestRun {
  readonly #options: IngestOptions
  readonly #lease: Lease
  readonly #router: Router
  readonly #gauge: LeaseGauge
  readonly #topics: { readonly telemetry: string; readonly events: string }
  readonly #clockTopic: string
  readonly #next: Record<string, number>
  readonly #steps: HeldStep[] = []
  /** Driven: records whose step has not come. */
  #held: LogRecord[] = []
  #pending: Output[] = []
  #pendingBytes = 0
  #nowMs = 0
  #lastCommitMs = Number.NEGATIVE_INFINITY
  #lastAppendedAtMs = 0
  #watermarkDueMs = 0
  #commitMs = 0
  #touched = false
  #inFlight: Promise<void> | null = null

  constructor(options: IngestOptions, lease: Lease) {
    this.#options = options
    this.#lease = lease
    this.#router = options.createRouter(lease.partition)
    this.#gauge = new LeaseGauge(lease, options.bus)
    this.#topics = {
      telemetry: topicName(options.topology, 'telemetry'),
      events: topicName(options.topology, 'events'),
    }
    this.#clockTopic = topicName(options.topology, 'clock')
    this.#next = { ...lease.committed }
  }

  figures(): LeaseFigures {
    return this.#gauge.figures(this.#pending.length)
  }

  async run(): Promise<void> {
    this.#lease.start(await this.#startOffsets())
    while (!this.#lease.lost) {
      const records = await this.#lease.take(this.#waitMs())
      for (const record of records) this.#take(record)
      // Under the arrival clock the watermark asks.
      if (this.#driven()) this.#gauge.sample()
      this.#forwardSteps()
      await this.#commitWhenDue()
    }
    await this.#inFlight
  }

  /** Reading goes on while a transaction is under way; a driven step waits for nobody else. */
  async #commitWhenDue(): Promise<void> {
    if (this.#pendingBytes > PENDING_BYTES_MAX) await this.#inFlight
    if (this.#inFlight !== null || !(this.#driven() || this.#due())) return
    await this.#appendWatermarks()
    this.#touched = false
    this.#pending.push(...this.#router.flush())
    if (this.#pending.length === 0 || this.#lease.lost) return
    const outputs = this.#pending
    this.#pending = []
    this.#pendingBytes = 0
    this.#inFlight = this.#commit(outputs, this.#commitOffsets()).finally(() => {
      this.#inFlight = null
    })
    if (this.#driven()) await this.#inFlight
  }

  /** Where it was, or the oldest record still kept: what retention took meanwhile is told, once. */
  async #startOffsets(): Promise<Offsets> {
    const { bus, events } = this.#options
    const { partition, committed } = this.#lease
    for (const [topic, next] of Object.entries(committed)) {
      const oldest = (await bus.starts(topic))[partition] ?? 0
      if (next >= oldest) continue
      this.#next[topic] = oldest
      if (next === 0) continue
      const lost = `${topic}[${partition}]: records ${next} to ${oldest - 1} were dropped by retention before they were read; raise topology.retention, and do not leave the service off for longer`
      events?.trouble?.('ingest', partition, new ServiceError('OFFSET_OUT_OF_RANGE', lost))
    }
    return { ...this.#next }
  }

  #driven(): boolean {
    return this.#options.topology.clock === 'driven'
  }

  #due(): boolean {
    return this.#options.bus.nowMs() >= this.#lastCommitMs + this.#options.commitIntervalMs
  }

  #waitMs(): number {
    const nowMs = this.#options.bus.nowMs()
    // While a transaction is under way nothing is due but its end.
    if (this.#inFlight !== null) return IN_FLIGHT_WAIT_MS
    const waits = [IDLE_WAIT_MS]
    // What is due before the next commit waits for it: looking again and again would only burn time.
    const commitDueMs = this.#lastCommitMs + this.#options.commitIntervalMs
    if (!this.#driven()) waits.push(Math.max(this.#watermarkDueMs, commitDueMs) - nowMs)
    if (this.#touched) waits.push(commitDueMs - nowMs)
    return Math.max(0, Math.min(...waits))
  }

  #take(record: LogRecord): void {
    this.#options.intake?.count(record)
    this.#next[record.topic] = record.offset + 1
    if (record.topic === this.#clockTopic) {
      this.#hold(record)
      return
    }
    if (this.#driven()) {
      this.#held.push(record)
      return
    }
    this.#touched = true
    this.#pendingBytes += record.value?.length ?? 0
    if (record.appendedAtMs > this.#lastAppendedAtMs) this.#lastAppendedAtMs = record.appendedAtMs
    this.#router.take(record, record.appendedAtMs)
  }

  /**
   * Routes what was published before a step. Topics are read side by side, so the order between
   * them is chance; a step has its own: lives begin, samples come, lives end.
   */
  #routeHeld(until: Offsets): void {
    const due: RankedRecord[] = []
    const later: LogRecord[] = []
    for (const record of this.#held) {
      if (record.offset >= (until[record.topic] ?? Infinity)) later.push(record)
      else due.push({ record, rank: rankInStep(record, this.#topics) })
    }
    this.#held = later
    for (const { record } of due.sort(byRank)) {
      this.#router.take({ ...record, appendedAtMs: this.#nowMs }, this.#nowMs)
    }
  }

  /** What is held is not committed past: after a crash it is read again. */
  #commitOffsets(): Offsets {
    const next = { ...this.#next }
    for (const { topic, offset } of this.#held) next[topic] = Math.min(next[topic], offset)
    const [step] = this.#steps
    if (step !== undefined) next[this.#clockTopic] = step.offset
    return next
  }

  /** A step waits until everything that was published before it has been read. */
  #hold(record: LogRecord): void {
    const clock = parseClock(record)
    if (clock === undefined || clock.kind !== 'step') return
    const until = Object.fromEntries(
      Object.entries(clock.until).map(([topic, ends]) => [topic, ends[this.#lease.partition] ?? 0]),
    )
    this.#steps.push({ offset: record.offset, step: clock.step, atMs: clock.atMs, until })
  }

  #forwardSteps(): void {
    for (let held = this.#steps[0]; held !== undefined; held = this.#steps[0]) {
      const waiting = Object.entries(held.until).some(
        ([topic, end]) => (this.#next[topic] ?? 0) < end,
      )
      if (waiting) return
      this.#steps.shift()
      this.#routeHeld(held.until)
      this.#pending.push(...this.#router.flush())
      this.#nowMs = held.atMs
      const tick: Tick = { source: this.#lease.partition, atMs: held.atMs, step: held.step }
      this.#pending.push(
        ...toEveryPartition(this.#options.topology, 'node-log', (topic, partition) =>
          logOutput(topic, partition, 'tick', null, tick),
        ),
      )
    }
  }

  async #appendWatermarks(): Promise<void> {
    const nowMs = this.#options.bus.nowMs()
    if (this.#driven() || nowMs < this.#watermarkDueMs) return
    this.#watermarkDueMs = nowMs + WATERMARK_INTERVAL_MS
    const lagRecords = await this.#lease.behind()
    this.#gauge.note(lagRecords)
    const caughtUp = lagRecords === 0
    if (!caughtUp && this.#lastAppendedAtMs === 0) return
    const watermark: Watermark = {
      source: this.#lease.partition,
      atMs: caughtUp ? null : this.#lastAppendedAtMs,
      delayMs: Math.max(WATERMARK_DELAY_MIN_MS, 2 * this.#commitMs),
    }
    this.#pending.push(...this.#router.flush())
    this.#pending.push(
      ...toEveryPartition(this.#options.topology, 'node-log', (topic, partition) =>
        logOutput(topic, partition, 'watermark', null, watermark),
      ),
    )
  }

  async #commit(outputs: readonly Output[], next: Offsets): Promise<void> {
    const { bus, events } = this.#options
    for (let attempt = 1; attempt <= COMMIT_TRIES_MAX; attempt++) {
      const beganAtMs = bus.nowMs()
      const outcome = await this.#lease.commit(outputs, next)
      this.#lastCommitMs = bus.nowMs()
      this.#commitMs = this.#lastCommitMs - beganAtMs
      events?.committed?.('ingest', outcome, outputs, this.#commitMs)
      if (outcome !== 'aborted') return
    }
    this.#lease.release()
  }
}

interface RankedRecord {
  readonly record: LogRecord
  readonly rank: number
}

function byRank(a: RankedRecord, b: RankedRecord): number {
  if (a.rank !== b.rank) return a.rank - b.rank
  if (a.record.topic !== b.record.topic) return a.record.topic < b.record.topic ? -1 : 1
  return a.record.offset - b.record.offset
}

const RANK_BEGINS = 0
const RANK_SAMPLES = 1
const RANK_OTHERS = 2
const RANK_ENDS = 3

function rankInStep(
  { topic, headers, value }: LogRecord,
  topics: { readonly telemetry: string; readonly events: string },
): number {
  if (topic === topics.telemetry) return RANK_SAMPLES
  if (topic !== topics.events) return RANK_OTHERS
  const text = headers['ce_type'] ?? (value === null ? '' : toText(value))
  return /leave|failure/.test(text) ? RANK_ENDS : RANK_BEGINS
}

/** `undefined` for anything that is not a clock record: it is ours to write, but the topic is public. */
function parseClock(record: LogRecord): ClockRecord | undefined {
  if (record.value === null) return undefined
  try {
    const body = JSON.parse(toText(record.value)) as ClockRecord
    const isStep = body.kind === 'step' && Number.isFinite(body.step) && Number.isFinite(body.atMs)
    return isStep && typeof body.until === 'object' && body.until !== null ? body : undefined
  } catch {
    return undefined
  }
}
