/** Reads what a report needs from the topics of a deployment, one after the other, and holds sums of it. */
import type { Config } from '../config/config.ts'
import { policyFor } from '../config/config.ts'
import type { Bus, LogRecord } from '../core/bus.ts'
import { toText } from '../core/bytes.ts'
import type { Command, JournalEntry } from '../core/command.ts'
import { ServiceError } from '../core/errors.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import type { ClockRecord } from '../core/log.ts'
import type { NodeClass } from '../core/node.ts'
import type { Mode } from '../core/policy.ts'
import { type TopicName, topicName } from '../core/topics.ts'
import { decodeControl } from '../ingest/controls.ts'
import { decodeNodeEvent } from '../ingest/events.ts'
import { decodeResult } from '../ingest/results.ts'
import { Deeds } from '../store/report/deeds.ts'
import { NodeLives, type Window } from '../store/report/node-lives.ts'
import { Outages } from '../store/report/outages.ts'
import type { ReportFacts } from '../store/report/report.ts'
import type { Costs } from '../core/policy.ts'
import { ThresholdRule } from '../store/report/threshold-rule.ts'
import { readPoolLog } from './pool-log-records.ts'
import { readTopic } from './topic-records.ts'

export interface FactsOptions {
  readonly bus: Bus
  readonly config: Config
  readonly nodeClasses: ReadonlyMap<string, NodeClass>
  /** Whose end is the present: under a driven clock that of its last step, else this. */
  readonly nowMs: number
  readonly lengthMs: number
  /** Null: all. */
  readonly pool: PoolId | null
  /** For pools whose policy names none; null: their costs are not told. */
  readonly costs: Costs | null
  readonly signal: AbortSignal
  readonly onProgress: (topic: TopicName, records: number) => void
}

export interface ReadFacts extends ReportFacts {
  /** Oldest time in the journal within the window; null where it has nothing of it. */
  readonly journalFromMs: number | null
}

/** As in topic `predictions`. */
interface Prediction {
  readonly node: NodeId
  readonly pool: PoolId
  readonly atMs: number
  readonly probability: number
  readonly horizonMs: number
}

/** ServiceError TOPIC_MISSING before the first start, INTERRUPTED, INPUT_INVALID where it is too much. */
export async function readFacts(options: FactsOptions): Promise<ReadFacts> {
  const reading = new Reading(options)
  await reading.checkTopics()
  return reading.facts(await reading.window())
}

class Reading {
  readonly #options: FactsOptions
  readonly #lives = new NodeLives()
  readonly #rule = new ThresholdRule()
  readonly #deeds = new Deeds()
  readonly #outages = new Outages()
  readonly #horizonsMs = new Map<PoolId, number>()
  readonly #modes = new Map<PoolId | null, Mode>()
  #journalFromMs: number | null = null

  constructor(options: FactsOptions) {
    this.#options = options
  }

  async checkTopics(): Promise<void> {
    const { bus, config } = this.#options
    const topic = topicName(config.topology, 'journal')
    if ((await bus.describe([topic])).has(topic)) return
    const mend = 'start the service once, or run foreshock topics create'
    throw new ServiceError('TOPIC_MISSING', `report: there is no topic ${topic}: ${mend}`)
  }

