/** Makes happen what the schedule says, and keeps the list of faults that could be detected. */
import type { SimulatedBroker } from '../bus/simulated/simulated-bus.ts'
import type { Bus, Output } from '../core/bus.ts'
import { never } from '../core/errors.ts'
import type { FaultKind } from '../core/fault.ts'
import type { NodeId } from '../core/ids.ts'
import type { Control } from '../core/policy.ts'
import { Random } from '../fleet/random.ts'
import type { Faults } from './fault-file.ts'
import { type AilmentName, AILMENTS } from './kinds.ts'
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

/** What a node that only falls silent shows, whatever the cause. */
const SYMPTOM: FaultKind = 'service-unavailability'
/** A flapping link that is lost so often is told from one outage. */
const FLAPS_MIN = 3
/** A cut that keeps so many nodes of a pool at least from the rest is a partition of it. */
const SIDE_RATIO = 0.1

export interface Injected {
  readonly kind: 'crash' | 'zone-loss' | 'flapping' | 'network-partition' | AilmentName
  readonly node: NodeId
  readonly atMs: number
  untilMs: number
  /** Since when its telemetry shows it. */
  readonly shownSinceMs: number | null
  /** What is to be told of it, from when on the world shows that; until then a silence is all there is. */
  readonly truth: FaultKind
  truthSinceMs: number | null
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
  readonly #events: { readonly repeated: number; readonly late: number }
  /** Down for a restart, and for nothing else. */
  readonly #restarting = new Set<Machine>()
  #calm = false

  constructor(options: TroublesOptions) {
    const { seed, faults, machines } = options
    this.#options = options
    this.#random = new Random(seed, 'troubles')
    const drawn = new Random(seed, 'faults/service')
    const events = new Random(seed, 'faults/events')
    const { records } = faults
    this.#events = {
      repeated: records === undefined ? 0 : events.between(records.repeated),
      late: records === undefined ? 0 : events.between(records.late),
    }
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
        machines.all[happening.node].wear = { sinceMs: nowMs(), untilMs, cause: happening.cause }
        return
      case 'ailment':
        return this.#ail(machines.all[happening.node], happening.name, happening.size, lastsMs)
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
      case 'stall':
        return processes.stall(lastsMs)
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
    machine.node.fenced = true
    machine.node.cordoned = true
    if (!this.#fell(machine)) return
    this.wrongfulFenceCount++
    this.#backAfter(machine, this.#calm ? LAST_REPAIR_MS : FENCED_MS)
  }

  restart(machine: Machine): void {
    const { wear } = machine
    if (!this.#fell(machine)) return
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
    this.#report(publisher.join(node.spec, nowMs()))
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
    const { publisher, nowMs } = this.#options
    const atMs = nowMs()
    if (machine.mended?.crashAtMs === atMs) return
    const { wear } = machine
    // A crash that comes before the one that shows is another.
    const shownSinceMs = wear !== null && wear.untilMs <= atMs ? wear.sinceMs : null
    if (!this.#fell(machine)) return
    const { repairMs, confirmedAfterMs, cause } = happening
    const truth = { truth: cause.kind, truthSinceMs: shownSinceMs }
    const fault = this.#inject('crash', machine, repairMs, { shownSinceMs, ...truth })
    this.#backAfter(machine, repairMs)
    if (confirmedAfterMs === null || confirmedAfterMs >= repairMs) return
    const { downs } = machine
    this.#later(confirmedAfterMs, () => {
      if (machine.mended?.downs === downs) return
      fault.truthSinceMs ??= nowMs()
      this.#report(publisher.failure(machine.node.spec, cause, atMs, nowMs()))
    })
  }

