/**
 * What people see: read models folded from the output topics, so that the console holds no state of
 * its own and can be started, stopped or doubled at any time. Every model is bounded.
 */
import { AlertBook } from '../alerts/alert-book.ts'
import type { PublishedAlert } from '../core/alert.ts'
import type { LogRecord } from '../core/bus.ts'
import { toText } from '../core/bytes.ts'
import type { Command, JournalEntry, Result, ResultState } from '../core/command.ts'
import { jsonObjectOf } from '../core/json-object.ts'
import type { ClassModels } from '../core/model-life.ts'
import type { TopicName, Topology } from '../core/topics.ts'
import { AssignmentViews } from './assignments.ts'
import { BallotViews } from './ballots.ts'
import { ConditionViews } from './conditions.ts'
import { MaintenanceViews } from './maintenance.ts'
import { Ring } from './ring.ts'

/** As in topic `nodes`, which the coordinator writes. Unknown fields are kept and shown. */
export interface NodeView {
  readonly node: string
  readonly pool?: string
  readonly class?: string
  readonly liveness?: string
  readonly health?: number | null
  readonly probability?: number | null
  readonly [more: string]: unknown
}

/** As in topic `predictions` (ARCHITECTURE, public shapes). */
export interface PredictionView {
  readonly node: string
  readonly atMs?: number
  readonly probability?: number
  readonly provider?: string
  readonly [more: string]: unknown
}

/** A command and what its executor said of it so far. */
export interface CommandView extends Command {
  /** `sent` until the first result. */
  readonly state: ResultState | 'sent'
  readonly resultAtMs: number | null
  readonly detail: string | null
}

export type StreamKind = 'node' | 'prediction' | 'command' | 'decision' | 'alert'

export interface StreamEvent {
  readonly kind: StreamKind
  readonly body: object
}

export interface ViewLimits {
  readonly nodesMax: number
  readonly predictionsMax: number
  readonly commandsMax: number
  readonly decisionsMax: number
  readonly alertsMax: number
  readonly assignmentsMax: number
  readonly windowsMax: number
  readonly streamMax: number
}

export const VIEW_LIMITS: ViewLimits = {
  nodesMax: 200_000,
  predictionsMax: 20_000,
  commandsMax: 20_000,
  decisionsMax: 20_000,
  alertsMax: 2_000,
  assignmentsMax: 300_000,
  windowsMax: 10_000,
  streamMax: 5_000,
}

export interface ViewCounts {
  readonly nodes: number
  readonly predictions: number
  readonly commands: number
  readonly decisions: number
  readonly alerts: number
  readonly assignments: number
  /** Records that are no JSON object of their topic's shape; they are skipped. */
  readonly unreadable: number
  /** Nodes not shown because `nodesMax` is reached. */
  readonly nodesLeftOut: number
  /** Shards not shown because `assignmentsMax` is reached. */
  readonly assignmentsLeftOut: number
}

/** Topics whose records `fold` understands. */
export const VIEW_TOPICS = [
  'nodes',
  'predictions',
  'commands.migration',
  'commands.recovery',
  'journal',
  'alerts',
  'assignments',
  'models',
  'results',
] as const satisfies readonly TopicName[]

/** Results that came before their command, which is on another topic; the oldest is forgotten. */
const EARLY_RESULTS_MAX = 5_000

type Listener = (event: StreamEvent, sequence: number) => void

export class ConsoleViews {
  readonly predictions: Ring<PredictionView>
  readonly decisions: Ring<JournalEntry>
  readonly alerts: Ring<Readonly<Record<string, unknown>>>
  readonly stream: Ring<StreamEvent>
  readonly assignments: AssignmentViews
  readonly maintenance: MaintenanceViews
  readonly conditions = new ConditionViews()
  readonly ballots = new BallotViews()
  readonly alertBook = new AlertBook()
  /** By node class. */
  readonly models = new Map<string, ClassModels>()
  readonly #limits: ViewLimits
  readonly #prefix: string
  readonly #nodes = new Map<string, NodeView>()
  readonly #lastPredictions = new Map<string, PredictionView>()
  readonly #commands = new Map<string, CommandView>()
  readonly #earlyResults = new Map<string, Result>()
  readonly #listeners = new Set<Listener>()
  #nodeIds: readonly string[] | undefined
  #provider: string | null = null
  #predictionCount = 0
  #commandCount = 0
  #unreadable = 0
  #nodesLeftOut = 0
  #membersVersion = 0

