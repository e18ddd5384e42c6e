/**
 * The hands of one executor: work that takes time, fails, lies (says that it is done and did nothing),
 * or goes on by itself when its executor has died and can no longer report it.
 */
import type { Command, Precondition } from '../core/command.ts'
import type { ActionStart, ActionState, ExecutorHooks, RunningAction } from '../core/executor.ts'

import type { NodeId, WorkloadId } from '../core/ids.ts'
import type { Placement } from '../core/workload.ts'
import { Random } from '../fleet/random.ts'
import type { Delay } from './fault-file.ts'
import type { Machine, Machines } from './machines.ts'

/** From "it is there" to "it answers". */
const VERIFY_MS = 2_000
/** A standby is probed while it is warm. */
const PROMOTED_VERIFY_MS = 500
/** Of the standard normal distribution, at 0.99. */
const Z99 = 2.3263

export interface Skill {
  readonly lyingRatio: number
  readonly failingRatio: number
  readonly move: Delay
  readonly promote: Delay
  readonly fence: Delay
  readonly restart: Delay
  readonly replicate: Delay
}

/** One piece of work that was begun, for the statistics. */
export interface Work {
  readonly command: Command
  readonly beganAtMs: number
  endedAtMs: number | null
  /** It took effect, and when. */
  done: boolean
  doneAtMs: number | null
  readonly lie: boolean
}

export interface HandsOptions {
  readonly seed: number
  readonly machines: Machines
  readonly skill: Skill
  readonly nowMs: () => number
  readonly after: (ms: number, callback: () => void) => void
  /** Something may have moved on: the executor should look. */
  readonly poke: () => void
  /** Cuts the power until it is repaired. */
  readonly fence: (machine: Machine) => void
  readonly restart: {
    begin(machine: Machine): void
    /** Why it does not come up, or null. */
    end(machine: Machine): string | null
  }
  readonly began: (work: Work) => void
  /** A workload has arrived, and its executor is not there to say so. */
  readonly landed: (placement: Placement) => void
  /** Without them two copies are possible: a test takes them away. */
  readonly preconditions: boolean
}

/** Log-normal through the median and the 99th percentile. */
export function drawDelay(random: Random, { p50, p99 }: Delay): number {
  return Math.round(p50 * Math.exp((Math.log(p99 / p50) / Z99) * random.normal()))
}

export class Hands implements ExecutorHooks {
  readonly #options: HandsOptions
  readonly #running = new Set<Action>()

  constructor(options: HandsOptions) {
    this.#options = options
  }

  migrate(command: Command): ActionStart {
    const from = this.#options.machines.get(command.node)
    if (from?.node.up !== true) return refuse(`node ${command.node} is down`)
    return this.#move(command, from)
  }

  recover(command: Command): ActionStart {
    const from = this.#options.machines.get(command.node)
    return from === undefined
      ? refuse(`node ${command.node} is unknown`)
      : this.#move(command, from)
  }

