/**
 * Reads everything that is said in a simulated world and holds it against the promises. It is a consumer
 * like any other: it knows the public topics and the pool-log, and nothing of the service's inside.
 */
import { createHash } from 'node:crypto'
import type { Bus, LogRecord, Reader } from '../core/bus.ts'
import { toText } from '../core/bytes.ts'
import type { Command, JournalEntry } from '../core/command.ts'
import type { FaultKind } from '../core/fault.ts'
import type { IncidentId, NodeId, WorkloadId } from '../core/ids.ts'
import { partitionOf } from '../core/partition.ts'
import type { Policy } from '../core/policy.ts'
import { type TopicName, topicName, type Topology } from '../core/topics.ts'
import { groupName } from '../pipeline/role.ts'
import { Books } from './books.ts'
import { Promises } from './promises.ts'

export interface AuditorOptions {
  readonly bus: Bus
  readonly topology: Topology
  readonly policy: Policy
  readonly dependsOn: ReadonlyMap<WorkloadId, readonly WorkloadId[]>
  readonly broken: (what: string) => void
}

export interface Told {
  readonly atMs: number
  readonly kind: FaultKind
}

export interface IncidentStory {
  /** The one it is about, or those that share its cause. */
  readonly nodes: Set<NodeId>
  /** Its kind, as it was told, and when. */
  readonly kinds: Told[]
  readonly openedAtMs: number
  /** When it was opened, and each time it got graver or came back. */
  readonly turnsAtMs: number[]
  /** The first reason that was given. */
  readonly why: string
  closedAtMs: number | null
  /** Of what opened or closed it last, in the order of its coordinator. */
  turn: number
}

/** Incidents remembered after they were closed; the oldest are forgotten. */
const INCIDENTS_MAX = 200_000
/** Newest turns remembered of an incident. */
const TURNS_MAX = 16

export class Auditor {
  readonly incidents = new Map<IncidentId, IncidentStory>()
  /** Of nodes that made room for failed work: they tell of no fault. */
  readonly roomIncidents = new Set<IncidentId>()
  readonly counts = new Map<string, number>()
  /** Incidents with a plan that has begun and not ended. */
  readonly openPlans = new Set<IncidentId>()
  readonly #options: AuditorOptions
  readonly #books: readonly Books[]
  readonly #promises: readonly Promises[]
  readonly #hash = createHash('sha256')
  readonly #readers = new Map<TopicName, Reader>()
  /** Topic, partition and pool → the newest epoch of a command. */
  readonly #epochs = new Map<string, number>()
  /** Committed offsets as they were when the auditor last looked, and before that. */
  #due: readonly number[] = []

