/** Makes happen what the schedule says, and keeps the list of faults that could be detected. */
import type { SimulatedBroker } from '../bus/simulated/simulated-bus.ts'
import type { Bus, Output } from '../core/bus.ts'
import { never } from '../core/errors.ts'
import type { NodeId } from '../core/ids.ts'
import type { Control } from '../core/policy.ts'
import { Random } from '../fleet/random.ts'
import type { Faults } from './fault-file.ts'
import type { Machine, Machines } from './machines.ts'
import type { Processes } from './processes.ts'
import type { Publisher } from './publisher.ts'
import type { Direction, Happening } from './schedule.ts'
import type { Workforce } from './workforce.ts'

/** A node that was fenced while it was well comes back after this. */
const FENCED_MS = 300_000
/** A node that was faulty is not held to be harmed for so long. */
const AFTERMATH_MS = 120_000
/** After the last fault repairs take no longer than this. */
const LAST_REPAIR_MS = 60_000

/** Faults that take a machine down. */
const FELLING: ReadonlySet<string> = new Set(['crash', 'zone-loss'])

export interface Injected {
  readonly kind: 'crash' | 'zone-loss' | 'flapping' | 'network-partition' | 'slow'
  readonly node: NodeId
  readonly atMs: number
  untilMs: number
  /** Since when its telemetry shows it. */
  readonly shownSinceMs: number | null
  /** Of a flapping node: how long it is silent at a time. */
  readonly silentMs: number | null
}

export interface TroublesOptions {
  readonly seed: number
  readonly faults: Faults
  readonly bus: Bus
  readonly broker: SimulatedBroker
  readonly machines: Machines
  readonly publisher: Publisher
  readonly workforce: Workforce
  readonly processes: Processes
  readonly nowMs: () => number
  readonly after: (ms: number, callback: () => void) => void
}

export class Troubles {
  readonly injected: Injected[] = []
  /** Of each, how often it happened. */
  readonly counts = new Map<string, number>()
  /** Fences of nodes that were up. */
  wrongfulFenceCount = 0
  readonly #options: TroublesOptions
  readonly #random: Random
  readonly #killedAfterCommand: number
  /** Down for a restart, and for nothing else. */
  readonly #restarting = new Set<Machine>()
  #calm = false

  constructor(options: TroublesOptions) {
    const { seed, faults, machines } = options
    this.#options = options
    this.#random = new Random(seed, 'troubles')
    const drawn = new Random(seed, 'faults/service')
    this.#killedAfterCommand =
      faults.service === undefined ? 0 : drawn.between(faults.service.killed_after_command)
    if (faults.clocks === undefined) return
    const random = new Random(seed, 'faults/clocks')
    const skewed = random.between(faults.clocks.skewed)
    for (const machine of machines.all) {
      if (!random.chance(skewed)) continue
      const sign = random.chance(0.5) ? 1 : -1
      machine.skewMs = sign * Math.round(random.logBetween(faults.clocks.skew))
    }
  }

