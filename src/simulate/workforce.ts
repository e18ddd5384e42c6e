/**
 * The executors of a simulated world, one for each partition of the command topics: commands reach them
 * late, twice or long after a network partition, and they die with what they were doing.
 */
import { Executor } from '../agent/executor.ts'
import { placementOutput } from '../agent/report.ts'
import type { Bus, LogRecord, Output } from '../core/bus.ts'
import { toText } from '../core/bytes.ts'
import type { Command } from '../core/command.ts'
import type { Placement } from '../core/workload.ts'
import { topicName, type Topology } from '../core/topics.ts'
import { Random } from '../fleet/random.ts'
import type { Faults } from './fault-file.ts'
import { drawDelay, Hands, type HandsOptions, type Work } from './hands.ts'
import type { Machine, Machines } from './machines.ts'
import { SIGNATURE } from './process.ts'

const TAKE_WAIT_MS = 3_600_000
const REPORTER_SOURCE = '/agents'

export interface WorkforceOptions {
  readonly seed: number
  readonly topology: Topology
  readonly bus: Bus
  readonly machines: Machines
  readonly faults: Faults
  readonly preconditions: boolean
  readonly nowMs: () => number
  readonly after: (ms: number, callback: () => void) => void
  readonly fence: (machine: Machine) => void
  readonly restart: HandsOptions['restart']
  readonly commanded: (command: Command) => void
}

interface Seat {
  executor: Executor
  hands: Hands
  dead: boolean
  /** Commands that came while nobody was there. */
  readonly waiting: LogRecord[]
  /** Placements that nobody could report. */
  readonly unreported: Placement[]
}

const SKILL = {
  move: { p50: 6_000, p99: 30_000 },
  promote: { p50: 300, p99: 1_000 },
  fence: { p50: 3_000, p99: 10_000 },
  restart: { p50: 20_000, p99: 60_000 },
  replicate: { p50: 5_000, p99: 20_000 },
}
const COMMAND_DELAY = { p50: 2, p99: 7 }

export class Workforce {
  readonly works: Work[] = []
  readonly #options: WorkforceOptions
  readonly #random: Random
  readonly #seats: Seat[]
  /** Commands for nodes that none can reach. */
  #unreachable: { readonly machine: Machine; readonly record: LogRecord }[] = []
  readonly #ratios
  #calm = false

