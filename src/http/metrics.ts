/**
 * What Prometheus scrapes. Two sources: the output topics, folded like the views are, and figures
 * that the running roles hold, read at the moment of the scrape.
 *
 * Counters over topics count what is in the log since its start (the console reads it from there),
 * so they go on, and do not start from zero, when the console is restarted.
 * `fault_tolerance_checkpoints_total` and `fault_tolerance_checkpoint_duration_seconds` are reserved
 * for checkpoints of state, and appear with them.
 */
import { Histogram, Registry } from 'prom-client'
import type { LogRecord } from '../core/bus.ts'
import { toText } from '../core/bytes.ts'
import { FINAL_STATES } from '../core/command.ts'
import type { Command, JournalEntry, Result } from '../core/command.ts'
import type { ClassModels } from '../core/model-life.ts'
import type { TopicName, Topology } from '../core/topics.ts'
import { HealthMetrics, type HealthSources } from './health-metrics.ts'
import { counterOf, gaugeOf } from './instruments.ts'
import { ModelMetrics } from './model-metrics.ts'
import { LiveMetrics, type LiveSources } from './live-metrics.ts'
import { PlanMetrics } from './plan-metrics.ts'

export interface MetricsSources extends LiveSources, HealthSources {
  readonly topology: Pick<Topology, 'prefix'>
}

/** Topics whose records `fold` understands. */
export const METRIC_TOPICS = [
  'predictions',
  'commands.migration',
  'commands.recovery',
  'results',
  'journal',
  'models',
  'dead-letter',
] as const satisfies readonly TopicName[]

/** Commands whose end has not been seen; beyond it the oldest is forgotten. */
const OPEN_COMMANDS_MAX = 50_000
const REASONS_MAX = 64
/** Commands after which a workload runs elsewhere. */
const MOVES: ReadonlySet<string> = new Set(['migrate', 'recover', 'promote'])
const DURATION_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800]
const COMMIT_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5]

interface OpenCommand {
  readonly action: string
  readonly sentAtMs: number
}

export class Metrics {
  readonly registry = new Registry()
  readonly #sources: MetricsSources
  readonly #open = new Map<string, OpenCommand>()
  readonly #early = new Map<string, Result>()
  readonly #reasons = new Set<string>()
  #foreseenCount = 0
  #outcomeCount = 0

