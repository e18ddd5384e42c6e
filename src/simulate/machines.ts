/**
 * The machines of a simulated world: which are up, who hears of them, and which workloads truly run on
 * them. Placements say where a workload should be; copies say where it is, and they may disagree.
 */
import type { NodeId, WorkloadId } from '../core/ids.ts'
import type { Placement } from '../core/workload.ts'
import { Cluster, type ClusterNode } from '../fleet/cluster.ts'
import type { Inventory } from '../fleet/inventory.ts'
import type { Ailment, AilmentName, Cause } from './kinds.ts'

export interface Machine {
  /** `up`, `fenced` and `cordoned` are the truth, whatever was reported. */
  readonly node: ClusterNode
  readonly running: Set<WorkloadId>
  /** Network partitions that keep its telemetry from us, and commands from it. */
  outCuts: number
  inCuts: number
  flapping: { readonly sinceMs: number; readonly periodMs: number } | null
  readonly ailments: Map<AilmentName, Ailment>
  /** Since when the telemetry shows the coming crash, and when it comes. */
  wear: { readonly sinceMs: number; readonly untilMs: number; readonly cause: Cause } | null
  /** The model is mad about it. */
  slandered: number
  skewMs: number
  /** Rises when it goes down, so that an older plan to bring it back is void. */
  downs: number
  downSinceMs: number | null
  /** Its newest fault is gone by a restart: the crash that was coming, or the news of the one that came. */
  mended: { readonly crashAtMs: number | null; readonly downs: number | null } | null
}

/** A workload that did not run: from when until when, and which node had it. */
export interface Outage {
  readonly workload: WorkloadId
  readonly node: NodeId
  readonly atMs: number
  untilMs: number | null
  /** While it lasted its pool had room for the workload at some time, were it all in one place. */
  hadRoom: boolean
}

export interface MachineWatch {
  readonly nowMs: () => number
  /** A promise is broken: two copies of one workload. */
  readonly broken: (what: string) => void
}

export class Machines {
  readonly cluster: Cluster
  readonly all: readonly Machine[]
  readonly outages: Outage[] = []
  /** Workloads on their way somewhere. */
  readonly moving = new Set<WorkloadId>()
  readonly #watch: MachineWatch
  readonly #byId = new Map<NodeId, Machine>()
  /** Workload → machines that run a copy. */
  readonly #copies = new Map<WorkloadId, Set<Machine>>()
  readonly #openOutages = new Map<WorkloadId, Outage>()

  constructor(inventory: Inventory, watch: MachineWatch) {
    this.#watch = watch
    this.cluster = new Cluster(inventory)
    this.all = this.cluster.nodes.map((node) => createMachine(node))
    for (const machine of this.all) this.#byId.set(machine.node.spec.id, machine)
    for (const { workload, node } of inventory.placements)
      this.startCopy(workload, this.get(node!)!)
  }

  get(id: NodeId): Machine | undefined {
    return this.#byId.get(id)
  }

  startCopy(workload: WorkloadId, machine: Machine): void {
    const copies = this.#copies.get(workload) ?? new Set()
    this.#copies.set(workload, copies.add(machine))
    machine.running.add(workload)
    const outage = this.#openOutages.get(workload)
    if (outage !== undefined) {
      outage.untilMs = this.#watch.nowMs()
      this.#openOutages.delete(workload)
    }
    if (copies.size > 1) {
      const where = [...copies].map(({ node }) => node.spec.id).join(' and ')
      this.#watch.broken(`workload ${workload} runs twice, on ${where}`)
    }
  }

  stopCopy(workload: WorkloadId, machine: Machine): void {
    machine.running.delete(workload)
    const copies = this.#copies.get(workload)
    copies?.delete(machine)
    if ((copies?.size ?? 0) > 0 || this.#openOutages.has(workload)) return
    const outage: Outage = {
      workload,
      node: machine.node.spec.id,
      atMs: this.#watch.nowMs(),
      untilMs: null,
      hadRoom: false,
    }
    this.outages.push(outage)
    this.#openOutages.set(workload, outage)
  }

  /** Looks whether there is room for what does not run, of the outages of the last `withinMs`. */
  noteRoom(withinMs: number): void {
    const sinceMs = this.#watch.nowMs() - withinMs
    for (const outage of this.#openOutages.values()) {
      if (outage.hadRoom || outage.atMs < sinceMs) continue
      outage.hadRoom = this.cluster.hasRoom(outage.workload)
    }
  }

  /** Without power nothing runs. False when it was down already. */
  powerOff(machine: Machine): boolean {
    if (!machine.node.up) return false
    machine.node.up = false
    machine.downs++
    machine.downSinceMs = this.#watch.nowMs()
    machine.wear = null
    for (const workload of machine.running) this.stopCopy(workload, machine)
    return true
  }

  /** It boots, and runs again what is placed on it and not on its way elsewhere. */
  powerOn(machine: Machine): void {
    const { node } = machine
    node.up = true
    node.fenced = false
    machine.downSinceMs = null
    for (const workload of node.workloads) {
      if (!this.moving.has(workload) && !this.#runs(workload)) this.startCopy(workload, machine)
    }
  }

  /** The workload is where it was sent, and its placement says so. */
  land(workload: WorkloadId, target: Machine): Placement {
    const placement = this.cluster.move(workload, target.node)
    this.startCopy(workload, target)
    return placement
  }

  /** The standby runs it from now on. */
  promote(workload: WorkloadId, target: Machine): Placement {
    const placement = this.cluster.promote(workload, target.node)
    this.startCopy(workload, target)
    return placement
  }

  /** A move that came to nothing: if its node is up again meanwhile, it runs there. */
  abandonMove(workload: WorkloadId, target: Machine): void {
    target.node.incoming.delete(workload)
    this.moving.delete(workload)
    const { node } = this.cluster.placement(workload)!
    const home = node === null ? undefined : this.get(node)
    if (home?.node.up === true && !this.#runs(workload)) this.startCopy(workload, home)
  }

  /** Placements whose workload runs nowhere. */
  lost(): readonly Placement[] {
    return [...this.cluster.allPlacements()].filter(({ workload }) => !this.#runs(workload))
  }

  #runs(workload: WorkloadId): boolean {
    return (this.#copies.get(workload)?.size ?? 0) > 0
  }
}

function createMachine(node: ClusterNode): Machine {
  return {
    node,
    running: new Set(),
    outCuts: 0,
    inCuts: 0,
    flapping: null,
    ailments: new Map(),
    wear: null,
    slandered: 0,
    skewMs: 0,
    downs: 0,
    downSinceMs: null,
    mended: null,
  }
}

/** True while nothing of it is heard. */
export function isMute({ node, outCuts, flapping }: Machine, nowMs: number): boolean {
  if (!node.up || outCuts > 0) return true
  if (flapping === null) return false
  return Math.floor((nowMs - flapping.sinceMs) / flapping.periodMs) % 2 === 0
}
