/**
 * The promises of a coordinator, held against the books of its partition. Nothing here asks the
 * coordinator: what is known of nodes, operators and commands comes from the records alone, and where
 * they leave a doubt the promise is taken as kept.
 */
import type { Assessment, AssessmentRecord } from '../core/assessment.ts'
import type { LogRecord } from '../core/bus.ts'
import type { Command, JournalEntry, Result } from '../core/command.ts'
import type { EvidenceRecord } from '../core/evidence.ts'
import type { CommandId, NodeId, PoolId, WorkloadId } from '../core/ids.ts'
import { kindOf, logBody } from '../core/log.ts'
import type { NodeEvent } from '../core/node.ts'
import { partitionOf } from '../core/partition.ts'
import type { Control, Policy } from '../core/policy.ts'
import { budgetNodesMax, isSharedCause, type Lane, laneOf } from '../decide/admission.ts'
import type { Said } from './books.ts'
import { FailingBooks } from './failing-books.ts'
import { QuorumBooks } from './quorum-books.ts'
import { RoomBooks } from './room-books.ts'

interface Known {
  readonly id: NodeId
  pool: PoolId
  zone: string | null
  failed: boolean
  /** Words of the model in a row, the newest too, at or over the acting point. */
  overCount: number
  maintenanceUntilMs: number
}

interface Open {
  readonly command: Command
  readonly lane: Lane
  readonly sentAtMs: number
}

interface Attempts {
  readonly count: number
  readonly lastAtMs: number
}

interface PoolBooks {
  mode: Policy['mode']
  stopped: boolean
  readonly open: Map<CommandId, Open>
  /** Nodes that were cordoned before a failure, and not let back or fenced since. */
  readonly cordoned: Set<NodeId>
}

export interface PromiseOptions {
  readonly policy: Policy
  readonly nodePartitions: number
  readonly dependsOn: ReadonlyMap<WorkloadId, readonly WorkloadId[]>
  readonly broken: (what: string) => void
}

/** Newest attempts remembered of each step; the oldest are forgotten. */
const STEPS_MAX = 50_000

export class Promises {
  commandCount = 0
  readonly #options: PromiseOptions
  readonly #nodes = new Map<NodeId, Known>()
  readonly #pools = new Map<PoolId, PoolBooks>()
  readonly #vetoed = new Set<NodeId>()
  readonly #late = new Set<number>()
  readonly #failing = new FailingBooks()
  readonly #quorum = new QuorumBooks()
  readonly #room = new RoomBooks()
  /** Incident and shield → when it was first sent: nothing of its plan was free to go before. */
  readonly #shieldedAtMs = new Map<string, number>()
  /** Incident and step → commands that were sent and not taken back in time, since the last rest. */
  readonly #attempts = new Map<string, Attempts>()
  readonly #withdrawn = new Set<CommandId>()
  /** Node → its newest preemptive command that was begun. */
  readonly #acted = new Map<NodeId, { readonly incident: string; readonly atMs: number }>()
  #mode: Policy['mode']
  #stopped = false
  #epoch = -1
  #nowMs = 0

  constructor(options: PromiseOptions) {
    this.#options = options
    this.#mode = options.policy.mode
  }

  read(record: LogRecord, said: readonly Said[]): void {
    this.#nowMs = Math.max(this.#nowMs, record.appendedAtMs)
    this.#learn(record)
    const explained = new Set<CommandId>()
    for (const { kind, ...rest } of said) {
      if (kind !== 'journal' || !('entry' in rest)) continue
      const { entry } = rest
      if (entry.kind === 'decision' && entry.commandId !== null && entry.reasons.length > 0) {
        explained.add(entry.commandId)
      }
    }
    for (const one of said) {
      if (one.kind === 'journal') this.#takeJournal(one.entry)
      else this.#judge(one.command, explained)
    }
  }