  promote(command: Command): ActionStart {
    const { machines, skill, preconditions } = this.#options
    const [from, target] = [machines.get(command.node), machines.get(command.target!)]
    if (from === undefined || target === undefined) {
      return refuse(`node ${command.node} or ${command.target} is unknown`)
    }
    const workload = command.workload!
    const obstacle =
      this.#notThere(workload, from) ?? machines.cluster.standbyObstacle(workload, target.node)
    if (obstacle !== null) return refuse(obstacle)
    machines.moving.add(workload)
    return this.#begin(command, skill.promote, {
      verifyMs: PROMOTED_VERIFY_MS,
      broken: () => (target.node.up ? null : `standby ${target.node.spec.id} went down`),
      waits: () => preconditions && notFenced(from) !== null,
      effect: () => {
        machines.moving.delete(workload)
        return machines.promote(workload, target)
      },
      undo: () => machines.abandonMove(workload, target),
    })
  }

  fence(command: Command): ActionStart {
    const machine = this.#options.machines.get(command.node)
    if (machine === undefined) return refuse(`node ${command.node} is unknown`)
    return this.#begin(command, this.#options.skill.fence, {
      effect: () => {
        this.#options.fence(machine)
        // A standby may wait for it.
        this.#options.after(0, this.#options.poke)
        this.#options.after(PROMOTED_VERIFY_MS, this.#options.poke)
        return null
      },
    })
  }

  restart(command: Command): ActionStart {
    const machine = this.#options.machines.get(command.node)
    if (machine === undefined) return refuse(`node ${command.node} is unknown`)
    if (machine.node.fenced) return refuse(`node ${command.node} is fenced`)
    const { restart, skill } = this.#options
    restart.begin(machine)
    let isUp = false
    const bringUp = () => {
      const problem = isUp ? null : restart.end(machine)
      isUp = true
      return problem
    }
    return this.#begin(command, skill.restart, {
      blocked: bringUp,
      effect: () => null,
      // Broken off, it still boots.
      undo: () => void bringUp(),
    })
  }

  replicate(command: Command): ActionStart {
    const { machines, skill } = this.#options
    const machine = machines.get(command.node)
    if (machine === undefined) return refuse(`node ${command.node} is unknown`)
    const { replicas = [] } = command
    const isUp = (node: NodeId) => machines.get(node)?.node.up === true
    return this.#begin(command, skill.replicate, {
      broken: () => {
        if (!machine.node.up) return `node ${command.node} went down`
        const lost = replicas.find(({ sources }) => !sources.some(isUp))
        return lost === undefined ? null : `nobody who has ${lost.object} right can be reached`
      },
      effect: () => {
        machine.ailments.delete('corruption')
        return null
      },
    })
  }

  cordon(command: Command): ActionStart {
    return this.#mark(command, true)
  }

  uncordon(command: Command): ActionStart {
    return this.#mark(command, false)
  }

  unmet(precondition: Precondition): string | null {
    const { machines, preconditions } = this.#options
    if (!preconditions) return null
    if (precondition.kind === 'fenced') return notFenced(machines.get(precondition.node))
    const placement = machines.cluster.placement(precondition.workload)
    return placement?.node === precondition.node
      ? null
      : `workload ${precondition.workload} is on ${placement?.node ?? 'no node'}`
  }

  /** The executor is gone: what is half done goes on without a report, or breaks off. */
  die(): void {
    for (const action of this.#running) action.orphan()
    this.#running.clear()
  }

  #mark(command: Command, cordoned: boolean): ActionStart {
    const machine = this.#options.machines.get(command.node)
    if (machine === undefined) return refuse(`node ${command.node} is unknown`)
    machine.node.cordoned = cordoned
    if (!cordoned) machine.node.share = command.capacityRatio ?? 1
    const { nowMs } = this.#options
    const atMs = nowMs()
    const times = { beganAtMs: atMs, doneAtMs: atMs, endedAtMs: atMs }
    const work = { command, done: true, lie: false, ...times }
    this.#options.began(work)
    return { ok: true, action: new Instant() }
  }

  #move(command: Command, from: Machine): ActionStart {
    const { machines, preconditions } = this.#options
    const workload = command.workload!
    const target = machines.get(command.target!)
    if (target === undefined) return refuse(`target ${command.target} is unknown`)
    const obstacle =
      this.#notThere(workload, from) ?? machines.cluster.obstacle(workload, target.node)
    if (obstacle !== null) return refuse(obstacle)
    const live = command.action === 'migrate'
    machines.moving.add(workload)
    target.node.incoming.add(workload)
    return this.#begin(command, this.#options.skill.move, {
      broken: () => {
        if (!target.node.up) return `target ${target.node.spec.id} went down`
        if (live) return from.node.up ? null : `node ${from.node.spec.id} failed during the move`
        return preconditions ? notFenced(from) : null
      },
      effect: () => {
        machines.moving.delete(workload)
        if (live) machines.stopCopy(workload, from)
        return machines.land(workload, target)
      },
      undo: () => machines.abandonMove(workload, target),
    })
  }

  #notThere(workload: WorkloadId, { node }: Machine): string | null {
    const { machines } = this.#options
    if (machines.moving.has(workload)) return `workload ${workload} is moving already`
    const isThere = machines.cluster.placement(workload)?.node === node.spec.id
    return isThere ? null : `workload ${workload} is not on node ${node.spec.id}`
  }

  #begin(command: Command, delay: Delay, deed: Deed): ActionStart {
    const { seed, skill, nowMs, after, poke, landed } = this.#options
    const random = new Random(seed, `command/${command.commandId}`)
    const work: Work = {
      command,
      beganAtMs: nowMs(),
      endedAtMs: null,
      done: false,
      doneAtMs: null,
      lie: random.chance(skill.lyingRatio),
    }
    const fails = random.chance(skill.failingRatio)
    const tookMs = drawDelay(random, delay)
    const orphanGoesOn = random.chance(0.5)
    const action = new Action({ work, deed, fails, tookMs, orphanGoesOn, nowMs, after, landed })
    this.#options.began(work)
    this.#running.add(action)
    after(tookMs, poke)
    after(tookMs + (deed.verifyMs ?? VERIFY_MS), poke)
    return { ok: true, action }
  }
}