  constructor(topology: Pick<Topology, 'prefix'>, limits: Partial<ViewLimits> = {}) {
    this.#limits = { ...VIEW_LIMITS, ...limits }
    this.#prefix = topology.prefix
    this.predictions = new Ring(this.#limits.predictionsMax)
    this.decisions = new Ring(this.#limits.decisionsMax)
    this.alerts = new Ring(this.#limits.alertsMax)
    this.stream = new Ring(this.#limits.streamMax)
    this.assignments = new AssignmentViews(this.#limits.assignmentsMax)
    this.maintenance = new MaintenanceViews(this.#limits.windowsMax)
  }

  /** Takes one record of `VIEW_TOPICS`. A record it cannot read is counted and skipped. */
  fold(record: LogRecord): void {
    const topic = record.topic.slice(this.#prefix.length)
    if (topic === 'nodes' && record.value === null) {
      if (record.key !== null) this.#dropNode(toText(record.key))
      return
    }
    if (topic === 'assignments' && record.value === null) {
      if (record.key !== null) this.assignments.drop(toText(record.key))
      return
    }
    const body = jsonObjectOf(record.value)
    if (body === undefined || !this.#take(topic, body)) this.#unreadable++
  }

  /** Sorted by id, so that a cursor stays valid while nodes come and go. */
  nodeIds(): readonly string[] {
    this.#nodeIds ??= [...this.#nodes.keys()].sort()
    return this.#nodeIds
  }

  /** Another number whenever a node has come, gone or changed its pool. */
  get membersVersion(): number {
    return this.#membersVersion
  }

  node(id: string): NodeView | undefined {
    return this.#nodes.get(id)
  }

  lastPrediction(id: string): PredictionView | undefined {
    return this.#lastPredictions.get(id)
  }

  command(id: string): CommandView | undefined {
    return this.#commands.get(id)
  }

  /** Newest first. */
  *commands(): Generator<CommandView> {
    const held = [...this.#commands.values()]
    for (let i = held.length - 1; i >= 0; i--) yield held[i]
  }

  /** Provider of the newest prediction; null before the first. */
  get provider(): string | null {
    return this.#provider
  }

  counts(): ViewCounts {
    return {
      nodes: this.#nodes.size,
      predictions: this.#predictionCount,
      commands: this.#commandCount,
      decisions: this.decisions.next,
      alerts: this.alerts.next,
      assignments: this.assignments.count,
      unreadable: this.#unreadable,
      nodesLeftOut: this.#nodesLeftOut,
      assignmentsLeftOut: this.assignments.leftOutCount,
    }
  }

  /** Calls `listener` for each event from now on; the answer ends it. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #take(topic: string, body: Readonly<Record<string, unknown>>): boolean {
    switch (topic) {
      case 'nodes':
        return typeof body.node === 'string' && this.#takeNode(body as NodeView)
      case 'predictions':
        return typeof body.node === 'string' && this.#takePrediction(body as PredictionView)
      case 'commands.migration':
      case 'commands.recovery':
        return typeof body.commandId === 'string' && this.#takeCommand(body as unknown as Command)
      case 'results':
        return typeof body.commandId === 'string' && this.#takeResult(body as unknown as Result)
      case 'journal':
        if (typeof body.kind !== 'string') return false
        this.decisions.push(body as unknown as JournalEntry)
        this.maintenance.take(body as unknown as JournalEntry)
        this.conditions.take(body as unknown as JournalEntry)
        this.ballots.take(body as unknown as JournalEntry)
        this.alertBook.takeJournal(body as unknown as JournalEntry)
        this.#publish('decision', body)
        return true
      case 'assignments':
        return this.assignments.take(body)
      case 'models':
        if (typeof body.nodeClass !== 'string') return false
        this.models.set(body.nodeClass, body as unknown as ClassModels)
        return true
      case 'alerts':
        if (typeof body.kind !== 'string' || typeof body.atMs !== 'number') return false
        this.alerts.push(body)
        this.alertBook.takeAlert(body as unknown as PublishedAlert)
        this.#publish('alert', body)
        return true
      default:
        return false
    }
  }

  #takeNode(node: NodeView): boolean {
    if (!this.#nodes.has(node.node)) {
      if (this.#nodes.size >= this.#limits.nodesMax) {
        this.#nodesLeftOut++
        return true
      }
      this.#nodeIds = undefined
    }
    const before = this.#nodes.get(node.node)
    if (before === undefined || before.pool !== node.pool) this.#membersVersion++
    this.#nodes.set(node.node, node)
    if (typeof node.atMs === 'number') this.alertBook.advance(node.atMs)
    this.#publish('node', node)
    return true
  }

  #dropNode(id: string): void {
    if (!this.#nodes.delete(id)) return
    this.#lastPredictions.delete(id)
    this.#nodeIds = undefined
    this.#membersVersion++
    this.#publish('node', { node: id, left: true })
  }

  #takePrediction(prediction: PredictionView): boolean {
    this.#predictionCount++
    this.predictions.push(prediction)
    const known = this.#lastPredictions.has(prediction.node)
    if (known || this.#lastPredictions.size < this.#limits.nodesMax) {
      this.#lastPredictions.set(prediction.node, prediction)
    }
    if (typeof prediction.provider === 'string') this.#provider = prediction.provider
    this.#publish('prediction', prediction)
    return true
  }

  #takeCommand(command: Command): boolean {
    const before = this.#commands.get(command.commandId)
    if (before !== undefined) return true
    this.#commandCount++
    this.#setCommand({ ...command, state: 'sent', resultAtMs: null, detail: null })
    if (this.#commands.size > this.#limits.commandsMax) dropOldest(this.#commands)
    const early = this.#earlyResults.get(command.commandId)
    if (early === undefined) return true
    this.#earlyResults.delete(command.commandId)
    return this.#takeResult(early)
  }

  #takeResult(result: Result): boolean {
    const command = this.#commands.get(result.commandId)
    if (command === undefined) {
      this.#earlyResults.set(result.commandId, result)
      if (this.#earlyResults.size > EARLY_RESULTS_MAX) dropOldest(this.#earlyResults)
      return true
    }
    this.#setCommand({
      ...command,
      state: result.state,
      resultAtMs: result.atMs,
      detail: result.detail,
    })
    return true
  }

  #setCommand(command: CommandView): void {
    this.#commands.set(command.commandId, command)
    this.#publish('command', command)
  }

  #publish(kind: StreamKind, body: object): void {
    const { sequence, item } = this.stream.push({ kind, body })
    for (const listener of this.#listeners) listener(item, sequence)
  }
}

function dropOldest(map: Map<string, unknown>): void {
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}