  constructor(options: AuditorOptions) {
    const { topology, policy, dependsOn, broken } = options
    this.#options = options
    const partitions = [...Array(topology.poolPartitions).keys()]
    this.#promises = partitions.map(
      () => new Promises({ policy, nodePartitions: topology.nodePartitions, dependsOn, broken }),
    )
    this.#books = this.#promises.map(
      (promises) => new Books((record, said) => promises.read(record, said), broken),
    )
  }

  async start(): Promise<void> {
    const { bus, topology } = this.#options
    const names = ['pool-log', 'journal', 'commands.migration', 'commands.recovery'] as const
    for (const name of names) {
      this.#readers.set(name, await bus.read({ topic: topicName(topology, name), from: 'start' }))
    }
  }

  /**
   * Takes all that can be read and judges what was committed when it was last called: what a reader
   * may still not see of a transaction, it sees by the next call.
   */
  async look(): Promise<void> {
    const { bus, topology } = this.#options
    const group = groupName(topology, 'coordinator')
    const committed = await bus.committed(group, topicName(topology, 'pool-log'))
    await this.#each('pool-log', (record) => this.#books[record.partition].addRecord(record))
    await this.#each('journal', (record) => this.#takeJournal(record))
    await this.#each('commands.migration', (record) => this.#takeCommand(record))
    await this.#each('commands.recovery', (record) => this.#takeCommand(record))
    for (const [partition, offset] of this.#due.entries()) this.#books[partition].settle(offset)
    this.#due = committed
  }

  /** Of the journal, as it was written: equal for equal runs. */
  journalHash(): string {
    return this.#hash.copy().digest('hex')
  }

  /** Commands that are not over. */
  get openCount(): number {
    return this.#promises.reduce((sum, { openCount }) => sum + openCount, 0)
  }

  /** Records whose coordinator has not committed an answer. */
  get unansweredCount(): number {
    return this.#books.reduce((sum, { waitingCount }) => sum + waitingCount, 0)
  }

  async #each(name: TopicName, take: (record: LogRecord) => void): Promise<void> {
    const reader = this.#readers.get(name)!
    for (;;) {
      const records = await reader.take(0)
      if (records.length === 0) return
      for (const record of records) take(record)
    }
  }

  #takeJournal(record: LogRecord): void {
    this.#hash.update(record.value!)
    const entry = JSON.parse(toText(record.value!)) as JournalEntry
    this.#count(entry.rail === null ? entry.kind : `refused by ${entry.rail}`)
    this.#books[Number(entry.entryId.split('.')[0])].addJournal(entry)
    const { incidentId, node, atMs } = entry
    if (incidentId === null) return
    if (entry.kind === 'plan') this.#takePlan(entry, incidentId)
    const known = this.incidents.get(incidentId)
    if (known !== undefined) {
      if (entry.faultKind !== undefined) known.kinds.push({ atMs, kind: entry.faultKind })
      if (entry.cause !== undefined && node !== null) known.nodes.add(node)
      // Partitions of the journal are read one by one, so its end may be read before its beginning.
      const turn = turnOf(entry)
      if (turn <= known.turn) return
      if (entry.kind === 'incident-closed') Object.assign(known, { closedAtMs: atMs, turn })
      else if (entry.kind === 'incident-opened') {
        // A cause that comes back is the incident of before.
        Object.assign(known, { closedAtMs: null, turn })
        known.turnsAtMs.push(atMs)
        if (known.turnsAtMs.length > TURNS_MAX) known.turnsAtMs.shift()
      }
      return
    }
    if (entry.kind !== 'incident-opened') return
    if (entry.evidence.some(({ what }) => what === 'roomFor')) {
      this.roomIncidents.add(incidentId)
      dropOldest(this.roomIncidents)
      return
    }
    const why = entry.reasons[0] ?? ''
    const nodes = new Set(node === null ? nodesIn(entry) : [node])
    const kinds = entry.faultKind === undefined ? [] : [{ atMs, kind: entry.faultKind }]
    const [turn, turnsAtMs] = [turnOf(entry), [atMs]]
    const story = { nodes, kinds, openedAtMs: atMs, turnsAtMs, why, closedAtMs: null, turn }
    this.incidents.set(incidentId, story)
    dropOldest(this.incidents)
  }

  #takePlan({ evidence }: JournalEntry, incidentId: IncidentId): void {
    const said = (name: string) => evidence.find(({ what }) => what === name)?.value
    if (said('plan') === 'begun') this.openPlans.add(incidentId)
    if (said('plan') !== 'ended') return
    this.openPlans.delete(incidentId)
    this.#count(`${said('strategy')} plans ${said('outcome')}`)
  }

  #takeCommand(record: LogRecord): void {
    const { topology, broken } = this.#options
    const pool = (JSON.parse(toText(record.value!)) as Command).pool
    const command = this.#books[partitionOf(pool, topology.poolPartitions)].addCommand(record)
    this.#count(`${command.action} commands`)
    const key = `${record.topic}/${record.partition}/${pool}`
    const newest = this.#epochs.get(key) ?? -1
    if (command.epoch < newest) {
      broken(`command ${command.commandId} of epoch ${command.epoch} came after epoch ${newest}`)
    }
    this.#epochs.set(key, Math.max(newest, command.epoch))
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }
}

/** Entries that one record of the pool-log gives rise to. */
const SERIALS_MAX = 1e6

/** Beyond `INCIDENTS_MAX`. */
function dropOldest(
  incidents: Pick<Map<IncidentId, unknown> | Set<IncidentId>, 'size' | 'keys' | 'delete'>,
): void {
  const oldest = incidents.keys().next().value
  if (incidents.size > INCIDENTS_MAX && oldest !== undefined) incidents.delete(oldest)
}

function turnOf({ entryId }: JournalEntry): number {
  const [, offset, serial] = entryId.split('.').map(Number)
  return offset * SERIALS_MAX + serial
}

/** Of an incident of several nodes, which its evidence names. */
function nodesIn({ evidence }: JournalEntry): readonly NodeId[] {
  const named = evidence.find(({ what }) => what === 'nodes')?.value ?? ''
  return String(named)
    .split(', ')
    .filter((name) => name !== '') as readonly string[] as readonly NodeId[]
}
