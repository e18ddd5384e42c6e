/**
 * The executors' hands in the fleet. Moves take fleet time (state over bandwidth), other work takes
 * seconds, and a few of them fail for reasons of their own.
 */
import type { Command, Precondition } from '../core/command.ts'
import type { ActionStart, ActionState, ExecutorHooks, RunningAction } from '../core/executor.ts'
import type { NodeId, WorkloadId } from '../core/ids.ts'
import type { Cluster, ClusterNode } from './cluster.ts'
import { Random } from './random.ts'
import type { TruthLedger } from './truth.ts'

/** Effective, with other traffic on the wire. */
const BYTES_PER_SECOND = [80e6, 400e6] as const
const MOVE_OVERHEAD_MS = [4_000, 12_000] as const
const FENCE_MS = [4_000, 10_000] as const
const RESTART_MS = [30_000, 90_000] as const
/** From "it is there" to "it answers". */
const VERIFY_MS = 5_000
/** A standby has the state and is probed already. */
const PROMOTE_MS = [300, 900] as const
const PROMOTED_VERIFY_MS = 500
const FAIL_CHANCE = 0.03

export interface HandsOptions {
  readonly seed: number
  readonly cluster: Cluster
  readonly truth: TruthLedger
  /** Powers a node off until it is repaired. */
  readonly powerOff: (node: ClusterNode, nowMs: number) => void
  readonly restart: Restart
  /** Whether state goes over from one to the other now; absent: always. */
  readonly reaches?: (from: ClusterNode, to: ClusterNode) => boolean
}

/** What a restart does to a node: down at its beginning, and up at its end if nothing keeps it down. */
export interface Restart {
  begin(node: ClusterNode, nowMs: number): void
  /** `luck`, 0..1, says whether it mends what it may mend. False: the node does not come up. */
  end(node: ClusterNode, luck: number, nowMs: number): boolean
}

export class Hands implements ExecutorHooks {
  private readonly options: HandsOptions
  private readonly moving = new Set<WorkloadId>()

  constructor(options: HandsOptions) {
    this.options = options
  }

  isMoving(workload: WorkloadId): boolean {
    return this.moving.has(workload)
  }

  migrate(command: Command, nowMs: number): ActionStart {
    const from = this.options.cluster.node(command.node)
    if (from === undefined) return refuse(`node ${command.node} is unknown`)
    if (!from.up) return refuse(`node ${command.node} is down: its work must be recovered`)
    const start = this.startMove(command, from, nowMs)
    if (start.ok) {
      this.options.truth.act(from.spec.id, nowMs)
      this.options.truth.counts.migrationsStarted++
    }
    return start
  }

  recover(command: Command, nowMs: number): ActionStart {
    const from = this.options.cluster.node(command.node)
    if (from === undefined) return refuse(`node ${command.node} is unknown`)
    // Two copies of one workload are worse than none: the old node must be off, and stay off.
    if (!from.fenced) return refuse(`node ${command.node} is not fenced`)
    return this.startMove(command, from, nowMs)
  }

  promote(command: Command, nowMs: number): ActionStart {
    const { cluster } = this.options
    const [from, target] = [cluster.node(command.node), cluster.node(command.target!)]
    if (from === undefined) return refuse(`node ${command.node} is unknown`)
    if (target === undefined) return refuse(`target ${command.target} is unknown`)
    const workload = command.workload!
    const obstacle =
      this.notPlacedOn(workload, from.spec.id) ?? cluster.standbyObstacle(workload, target)
    if (obstacle !== null) return refuse(obstacle)
    const times = {
      doneAtMs: nowMs + this.randomOf(command).between(PROMOTE_MS),
      verifyMs: PROMOTED_VERIFY_MS,
    }
    return this.begin(command, { workload, from, target, ...times })
  }

  fence(command: Command, nowMs: number): ActionStart {
    const node = this.options.cluster.node(command.node)
    if (node === undefined) return refuse(`node ${command.node} is unknown`)
    const random = this.randomOf(command)
    const doneAtMs = nowMs + random.between(FENCE_MS)
    const fails = random.chance(FAIL_CHANCE)
    return { ok: true, action: new Fencing(this.options, node, doneAtMs, fails) }
  }