  constructor(options: WorkforceOptions) {
    const { seed, topology, faults } = options
    this.#options = options
    this.#random = new Random(seed, 'workforce')
    const drawn = new Random(seed, 'faults/executors')
    const { executors, records } = faults
    this.#ratios = {
      lying: executors === undefined ? 0 : drawn.between(executors.lying),
      failing: executors === undefined ? 0 : drawn.between(executors.failing),
      lost: records === undefined ? 0 : drawn.between(records.lost),
      repeated: records === undefined ? 0 : drawn.between(records.repeated),
      late: records === undefined ? 0 : drawn.between(records.late),
    }
    this.#seats = Array.from({ length: topology.nodePartitions }, (_, index) => {
      const hands = this.#hands(index)
      const executor = this.#executor(hands)
      return { executor, hands, dead: false, waiting: [], unreported: [] }
    })
  }

  async start(): Promise<void> {
    const { bus, topology } = this.#options
    for (const name of ['commands.migration', 'commands.recovery'] as const) {
      const reader = await bus.read({ topic: topicName(topology, name), from: 'start' })
      void (async () => {
        for (;;) for (const record of await reader.take(TAKE_WAIT_MS)) this.#arrive(record)
      })()
    }
  }

  /** Nothing goes wrong any more. */
  calm(): void {
    this.#calm = true
    Object.assign(this.#ratios, { lying: 0, failing: 0, lost: 0, repeated: 0, late: 0 })
    for (const [index, { dead }] of this.#seats.entries()) if (dead) this.revive(index)
  }

  die(index: number): void {
    const seat = this.#seats[index]
    if (seat.dead || this.#calm) return
    seat.dead = true
    seat.hands.die()
  }

  /** Another process, which remembers nothing, but looks where its workloads are. */
  revive(index: number): void {
    const seat = this.#seats[index]
    if (!seat.dead) return
    seat.dead = false
    seat.hands = this.#hands(index)
    seat.executor = this.#executor(seat.hands)
    for (const placement of seat.unreported.splice(0)) this.#report(placement)
    for (const record of seat.waiting.splice(0)) this.#hand(record)
  }

  /** A network partition has ended: what was kept from these nodes comes now. */
  healed(): void {
    const kept = this.#unreachable
    this.#unreachable = []
    for (const { machine, record } of kept) {
      if (machine.inCuts > 0) this.#unreachable.push({ machine, record })
      else this.#hand(record)
    }
  }

  #arrive(record: LogRecord): void {
    const { machines, after, commanded, faults } = this.#options
    const command = JSON.parse(toText(record.value!)) as Command
    commanded(command)
    const machine = machines.get(command.node)
    const delay = faults.executors?.command_delay ?? COMMAND_DELAY
    const copies = this.#random.chance(this.#ratios.repeated) ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      after(drawDelay(this.#random, delay) * (1 + 50 * copy), () => {
        if (machine !== undefined && machine.inCuts > 0) {
          this.#unreachable.push({ machine, record })
        } else this.#hand(record)
      })
    }
  }

  #hand(record: LogRecord): void {
    const seat = this.#seats[record.partition]
    if (seat.dead) seat.waiting.push(record)
    else this.#send(seat.executor.take(record, this.#options.nowMs()))
  }

  #hands(index: number): Hands {
    const { seed, machines, nowMs, after, fence, restart, preconditions, faults } = this.#options
    const ratios = this.#ratios
    return new Hands({
      seed,
      machines,
      nowMs,
      after,
      fence,
      restart,
      preconditions,
      skill: {
        get lyingRatio() {
          return ratios.lying
        },
        get failingRatio() {
          return ratios.failing
        },
        move: faults.executors?.move ?? SKILL.move,
        promote: faults.executors?.promote ?? SKILL.promote,
        fence: faults.executors?.fence ?? SKILL.fence,
        restart: faults.executors?.restart ?? SKILL.restart,
        replicate: faults.executors?.replicate ?? SKILL.replicate,
      },
      poke: () => this.#poke(index),
      began: (work) => void this.works.push(work),
      landed: (placement) => {
        const seat = this.#seats[index]
        if (seat.dead) seat.unreported.push(placement)
        else this.#report(placement)
      },
    })
  }

  #executor(hands: Hands): Executor {
    const { topology } = this.#options
    const verify = (_: Uint8Array, signature: string) => signature === SIGNATURE
    return new Executor({ topology, source: REPORTER_SOURCE, verify, hooks: hands })
  }

  #poke(index: number): void {
    const seat = this.#seats[index]
    if (!seat.dead) this.#send(seat.executor.advance(this.#options.nowMs()))
  }

  #report(placement: Placement): void {
    const { topology, nowMs } = this.#options
    const reporter = { topology, source: REPORTER_SOURCE }
    const id = `${placement.workload}/${nowMs()}`
    this.#send([placementOutput(reporter, placement, id, nowMs())])
  }

  /** Results get lost, come twice and come late; placements are kept in order until they are taken. */
  #send(outputs: readonly Output[]): void {
    const { bus, topology, after, faults } = this.#options
    const results = topicName(topology, 'results')
    const random = this.#random
    const now: Output[] = []
    for (const output of outputs) {
      if (output.topic !== results) now.push(output)
      else if (!random.chance(this.#ratios.lost)) {
        if (random.chance(this.#ratios.repeated)) now.push(output)
        if (!random.chance(this.#ratios.late)) now.push(output)
        else {
          const lateMs = Math.round(random.logBetween(faults.records!.late_by))
          after(lateMs, () => void bus.produce([output]))
        }
      }
    }
    if (now.length > 0) void bus.produce(now)
  }
}