  happen(happening: Happening): void {
    if (this.#calm) return
    this.counts.set(happening.kind, (this.counts.get(happening.kind) ?? 0) + 1)
    const { machines, processes, workforce, broker, nowMs } = this.#options
    const lastsMs = 'untilMs' in happening ? happening.untilMs - happening.atMs : 0
    const untilMs = nowMs() + lastsMs
    switch (happening.kind) {
      case 'crash':
        return this.#crash(machines.all[happening.node], happening)
      case 'wear':
        machines.all[happening.node].wear = { sinceMs: nowMs(), untilMs }
        return
      case 'slow':
        return this.#slow(machines.all[happening.node], happening.factor, lastsMs)
      case 'flapping':
        return this.#flap(machines.all[happening.node], happening.periodMs, lastsMs)
      case 'cut':
        return this.#cut(machinesOf(machines, happening.nodes), happening.direction, lastsMs)
      case 'zone-loss':
        return this.#loseZone(machinesOf(machines, happening.nodes), lastsMs)
      case 'false-wave':
        return this.#slander(machinesOf(machines, happening.nodes), lastsMs)
      case 'executor-death':
        workforce.die(happening.executor)
        return this.#later(lastsMs, () => workforce.revive(happening.executor))
      case 'kill':
        return processes.kill(happening.backAfterMs)
      case 'expiry':
        return processes.expire(happening.draw)
      case 'group-rebalance':
        return broker.rebalance()
      case 'veto':
      case 'maintenance':
      case 'stop':
      case 'observe':
        return this.#operate(happening, untilMs)
      default:
        return never(happening)
    }
  }

  /** All is over: the machines are repaired, and no new trouble begins. */
  calm(): void {
    this.#calm = true
    for (const machine of this.#options.machines.all) {
      machine.wear = null
      if (!machine.node.up) this.#backAfter(machine, LAST_REPAIR_MS)
    }
  }

  /** Nodes that have a fault now, or had one shortly before. */
  faulty(): ReadonlySet<NodeId> {
    const sinceMs = this.#options.nowMs() - AFTERMATH_MS
    const nodes = new Set<NodeId>()
    for (let i = this.injected.length - 1; i >= 0; i--) {
      if (this.injected[i].untilMs >= sinceMs) nodes.add(this.injected[i].node)
    }
    return nodes
  }

  /** The power controller cuts it off; somebody brings it back. */
  fence(machine: Machine): void {
    const { machines } = this.#options
    machine.node.fenced = true
    machine.node.cordoned = true
    if (!machines.powerOff(machine)) return
    this.wrongfulFenceCount++
    this.#backAfter(machine, this.#calm ? LAST_REPAIR_MS : FENCED_MS)
  }

  restart(machine: Machine): void {
    const { wear } = machine
    if (!this.#options.machines.powerOff(machine)) return
    machine.wear = wear
    this.#restarting.add(machine)
  }

  /** Why the machine does not come up after a restart; null where it is up, mended or not. */
  restarted(machine: Machine): string | null {
    const { machines, publisher, nowMs } = this.#options
    const wasUp = this.#restarting.delete(machine)
    const { node, wear, downs } = machine
    if (node.fenced) {
      if (wasUp) this.#backAfter(machine, this.#calm ? LAST_REPAIR_MS : FENCED_MS)
      return 'its node is fenced'
    }
    if (node.up) return null
    if (wasUp) {
      machines.powerOn(machine)
      machine.flapping = null
      machine.slowness = 1
      if (wear === null || !this.#isRestartable(machine, wear.sinceMs)) return null
      machine.wear = null
      machine.mended = { crashAtMs: wear.untilMs, downs: null }
      return null
    }
    const { id } = node.spec
    const fault = this.injected.findLast(({ kind, node: of }) => of === id && FELLING.has(kind))
    if (fault?.kind !== 'crash' || !this.#isRestartable(machine, fault.shownSinceMs ?? fault.atMs))
      return 'it does not come up'
    machines.powerOn(machine)
    machine.mended = { crashAtMs: null, downs }
    this.#say(publisher.join(node.spec, nowMs()))
    return null
  }

  /** Drawn once for each fault: trying again does not help. */
  #isRestartable({ node }: Machine, sinceMs: number): boolean {
    const { seed, faults } = this.#options
    const random = new Random(seed, `restart/${node.spec.id}/${sinceMs}`)
    return random.chance(faults.crashes?.restartable ?? 0)
  }

  /** A command was sent: the process that sent it may die before it learns what became of it. */
  commanded(): void {
    const { processes } = this.#options
    if (this.#calm || !this.#random.chance(this.#killedAfterCommand)) return
    processes.kill(Math.round(this.#random.logBetween(this.#options.faults.service!.back_after)))
  }

  #crash(machine: Machine, happening: Extract<Happening, { kind: 'crash' }>): void {
    const { machines, publisher, nowMs } = this.#options
    const atMs = nowMs()
    if (machine.mended?.crashAtMs === atMs) return
    const shownSinceMs = machine.wear?.sinceMs ?? null
    if (!machines.powerOff(machine)) return
    const { repairMs, confirmedAfterMs } = happening
    this.#inject('crash', machine, repairMs, { shownSinceMs })
    this.#backAfter(machine, repairMs)
    if (confirmedAfterMs === null || confirmedAfterMs >= repairMs) return
    const { downs } = machine
    this.#later(confirmedAfterMs, () => {
      if (machine.mended?.downs === downs) return
      this.#say(publisher.failure(machine.node.spec, atMs, nowMs()))
    })
  }

  #loseZone(zone: readonly Machine[], lastsMs: number): void {
    for (const machine of zone) {
      if (!this.#options.machines.powerOff(machine)) continue
      this.#inject('zone-loss', machine, lastsMs)
      this.#backAfter(machine, lastsMs)
    }
  }

  #backAfter(machine: Machine, ms: number): void {
    const { downs } = machine
    this.#later(ms, () => {
      if (machine.node.up || machine.downs !== downs) return
      const { machines, publisher, nowMs } = this.#options
      machines.powerOn(machine)
      this.#say(publisher.join(machine.node.spec, nowMs()))
    })
  }