  restart(command: Command, nowMs: number): ActionStart {
    const node = this.options.cluster.node(command.node)
    if (node === undefined) return refuse(`node ${command.node} is unknown`)
    if (node.fenced) return refuse(`node ${command.node} is fenced`)
    const random = this.randomOf(command)
    const doneAtMs = nowMs + random.between(RESTART_MS)
    this.options.restart.begin(node, nowMs)
    return { ok: true, action: new Restarting(this.options, node, doneAtMs, random.ratio()) }
  }

  /** Its nodes hold no objects, and tell of none. */
  replicate(command: Command): ActionStart {
    return refuse(`node ${command.node} holds no replicas`)
  }

  cordon(command: Command, nowMs: number): ActionStart {
    const node = this.options.cluster.node(command.node)
    if (node === undefined) return refuse(`node ${command.node} is unknown`)
    node.cordoned = true
    if (node.up) this.options.truth.act(node.spec.id, nowMs)
    return { ok: true, action: new Done() }
  }

  uncordon(command: Command): ActionStart {
    const node = this.options.cluster.node(command.node)
    if (node === undefined) return refuse(`node ${command.node} is unknown`)
    node.cordoned = false
    node.share = command.capacityRatio ?? 1
    this.options.truth.takeBack(node.spec.id)
    return { ok: true, action: new Done() }
  }

  unmet(precondition: Precondition): string | null {
    if (precondition.kind === 'fenced') {
      const fenced = this.options.cluster.node(precondition.node)?.fenced === true
      return fenced ? null : `node ${precondition.node} is not fenced`
    }
    return this.notPlacedOn(precondition.workload, precondition.node)
  }

  private notPlacedOn(workload: WorkloadId, node: NodeId): string | null {
    const placement = this.options.cluster.placement(workload)
    if (placement === undefined) return `workload ${workload} is unknown`
    if (placement.node === node) return null
    return `workload ${workload} is on ${placement.node ?? 'no node'}, not on ${node}`
  }

  private startMove(command: Command, from: ClusterNode, nowMs: number): ActionStart {
    const { cluster } = this.options
    const workload = command.workload!
    const target = cluster.node(command.target!)
    if (target === undefined) return refuse(`target ${command.target} is unknown`)
    const misplaced = this.notPlacedOn(workload, from.spec.id)
    if (misplaced !== null) return refuse(misplaced)
    const obstacle =
      target === from ? 'the target is the node itself' : cluster.obstacle(workload, target)
    if (obstacle !== null) return refuse(obstacle)
    const random = this.randomOf(command)
    const { stateBytes } = cluster.placement(workload)!
    const transferMs = (1_000 * stateBytes) / random.logBetween(BYTES_PER_SECOND)
    const doneAtMs = nowMs + random.between(MOVE_OVERHEAD_MS) + transferMs
    const fails = random.chance(FAIL_CHANCE)
    return this.begin(command, { workload, from, target, doneAtMs, verifyMs: VERIFY_MS, fails })
  }

  private begin({ action }: Command, move: Omit<Move, 'live' | 'isStandby'>): ActionStart {
    const { workload, target } = move
    if (this.moving.has(workload)) return refuse(`workload ${workload} is moving already`)
    const isStandby = action === 'promote'
    if (!isStandby) target.incoming.add(workload)
    this.moving.add(workload)
    const release = (): void => {
      target.incoming.delete(workload)
      this.moving.delete(workload)
    }
    const whole = { ...move, live: action === 'migrate', isStandby }
    return { ok: true, action: new Moving(this.options, whole, release) }
  }

  /** By the command's id, so that the order in which commands arrive changes nobody's luck. */
  private randomOf(command: Command): Random {
    return new Random(this.options.seed, `command/${command.commandId}`)
  }
}

interface Move {
  readonly workload: WorkloadId
  readonly from: ClusterNode
  readonly target: ClusterNode
  readonly doneAtMs: number
  readonly verifyMs: number
  /** For reasons of its own. */
  readonly fails?: boolean
  /** True when the source must live until the end. */
  readonly live: boolean
  readonly isStandby: boolean
}

class Moving implements RunningAction {
  private readonly options: HandsOptions
  private readonly move: Move
  private readonly release: () => void
  private moved = false
  private effectAtMs = 0

  constructor(options: HandsOptions, move: Move, release: () => void) {
    this.options = options
    this.move = move
    this.release = release
  }