/** What an action does to the world, when its time has come. */
interface Deed {
  /** From its effect to its verification; as for a move where absent. */
  readonly verifyMs?: number
  readonly effect: () => Placement | null
  /** It is ready, and something else must be over first. */
  readonly waits?: () => boolean
  /** Why it can no longer take effect. */
  readonly broken?: () => string | null
  /** Does it when its time has come; why it does not work. */
  readonly blocked?: () => string | null
  readonly undo?: () => void
}

interface ActionOptions {
  readonly work: Work
  readonly deed: Deed
  readonly fails: boolean
  readonly tookMs: number
  readonly orphanGoesOn: boolean
  readonly nowMs: () => number
  readonly after: (ms: number, callback: () => void) => void
  readonly landed: (placement: Placement) => void
}

class Action implements RunningAction {
  readonly #options: ActionOptions
  #state: 'running' | 'succeeded' | 'over' = 'running'
  #effectAtMs = 0

  constructor(options: ActionOptions) {
    this.#options = options
  }

  poll(nowMs: number): ActionState {
    const { work, deed, fails, tookMs } = this.#options
    const verifyMs = deed.verifyMs ?? VERIFY_MS
    if (this.#state === 'succeeded') {
      if (nowMs < this.#effectAtMs + verifyMs) return { kind: 'running' }
      this.#state = 'over'
      work.endedAtMs = nowMs
      return { kind: 'verified' }
    }
    const broken = deed.broken?.() ?? null
    if (broken !== null) return this.#fail(broken)
    if (nowMs < work.beganAtMs + tookMs || deed.waits?.() === true) return { kind: 'running' }
    if (fails) return this.#fail('the work broke off')
    const blocked = work.lie ? null : (deed.blocked?.() ?? null)
    if (blocked !== null) return this.#fail(blocked)
    this.#state = 'succeeded'
    this.#effectAtMs = nowMs
    if (work.lie) {
      deed.undo?.()
      return { kind: 'succeeded', placement: null }
    }
    work.done = true
    work.doneAtMs = nowMs
    return { kind: 'succeeded', placement: deed.effect() }
  }

  withdraw(): boolean {
    if (this.#state !== 'running') return false
    this.#end()
    return true
  }

  /** Nobody asks any more. */
  orphan(): void {
    const { work, deed, orphanGoesOn, tookMs, nowMs, after, landed } = this.#options
    if (this.#state !== 'running') return
    if (!orphanGoesOn || work.lie) {
      this.#end()
      return
    }
    this.#state = 'over'
    after(Math.max(0, work.beganAtMs + tookMs - nowMs()), () => {
      const waits = deed.waits?.() === true ? 'its executor died while it waited' : null
      const broken = deed.broken?.() ?? waits ?? deed.blocked?.() ?? null
      if (broken !== null) deed.undo?.()
      else {
        work.done = true
        work.doneAtMs = nowMs()
        const placement = deed.effect()
        if (placement !== null) landed(placement)
      }
    })
  }

  #fail(detail: string): ActionState {
    this.#end()
    return { kind: 'failed', detail }
  }

  #end(): void {
    this.#state = 'over'
    this.#options.work.endedAtMs = this.#options.nowMs()
    this.#options.deed.undo?.()
  }
}

/** Over as soon as it is begun. */
class Instant implements RunningAction {
  #told = false

  poll(): ActionState {
    if (this.#told) return { kind: 'verified' }
    this.#told = true
    return { kind: 'succeeded', placement: null }
  }

  withdraw(): boolean {
    return false
  }
}

function notFenced(machine: Machine | undefined): string | null {
  return machine?.node.fenced === true ? null : 'its node is not fenced'
}

function refuse(refused: string): ActionStart {
  return { ok: false, refused }
}