  #loseZone(zone: readonly Machine[], lastsMs: number): void {
    for (const machine of zone) {
      if (!this.#fell(machine)) continue
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
      this.#report(publisher.join(machine.node.spec, nowMs()))
    })
  }

  /** What is down has no other trouble. */
  #ail(machine: Machine, name: AilmentName, size: number, lastsMs: number): void {
    const { ailments, node } = machine
    if (!node.up) return
    const atMs = this.#options.nowMs()
    this.#inject(name, machine, lastsMs, { truth: AILMENTS[name].kind, truthSinceMs: atMs })
    const ailment = { name, sinceMs: atMs, untilMs: atMs + lastsMs, size }
    ailments.set(name, ailment)
    this.#later(lastsMs, () => void (ailments.get(name) === ailment && ailments.delete(name)))
  }

  #flap(machine: Machine, periodMs: number, lastsMs: number): void {
    if (!machine.node.up) return
    const sinceMs = this.#options.nowMs()
    const lostAgainMs = (2 * FLAPS_MIN - 1) * periodMs
    const truthSinceMs = lastsMs < lostAgainMs ? null : sinceMs + lostAgainMs
    this.#inject('flapping', machine, lastsMs, {
      silentMs: periodMs,
      truth: 'network',
      truthSinceMs,
    })
    const flapping = { sinceMs, periodMs }
    machine.flapping = flapping
    this.#later(lastsMs, () => {
      if (machine.flapping === flapping) machine.flapping = null
    })
  }

  /** False when it was down already. Whatever ailed it is over. */
  #fell(machine: Machine): boolean {
    const { machines, nowMs } = this.#options
    if (!machines.powerOff(machine)) return false
    machine.ailments.clear()
    machine.flapping = null
    for (let i = this.injected.length - 1; i >= 0; i--) {
      const fault = this.injected[i]
      if (fault.node !== machine.node.spec.id || FELLING.has(fault.kind)) continue
      if (fault.kind === 'network-partition') continue
      fault.untilMs = Math.min(fault.untilMs, nowMs())
      if (fault.truthSinceMs !== null && fault.truthSinceMs > fault.untilMs)
        fault.truthSinceMs = null
    }
    return true
  }

  #cut(cut: readonly Machine[], direction: Direction, lastsMs: number): void {
    for (const machine of cut) {
      if (direction !== 'in') machine.outCuts++
      if (direction !== 'out') machine.inCuts++
      if (machine.node.up)
        this.#inject(
          'network-partition',
          machine,
          lastsMs,
          this.#truthOfCut(machine, cut, direction),
        )
    }
    this.#later(lastsMs, () => {
      for (const machine of cut) {
        if (direction !== 'in') machine.outCuts--
        if (direction !== 'out') machine.inCuts--
      }
      this.#options.workforce.healed()
    })
  }

  /** A side that nothing is heard of may as well be down. Without peers that tell, nothing shows a cut inwards. */
  #truthOfCut({ node }: Machine, cut: readonly Machine[], direction: Direction) {
    const { machines, faults, nowMs } = this.#options
    if (direction !== 'in' || faults.witnesses === undefined) return { truth: SYMPTOM }
    const isMate = (other: Machine) => other.node.spec.pool === node.spec.pool
    const mates = machines.all.filter(isMate).length
    const side = cut.filter(isMate).length
    const isSide = side >= Math.max(2, SIDE_RATIO * mates) && mates - side >= 2
    const truth: FaultKind = isSide ? 'network-partition' : 'network'
    return { truth, truthSinceMs: nowMs() }
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
      this.#report(publisher.maintenance(spec!, untilMs, nowMs()))
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
    more: Partial<Omit<Injected, 'kind' | 'node' | 'atMs' | 'untilMs'>> = {},
  ): Injected {
    const atMs = this.#options.nowMs()
    const { id } = machine.node.spec
    const unknown = { shownSinceMs: null, silentMs: null, truth: SYMPTOM, truthSinceMs: null }
    const fault = { kind, node: id, atMs, untilMs: atMs + lastsMs, ...unknown, ...more }
    this.injected.push(fault)
    return fault
  }

  /** Whoever writes an event of a node's life tries until it is written: it comes late or twice, and is not lost. */
  #report(output: Output): void {
    const { repeated, late } = this.#events
    const say = () => {
      this.#say(output)
      if (!this.#calm && this.#random.chance(repeated)) this.#say(output)
    }
    if (this.#calm || !this.#random.chance(late)) return say()
    this.#later(Math.round(this.#random.logBetween(this.#options.faults.records!.late_by)), say)
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