  poll(nowMs: number): ActionState {
    const { target, doneAtMs, verifyMs, fails } = this.move
    if (!target.up) return this.fail(`target ${target.spec.id} went down`)
    if (this.moved) {
      return nowMs < this.effectAtMs + verifyMs ? { kind: 'running' } : { kind: 'verified' }
    }
    const broken = this.broken()
    if (broken !== null) return this.fail(broken)
    if (nowMs < doneAtMs || this.waits()) return { kind: 'running' }
    this.effectAtMs = nowMs
    if (fails === true) return this.fail('the transfer broke off')
    return this.finish()
  }

  withdraw(): boolean {
    if (this.moved) return false
    this.release()
    return true
  }

  /** A standby is ready, and its workload may still run where it was. */
  private waits(): boolean {
    return this.move.isStandby && !this.move.from.fenced
  }

  private broken(): string | null {
    const { from, target, live, isStandby } = this.move
    if (isStandby) return null
    if (live) {
      if (!from.up) return `node ${from.spec.id} failed during the transfer`
      const reached = this.options.reaches?.(from, target) ?? true
      return reached ? null : `node ${from.spec.id} does not reach ${target.spec.id} any more`
    }
    return from.fenced ? null : `node ${from.spec.id} is back and runs it`
  }

  private finish(): ActionState {
    const { workload, from, target, live, isStandby } = this.move
    const { cluster, truth } = this.options
    this.moved = true
    const placement = isStandby ? cluster.promote(workload, target) : cluster.move(workload, target)
    this.release()
    if (live) truth.saved(from.spec.id)
    else truth.counts.workloadsRecovered++
    if (isStandby) truth.counts.workloadsPromoted++
    return { kind: 'succeeded', placement }
  }

  private fail(detail: string): ActionState {
    if (!this.moved) this.release()
    this.options.truth.counts.actionsFailed++
    return { kind: 'failed', detail }
  }
}

class Fencing implements RunningAction {
  private readonly options: HandsOptions
  private readonly node: ClusterNode
  private readonly doneAtMs: number
  private readonly fails: boolean
  private done = false

  constructor(options: HandsOptions, node: ClusterNode, doneAtMs: number, fails: boolean) {
    this.options = options
    this.node = node
    this.doneAtMs = doneAtMs
    this.fails = fails
  }

  poll(nowMs: number): ActionState {
    if (this.done) return { kind: 'verified' }
    if (nowMs < this.doneAtMs) return { kind: 'running' }
    if (this.fails) {
      this.options.truth.counts.actionsFailed++
      return { kind: 'failed', detail: 'the power controller did not answer' }
    }
    this.done = true
    if (this.node.up) this.options.truth.counts.wrongfulFences++
    this.options.powerOff(this.node, nowMs)
    return { kind: 'succeeded', placement: null }
  }

  withdraw(): boolean {
    return !this.done
  }
}

class Restarting implements RunningAction {
  private readonly options: HandsOptions
  private readonly node: ClusterNode
  private readonly doneAtMs: number
  private readonly luck: number
  private restarted = false

  constructor(options: HandsOptions, node: ClusterNode, doneAtMs: number, luck: number) {
    this.options = options
    this.node = node
    this.doneAtMs = doneAtMs
    this.luck = luck
  }

  poll(nowMs: number): ActionState {
    if (nowMs < this.doneAtMs) return { kind: 'running' }
    if (!this.restarted) {
      if (!this.options.restart.end(this.node, this.luck, nowMs)) return this.fail()
      this.restarted = true
      return { kind: 'succeeded', placement: null }
    }
    if (nowMs < this.doneAtMs + VERIFY_MS) return { kind: 'running' }
    return this.node.up ? { kind: 'verified' } : this.fail()
  }

  /** Half a restart is a node that is down. */
  withdraw(): boolean {
    return false
  }

  private fail(): ActionState {
    this.options.truth.counts.actionsFailed++
    return { kind: 'failed', detail: `node ${this.node.spec.id} does not come up` }
  }
}

/** Work that is over as soon as it is begun. */
class Done implements RunningAction {
  private reported = false

  poll(): ActionState {
    if (this.reported) return { kind: 'verified' }
    this.reported = true
    return { kind: 'succeeded', placement: null }
  }

  withdraw(): boolean {
    return false
  }
}

function refuse(refused: string): ActionStart {
  return { ok: false, refused }
}