  readonly #predictions = this.#counter('foreshock_predictions_total', 'Predictions published')
  readonly #commands = this.#counter('foreshock_commands_total', 'Commands sent', 'action')
  readonly #results = this.#counter('foreshock_results_total', 'Results of executors', 'state')
  readonly #refusals = this.#counter('foreshock_refusals_total', 'Refused decisions', 'rail')
  readonly #choices = this.#counter(
    'foreshock_choices_total',
    'Strategies chosen, and whether to try them out',
    'strategy',
    'exploring',
  )
  readonly #deadLetters = this.#counter(
    'foreshock_dead_letters_total',
    'Input records that could not be used',
    'reason',
  )
  readonly #transactions = this.#counter(
    'foreshock_transactions_total',
    'Transactions by outcome',
    'role',
    'outcome',
  )
  readonly #pages = this.#counter(
    'foreshock_page_deliveries_total',
    'Tries to deliver a page',
    'receiver',
    'outcome',
  )
  readonly #failures = this.#counter(
    'fault_tolerance_failures_detected_total',
    'Incidents opened: nodes that fell silent or were predicted to fail',
  )
  readonly #recoveries = this.#counter(
    'fault_tolerance_recoveries_total',
    'Workloads recovered or moved, verified by their executor',
    'action',
  )
  readonly #accuracy = gaugeOf(
    this.registry,
    'fault_tolerance_prediction_accuracy',
    'Share of confirmed node failures that were foreseen; absent before the first',
  )
  readonly #recoverySeconds = new Histogram({
    name: 'fault_tolerance_recovery_duration_seconds',
    help: 'From the command to its verified result',
    labelNames: ['action'],
    buckets: DURATION_BUCKETS,
    registers: [this.registry],
  })
  readonly #commitSeconds = new Histogram({
    name: 'foreshock_transaction_duration_seconds',
    help: 'Duration of transactions',
    labelNames: ['role'],
    buckets: COMMIT_BUCKETS,
    registers: [this.registry],
  })
  readonly #models = new ModelMetrics(this.registry)
  readonly #plans = new PlanMetrics(this.registry)
  readonly #live: LiveMetrics
  readonly #health: HealthMetrics

  constructor(sources: MetricsSources) {
    this.#sources = sources
    this.#live = new LiveMetrics(this.registry, sources.topology.prefix, sources)
    this.#health = new HealthMetrics(this.registry, sources)
  }

  /** Takes one record of `METRIC_TOPICS`; what it cannot read it leaves to the views to count. */
  fold(record: LogRecord): void {
    const topic = record.topic.slice(this.#sources.topology.prefix.length)
    if (topic === 'dead-letter') {
      this.#deadLetters.inc({ reason: this.#reason(record.headers['reason']) })
      return
    }
    const body = parse(record.value)
    if (body === undefined) return
    if (topic === 'predictions') this.#predictions.inc()
    else if (topic === 'results') this.#foldResult(body as Result)
    else if (topic === 'models') this.#models.take(body as ClassModels)
    else if (topic === 'journal') this.#foldJournal(body as JournalEntry)
    else if (topic.startsWith('commands.')) {
      this.#foldCommand(body as Command, sentAtMs(record))
    }
  }

  transaction(role: string, outcome: string, elapsedMs: number): void {
    this.#transactions.inc({ role, outcome })
    this.#commitSeconds.observe({ role }, elapsedMs / 1_000)
  }

  /** A try to deliver a page: `delivered` or `failed`. */
  pageTried(receiver: string, outcome: string): void {
    this.#pages.inc({ receiver, outcome })
  }

  get contentType(): string {
    return this.registry.contentType
  }

  /** In Prometheus' text format. */
  async text(): Promise<string> {
    this.#live.read()
    this.#health.read()
    return this.registry.metrics()
  }

  #foldCommand(command: Command, sentAtMs: number): void {
    const { commandId, action } = command
    this.#commands.inc({ action })
    const early = this.#early.get(commandId)
    this.#early.delete(commandId)
    if (early === undefined) put(this.#open, commandId, { action, sentAtMs })
    else this.#end({ action, sentAtMs }, early)
  }

  #foldResult(result: Result): void {
    this.#results.inc({ state: result.state })
    if (!FINAL_STATES.includes(result.state)) return
    const command = this.#open.get(result.commandId)
    this.#open.delete(result.commandId)
    // Commands and results come over different topics, so a result may be read first.
    if (command === undefined) put(this.#early, result.commandId, result)
    else this.#end(command, result)
  }

  #end({ action, sentAtMs }: OpenCommand, { state, atMs }: Result): void {
    if (state !== 'verified' || !MOVES.has(action)) return
    this.#recoveries.inc({ action })
    this.#recoverySeconds.observe({ action }, Math.max(0, atMs - sentAtMs) / 1_000)
  }

  #foldJournal(entry: JournalEntry): void {
    if (entry.kind === 'incident-opened') this.#failures.inc()
    else if (entry.kind === 'refusal') this.#refusals.inc({ rail: entry.rail ?? 'none' })
    else if (entry.kind === 'choice') this.#foldChoice(entry)
    else if (entry.kind === 'plan') this.#plans.take(entry)
    else if (entry.kind === 'outcome') this.#foldOutcome(entry)
  }

  #foldChoice({ evidence }: JournalEntry): void {
    const said = (name: string) => String(evidence.find(({ what }) => what === name)?.value)
    this.#choices.inc({ strategy: said('strategy'), exploring: said('exploring') })
  }

  #foldOutcome(entry: JournalEntry): void {
    const outcome = entry.evidence.find(({ what }) => what === 'outcome')?.value
    if (outcome !== 'foreseen' && outcome !== 'missed') return
    this.#outcomeCount++
    if (outcome === 'foreseen') this.#foreseenCount++
    this.#accuracy.set(this.#foreseenCount / this.#outcomeCount)
  }

  /** Reasons come from records of others, so their number is bounded. */
  #reason(reason = 'unknown'): string {
    if (this.#reasons.size < REASONS_MAX) this.#reasons.add(reason)
    return this.#reasons.has(reason) ? reason : 'other'
  }

  #counter<Label extends string>(name: string, help: string, ...labels: Label[]) {
    return counterOf(this.registry, name, help, ...labels)
  }
}

function put<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.set(key, value)
  if (map.size <= OPEN_COMMANDS_MAX) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}

/** The command's own time where it says one: under a driven clock append time is another clock. */
function sentAtMs({ headers, appendedAtMs }: LogRecord): number {
  const atMs = Date.parse(headers['ce_time'] ?? '')
  return Number.isNaN(atMs) ? appendedAtMs : atMs
}

function parse(value: Uint8Array | null): object | undefined {
  if (value === null) return undefined
  try {
    const body: unknown = JSON.parse(toText(value))
    return typeof body === 'object' && body !== null ? body : undefined
  } catch {
    // Not JSON: the views count it.
    return undefined
  }
}