  get openCount(): number {
    return [...this.#pools.values()].reduce((sum, { open }) => sum + open.size, 0)
  }

  #learn(record: LogRecord): void {
    switch (kindOf(record)) {
      case 'claim':
        this.#epoch = record.offset
        return
      case 'assessment':
        return this.#takeAssessments(logBody<AssessmentRecord>(record))
      case 'evidence':
        return this.#failing.hear(logBody<EvidenceRecord>(record).node, this.#nowMs)
      case 'node-fact':
        return this.#takeFact(logBody<NodeEvent>(record))
      case 'control':
        return this.#takeControl(logBody<Control>(record))
      case 'result':
        return this.#takeResult(logBody<Result>(record))
      case undefined:
      default:
        return
    }
  }

  #takeAssessments({ source, late, rows }: AssessmentRecord): void {
    if (late) this.#late.add(source)
    else this.#late.delete(source)
    for (const row of rows) {
      this.#failing.assess(row, late)
      this.#assess(row)
    }
  }

  #assess({ node: id, probability, trigger }: Assessment): void {
    const node = this.#nodes.get(id)
    if (node === undefined || probability === null || trigger === 'liveness') return
    const { actingPoint } = this.#options.policy
    const point = actingPoint.kind === 'threshold' ? actingPoint.probability : 1
    node.overCount = probability >= point ? node.overCount + 1 : 0
  }

  #takeFact(event: NodeEvent): void {
    this.#failing.takeFact(event, this.#nowMs)
    const known = this.#nodes.get(event.node)
    if (event.kind === 'join') {
      this.#nodes.set(event.node, {
        id: event.node,
        pool: event.pool,
        zone: event.place.zone,
        failed: false,
        overCount: 0,
        maintenanceUntilMs: known?.maintenanceUntilMs ?? 0,
      })
    } else if (known === undefined) return
    else if (event.kind === 'failure') Object.assign(known, { failed: true, overCount: 0 })
    else if (event.kind === 'maintenance') known.maintenanceUntilMs = event.untilMs
    else if (event.kind === 'leave') {
      this.#nodes.delete(event.node)
      this.#quorum.left(event.node)
    }
  }

  #takeControl(control: Control): void {
    const pools = control.pool === null ? [...this.#pools.values()] : [this.#pool(control.pool)]
    switch (control.kind) {
      case 'veto':
        if (control.veto) this.#vetoed.add(control.node)
        else this.#vetoed.delete(control.node)
        return
      case 'mode':
        if (control.pool === null) this.#mode = control.mode
        for (const pool of pools) pool.mode = control.mode
        return
      case 'stop':
        if (control.pool === null) this.#stopped = control.stopped
        for (const pool of pools) pool.stopped = control.stopped
        return
      case 'approval':
      case 'emergency':
      case 'model':
      case 'silence':
      case 'acknowledge':
      // None of them forbids anything.
      case 'maintenance':
      // No operator of this world announces windows; nodes say it of themselves.
      case 'config':
      // Nor does one change settings.
    }
  }

  #takeResult({ commandId, pool: id, state }: Result): void {
    const pool = this.#pool(id)
    const open = pool.open.get(commandId)
    if (open === undefined) return
    const { command, sentAtMs } = open
    const { action, incidentId: incident, node } = command
    const begun = state !== 'accepted' && state !== 'rejected' && state !== 'failed'
    if (begun && laneOf(action) === 'preemptive' && !this.#room.makesRoom(incident)) {
      const beforeMs = this.#acted.get(node)?.atMs ?? 0
      this.#acted.set(node, { incident, atMs: Math.max(beforeMs, sentAtMs) })
    }
    const failed = state === 'failed' || state === 'rejected'
    if (failed) this.#quorum.undone(id, commandId)
    if (failed && this.#withdrawn.delete(commandId)) this.#countAttempt(command, -1)
    const over = state === 'succeeded' || state === 'verified'
    const done = over && ['fence', 'cordon', 'uncordon'].includes(action)
    if (done && action === 'cordon') pool.cordoned.add(node)
    else if (done) for (const { cordoned } of this.#pools.values()) cordoned.delete(node)
    if (failed || done || state === 'verified') pool.open.delete(commandId)
  }

  /** A command whose time was up is over when its coordinator says so. */
  #takeJournal(entry: JournalEntry): void {
    const { kind, commandId, pool, reasons } = entry
    this.#quorum.takeJournal(entry, this.#options.policy.votes, this.#nowMs)
    this.#room.takeJournal(entry)
    if (kind !== 'result' || commandId === null) return
    if (reasons.some((reason) => reason.includes(' expired: '))) {
      this.#pool(pool).open.delete(commandId)
    }
  }

  #judge(command: Command, explained: ReadonlySet<CommandId>): void {
    this.commandCount++
    const { commandId, action, epoch, expiresAtMs } = command
    const lane = laneOf(action)
    const pool = this.#pool(command.pool)
    if (!explained.has(commandId)) this.#object(command, 'is not explained in the journal')
    if (epoch !== this.#epoch) {
      this.#object(command, `is of epoch ${epoch}, and ${this.#epoch} has claimed: a minority acts`)
    }
    if (expiresAtMs <= this.#nowMs) this.#object(command, 'was stale when it was sent')
    if (action === 'cancel') return this.#takeCancel(command, pool)
    const unwatched = this.#room.judge(command, this.#options.policy, this.#nowMs)
    if (unwatched !== null) this.#object(command, unwatched)
    if (lane !== 'release') {
      this.#judgeOperators(command, pool)
      this.#judgeNode(command)
      const forbidden = this.#quorum.forbids(command, this.#options.policy.votes, this.#nowMs)
      if (forbidden !== null) this.#object(command, forbidden)
      this.#judgeBudget(command, pool, lane)
      this.#noteShield(command)
      this.#judgeMove(command, pool)
      this.#countAttempt(command, 1)
    }
    pool.open.set(commandId, { command, lane, sentAtMs: this.#nowMs })
  }

  #takeCancel({ incidentId, workload }: Command, { open }: PoolBooks): void {
    for (const { command } of open.values()) {
      if (command.incidentId === incidentId && command.workload === workload) {
        this.#withdrawn.add(command.commandId)
        this.#quorum.undone(command.pool, command.commandId)
      }
    }
  }

  #judgeOperators(command: Command, pool: PoolBooks): void {
    if (pool.stopped) this.#object(command, 'was sent after a stop')
    if (pool.mode !== 'enforce') this.#object(command, `was sent in mode ${pool.mode}`)
    if (this.#vetoed.has(command.node)) this.#object(command, 'was sent after a veto')
  }

  #judgeNode(command: Command): void {
    const node = this.#nodes.get(command.node)
    if (node === undefined) return this.#object(command, 'is for a node that never joined')
    const { policy, nodePartitions } = this.#options
    if (this.#nowMs < node.maintenanceUntilMs) this.#object(command, 'is for a node in maintenance')
    const isLate = (id: NodeId) => this.#late.has(partitionOf(id, nodePartitions))
    if (!node.failed && isLate(node.id)) {
      this.#object(command, 'is for a node that its watcher has lost sight of')
    }
    if (laneOf(command.action) !== 'preemptive') return
    const failing = this.#failing.forbids(command, policy.emergency, isLate, this.#nowMs)
    if (failing !== null) this.#object(command, failing)
    const acted = this.#acted.get(node.id)
    const other = acted !== undefined && acted.incident !== command.incidentId
    if (other && this.#nowMs - acted.atMs < policy.cooldownMs) {
      this.#object(command, 'is for a node in its cooldown')
    }
    if (node.zone !== null && isSharedCause(policy, this.#zone(node.pool, node.zone))) {
      this.#object(command, `is preemptive work in zone ${node.zone}, which alarms as a whole`)
    }
  }

  #zone(pool: PoolId, name: string) {
    const { persistenceCount } = this.#options.policy
    let [nodeCount, failedCount, alarmingCount] = [0, 0, 0]
    for (const node of this.#nodes.values()) {
      if (node.pool !== pool || node.zone !== name) continue
      nodeCount++
      if (node.failed) failedCount++
      else if (node.overCount >= Math.max(1, persistenceCount)) alarmingCount++
    }
    // Nodes that have failed make a zone smaller, and may make it too small to have one cause.
    const isSmall = nodeCount - failedCount < this.#options.policy.sharedCauseNodesMin
    return { name, nodeCount, alarmingCount: isSmall ? 0 : alarmingCount }
  }

  #judgeBudget(command: Command, { open, cordoned }: PoolBooks, lane: Lane): void {
    const busy = new Set<NodeId>(lane === 'preemptive' ? cordoned : [])
    for (const other of open.values()) if (other.lane === lane) busy.add(other.command.node)
    if (busy.has(command.node)) return
    let nodeCount = 0
    for (const { pool } of this.#nodes.values()) if (pool === command.pool) nodeCount++
    const max = budgetNodesMax(this.#options.policy, nodeCount)
    if (busy.size >= max) this.#object(command, `is beyond the ${lane} budget of ${max} nodes`)
  }

  #noteShield({ action, incidentId }: Command): void {
    const key = `${incidentId}/${action}`
    if ((action !== 'cordon' && action !== 'fence') || this.#shieldedAtMs.has(key)) return
    this.#shieldedAtMs.set(key, this.#nowMs)
    const [oldest] = this.#shieldedAtMs.keys()
    if (this.#shieldedAtMs.size > STEPS_MAX) this.#shieldedAtMs.delete(oldest)
  }

  #judgeMove(command: Command, { open }: PoolBooks): void {
    const { workload, target, stepId, incidentId } = command
    for (const other of open.values()) {
      const same =
        workload === null
          ? other.command.stepId === stepId && other.command.incidentId === incidentId
          : other.command.workload === workload
      if (same) this.#object(command, `repeats ${other.command.commandId}, which is not over`)
    }
    if (workload === null) return
    this.#judgeOrder(command, open)
    if (target === null) this.#object(command, 'has nowhere to go')
    else if (this.#vetoed.has(target)) this.#object(command, `goes to node ${target}, vetoed`)
  }

  /** What a workload depends on is over before it is started, or has had its time. */
  #judgeOrder(command: Command, open: PoolBooks['open']): void {
    const { attemptsMax, commandTtlMs } = this.#options.policy
    const { incidentId } = command
    const shield = shieldOf(command)
    const sinceMs = this.#nowMs - (this.#shieldedAtMs.get(`${incidentId}/${shield}`) ?? 0)
    if (sinceMs >= attemptsMax * commandTtlMs) return
    const dependsOn = this.#options.dependsOn.get(command.workload!) ?? []
    for (const { command: other } of open.values()) {
      if (other.workload === null || shieldOf(other) !== shield) continue
      if (other.incidentId === incidentId && dependsOn.includes(other.workload)) {
        this.#object(command, `is sent while ${other.workload}, which it depends on, is under way`)
      }
    }
  }

  #countAttempt(command: Command, by: 1 | -1): void {
    const { attemptsMax, cooldownMs } = this.#options.policy
    const key = `${command.incidentId}/${command.stepId}`
    const before = this.#attempts.get(key) ?? { count: 0, lastAtMs: this.#nowMs }
    // Recovery goes on after a rest.
    const isRested =
      this.#nowMs - before.lastAtMs >= cooldownMs && laneOf(command.action) === 'recovery'
    const count = by === 1 && before.count >= attemptsMax && isRested ? 1 : before.count + by
    this.#attempts.set(key, { count, lastAtMs: by === 1 ? this.#nowMs : before.lastAtMs })
    if (this.#attempts.size > STEPS_MAX) {
      const oldest = this.#attempts.keys().next().value
      if (oldest !== undefined) this.#attempts.delete(oldest)
    }
    if (count > attemptsMax) this.#object(command, `is attempt ${count} of ${attemptsMax}`)
  }

  #pool(id: PoolId): PoolBooks {
    let pool = this.#pools.get(id)
    if (pool === undefined) {
      pool = { mode: this.#mode, stopped: this.#stopped, open: new Map(), cordoned: new Set() }
      this.#pools.set(id, pool)
    }
    return pool
  }

  #object({ commandId, action, node }: Command, what: string): void {
    this.#options.broken(`command ${commandId} (${action} ${node}) ${what}`)
  }
}

/** The step that comes before the moves of the same plan. */
function shieldOf({ action }: Command): 'cordon' | 'fence' {
  return laneOf(action) === 'preemptive' ? 'cordon' : 'fence'
}