  #slow(machine: Machine, factor: number, lastsMs: number): void {
    this.#inject('slow', machine, lastsMs)
    machine.slowness = factor
    this.#later(lastsMs, () => void (machine.slowness = 1))
  }

  #flap(machine: Machine, periodMs: number, lastsMs: number): void {
    this.#inject('flapping', machine, lastsMs, { silentMs: periodMs })
    machine.flapping = { sinceMs: this.#options.nowMs(), periodMs }
    this.#later(lastsMs, () => void (machine.flapping = null))
  }

  #cut(cut: readonly Machine[], direction: Direction, lastsMs: number): void {
    for (const machine of cut) {
      if (direction !== 'in') {
        machine.outCuts++
        if (machine.node.up) this.#inject('network-partition', machine, lastsMs)
      }
      if (direction !== 'out') machine.inCuts++
    }
    this.#later(lastsMs, () => {
      for (const machine of cut) {
        if (direction !== 'in') machine.outCuts--
        if (direction !== 'out') machine.inCuts--
      }
      this.#options.workforce.healed()
    })
  }

  #slander(victims: readonly Machine[], lastsMs: number): void {
    for (const machine of victims) machine.slandered++
    this.#later(lastsMs, () => {
      for (const machine of victims) machine.slandered--
    })
  }

  #operate(
    happening: Extract<Happening, { kind: 'veto' | 'maintenance' | 'stop' | 'observe' }>,
    untilMs: number,
  ): void {
    const { machines, publisher, nowMs } = this.#options
    const spec = 'node' in happening ? machines.all[happening.node].node.spec : null
    if (happening.kind === 'maintenance') {
      this.#say(publisher.maintenance(spec!, untilMs, nowMs()))
      return
    }
    const said = { pool: null, by: 'an operator', reason: 'a drill' }
    const control = (on: boolean): Control => {
      if (happening.kind === 'veto') return { ...said, kind: 'veto', node: spec!.id, veto: on }
      if (happening.kind === 'stop') return { ...said, kind: 'stop', stopped: on }
      return { ...said, kind: 'mode', mode: on ? 'observe' : 'enforce' }
    }
    this.#say(publisher.control(control(true), nowMs()))
    this.#later(untilMs - nowMs(), () => this.#say(publisher.control(control(false), nowMs())))
  }

  #inject(
    kind: Injected['kind'],
    machine: Machine,
    lastsMs: number,
    more: Partial<Pick<Injected, 'shownSinceMs' | 'silentMs'>> = {},
  ): void {
    const atMs = this.#options.nowMs()
    const { id } = machine.node.spec
    const common = { shownSinceMs: null, silentMs: null, ...more }
    this.injected.push({ kind, node: id, atMs, untilMs: atMs + lastsMs, ...common })
  }

  #say(output: Output): void {
    void this.#options.bus.produce([output])
  }

  #later(ms: number, callback: () => void): void {
    this.#options.after(ms, callback)
  }
}

function machinesOf({ all }: Machines, indices: readonly number[]): readonly Machine[] {
  return indices.map((index) => all[index])
}