  async window(): Promise<Window> {
    const { config, lengthMs } = this.#options
    let toMs = this.#options.nowMs
    if (config.topology.clock === 'driven') {
      toMs = 0
      await this.#each('clock', ({ value }) => {
        const clock = JSON.parse(toText(value!)) as ClockRecord
        if (clock.kind === 'step') toMs = Math.max(toMs, clock.atMs)
      })
    }
    return { fromMs: toMs - lengthMs, toMs }
  }

  async facts(window: Window): Promise<ReadFacts> {
    await this.#each('controls', ({ value }) => this.#takeControl(value!))
    await this.#each('events', (record) => this.#takeEvent(record))
    await this.#each('nodes', ({ value }) => {
      const { node, pool, lastSeenAtMs } = parsed<{
        node: NodeId
        pool: PoolId
        lastSeenAtMs: number
      }>(value!)
      if (lastSeenAtMs >= window.fromMs) this.#lives.see(node, pool, lastSeenAtMs)
    })
    await this.#each('predictions', (record) => this.#takePrediction(record, window))
    for (const name of ['commands.migration', 'commands.recovery'] as const) {
      await this.#each(name, ({ value }) => {
        const command = parsed<Command>(value!)
        if (this.#isWanted(command.pool)) this.#deeds.takeCommand(command)
      })
    }
    await this.#each('results', ({ value }) => {
      const result = decodeResult(value!)
      if (result.ok) this.#deeds.takeResult(result.value)
    })
    await this.#each('journal', ({ value }) => this.#takeJournal(parsed(value!), window))
    await this.#readPlacements()
    return this.#factsOf(window)
  }

  #factsOf(window: Window): ReadFacts {
    const { config, costs } = this.#options
    const lives = this.#lives.lives(window)
    const wanted = {
      ...lives,
      exposure: new Map([...lives.exposure].filter(([pool]) => this.#isWanted(pool))),
      failures: new Map(
        [...lives.failures].map(([node, failures]) => {
          return [node, failures.filter(({ pool }) => this.#isWanted(pool))] as const
        }),
      ),
    }
    return {
      window,
      lives: wanted,
      deeds: [...this.#deeds.all()],
      refusals: this.#deeds.refusals,
      ruleAlarms: [...this.#rule.alarms()],
      outages: this.#outages.byFailure(wanted.failures),
      horizonsMs: this.#horizonsMs,
      policyOf: (pool) => {
        const { mode, actingPoint } = policyFor(config, pool)
        const { action, failure } = actingPoint.kind === 'cost' ? actingPoint : (costs ?? {})
        return {
          mode: this.#modes.get(pool) ?? mode,
          costs: action === undefined || failure === undefined ? null : { action, failure },
        }
      },
      journalFromMs: this.#journalFromMs,
    }
  }

  #takeControl(value: Uint8Array): void {
    const control = decodeControl(value)
    if (!control.ok || control.value.kind !== 'mode') return
    const { pool, mode } = control.value
    if (pool === null) for (const known of this.#modes.keys()) this.#modes.set(known, mode)
    this.#modes.set(pool, mode)
  }

  #takeEvent({ value, headers, appendedAtMs }: LogRecord): void {
    const { config, nodeClasses } = this.#options
    const event = decodeNodeEvent(value!, {
      nodeClasses,
      defaultClass: config.ingest.defaultClass,
      nowMs: Infinity,
      appendedAtMs,
      headers,
    })
    if (event.ok) this.#lives.take(event.value)
  }

  #takePrediction({ value }: LogRecord, window: Window): void {
    const { node, pool, atMs, probability, horizonMs } = parsed<Prediction>(value!)
    if (!this.#isWanted(pool) || atMs < window.fromMs || atMs > window.toMs) return
    this.#lives.see(node, pool, atMs)
    this.#horizonsMs.set(pool, Math.max(horizonMs, this.#horizonsMs.get(pool) ?? 0))
    this.#rule.take(node, pool, atMs, probability)
  }

  #takeJournal(entry: JournalEntry, { fromMs, toMs }: Window): void {
    if (!this.#isWanted(entry.pool)) return
    const { atMs } = entry
    if (atMs >= fromMs && atMs <= toMs) {
      this.#journalFromMs = Math.min(atMs, this.#journalFromMs ?? atMs)
      this.#deeds.takeJournal(entry)
    } else if (entry.kind !== 'refusal') this.#deeds.takeJournal(entry)
  }

  async #readPlacements(): Promise<void> {
    const { bus, config, signal, onProgress } = this.#options
    let count = 0
    await readPoolLog(
      bus,
      config.topology,
      (told, atMs) => {
        if (told.kind !== 'placement' || !this.#isWanted(told.placement.pool)) return
        this.#outages.take(told.placement.workload, told.placement.node, atMs)
      },
      () => onProgress('pool-log', ++count),
      signal,
    )
    this.#checkSignal()
  }

  #isWanted(pool: PoolId): boolean {
    return this.#options.pool === null || this.#options.pool === pool
  }

  /** Records with a value. */
  async #each(name: TopicName, take: (record: LogRecord) => void): Promise<void> {
    const { bus, config, signal, onProgress } = this.#options
    let count = 0
    const onRecord = (record: LogRecord) => {
      onProgress(name, ++count)
      if (record.value !== null) take(record)
    }
    await readTopic(bus, topicName(config.topology, name), onRecord, signal)
    this.#checkSignal()
  }

  #checkSignal(): void {
    if (!this.#options.signal.aborted) return
    throw new ServiceError('INTERRUPTED', 'report was interrupted')
  }
}

/** Of a topic that only the service writes. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the topic says which body it is
function parsed<Body>(value: Uint8Array): Body {
  return JSON.parse(toText(value)) as Body
}
