/**
 * What will happen in one run, drawn ahead from its seed: it never looks at what the service does, so
 * that the same seed brings the same trouble to two versions of the service.
 */
import { HOUR_MS } from '../core/time.ts'
import type { NodeSpec } from '../fleet/inventory.ts'
import { Random, type Range } from '../fleet/random.ts'
import type { Faults } from './fault-file.ts'
import { type AilmentName, type Cause, CAUSES, LISTED } from './kinds.ts'

/** `atMs` and `untilMs` are since the beginning of the run. */
export type Happening = { readonly atMs: number } & (
  | {
      readonly kind: 'crash'
      readonly node: number
      readonly repairMs: number
      /** After the crash; null: no event ever says so. */
      readonly confirmedAfterMs: number | null
      readonly cause: Cause
    }
  /** The telemetry shows that the node will crash. */
  | {
      readonly kind: 'wear'
      readonly node: number
      readonly untilMs: number
      readonly cause: Cause
    }
  | {
      readonly kind: 'ailment'
      readonly name: AilmentName
      readonly node: number
      readonly untilMs: number
      readonly size: number
    }
  | {
      readonly kind: 'flapping'
      readonly node: number
      readonly untilMs: number
      readonly periodMs: number
    }
  | {
      readonly kind: 'cut'
      readonly nodes: readonly number[]
      readonly untilMs: number
      readonly direction: Direction
    }
  | { readonly kind: 'zone-loss'; readonly nodes: readonly number[]; readonly untilMs: number }
  | { readonly kind: 'false-wave'; readonly nodes: readonly number[]; readonly untilMs: number }
  | { readonly kind: 'executor-death'; readonly executor: number; readonly untilMs: number }
  | { readonly kind: 'kill'; readonly backAfterMs: number }
  | { readonly kind: 'expiry'; readonly draw: number }
  | { readonly kind: 'group-rebalance' }
  | { readonly kind: 'stall'; readonly untilMs: number }
  | { readonly kind: 'veto'; readonly node: number; readonly untilMs: number }
  | { readonly kind: 'maintenance'; readonly node: number; readonly untilMs: number }
  | { readonly kind: 'stop'; readonly untilMs: number }
  | { readonly kind: 'observe'; readonly untilMs: number }
)

/** `out`: nothing of the node is heard. `in`: no command reaches it. */
export type Direction = 'both' | 'out' | 'in'

export interface ScheduleOptions {
  readonly seed: number
  readonly nodes: readonly NodeSpec[]
  readonly executorCount: number
  readonly lengthMs: number
  readonly faults: Faults
  /** Measured repair times in hours, in place of the file's percentiles. */
  readonly repairHours?: readonly number[]
}

const ONE_WAYS: readonly Direction[] = ['out', 'in']

/** In the order in which they happen. */
export function drawSchedule(options: ScheduleOptions): readonly Happening[] {
  const { faults } = options
  const happenings: Happening[] = [
    ...crashes(options, faults.crashes),
    ...troubles(options, 'slow', faults.slow, (random, node, atMs, untilMs) => {
      const size = random.between(faults.slow!.factor)
      return { kind: 'ailment', name: 'slow', atMs, node, untilMs, size }
    }),
    ...LISTED.flatMap((name) => ailments(options, name)),
    ...troubles(options, 'flapping', faults.flapping, (random, node, atMs, untilMs) => {
      const periodMs = Math.round(random.logBetween(faults.flapping!.period))
      return { kind: 'flapping', atMs, node, untilMs, periodMs }
    }),
    ...spells(options, 'cut', faults.network_partitions, (random, atMs, untilMs) => {
      const { nodes, one_way: oneWay } = faults.network_partitions!
      const direction = random.chance(oneWay) ? random.pick(ONE_WAYS) : 'both'
      return { kind: 'cut', atMs, untilMs, nodes: share(random, options, nodes), direction }
    }),
    ...spells(options, 'zone-loss', faults.zone_loss, (random, atMs, untilMs) => {
      const { zone } = random.pick(options.nodes).place
      const nodes = options.nodes.filter(({ place }) => place.zone === zone)
      return { kind: 'zone-loss', atMs, untilMs, nodes: nodes.map(({ index }) => index) }
    }),
    ...spells(options, 'false-wave', faults.false_wave, (random, atMs, untilMs) => {
      const nodes = share(random, options, faults.false_wave!.nodes)
      return { kind: 'false-wave', atMs, untilMs, nodes }
    }),
    ...processes(options),
    ...operators(options),
  ]
  return happenings
    .filter(({ atMs }) => atMs < options.lengthMs)
    .sort((a, b) => a.atMs - b.atMs || (a.kind < b.kind ? -1 : 1))
}

function crashes(
  { seed, nodes, lengthMs, repairHours }: ScheduleOptions,
  faults: Faults['crashes'],
): readonly Happening[] {
  if (faults === undefined) return []
  const drawn = new Random(seed, 'faults/crashes')
  const rate = drawn.between(faults.per_node_hour)
  const [foreseeable, confirmed] = [faults.foreseeable, faults.confirmed].map((range) =>
    drawn.between(range),
  )
  const followed = drawn.between(faults.followed)
  const happenings: Happening[] = []
  const fall = (random: Random, node: number, atMs: number, cause: Cause): number => {
    const hours = repairHours === undefined ? null : random.pick(repairHours)
    const repairMs = repairOf(random, faults, hours)
    const isConfirmed = random.chance(confirmed)
    const confirmedAfterMs = Math.round(random.between(faults.confirmed_after))
    happenings.push({
      kind: 'crash',
      atMs,
      node,
      repairMs,
      confirmedAfterMs: isConfirmed ? confirmedAfterMs : null,
      cause,
    })
    return repairMs
  }
  for (const { index } of nodes) {
    const random = new Random(seed, `node/${index}/crashes`)
    const causes = new Random(seed, `node/${index}/causes`)
    let atMs = 0
    for (;;) {
      atMs += Math.round(random.exponential(HOUR_MS / rate))
      if (atMs >= lengthMs) break
      const cause = causes.pick(CAUSES)
      const buildUpMs = Math.round(random.logBetween(faults.build_up))
      if (random.chance(foreseeable)) {
        happenings.push({
          kind: 'wear',
          atMs: Math.max(0, atMs - buildUpMs),
          node: index,
          untilMs: atMs,
          cause,
        })
      }
      const repairMs = fall(random, index, atMs, cause)
      if (random.chance(followed)) {
        const soonMs = Math.round(random.logBetween(faults.followed_within))
        fall(random, rackMate(random, nodes, index), atMs + soonMs, cause)
      }
      atMs += repairMs
    }
  }
  return happenings
}

/** Racks are eight nodes in a row of one region. */
function rackMate(random: Random, nodes: readonly NodeSpec[], index: number): number {
  const { region } = nodes[index].place
  const rack = Math.floor(index / 24)
  const mates = nodes.filter(({ index: other, place }) => {
    return other !== index && place.region === region && Math.floor(other / 24) === rack
  })
  return mates.length === 0 ? index : random.pick(mates).index
}

const PERCENTILES = [0.1, 0.25, 0.5, 0.75, 0.9] as const
/** A repair is never over before the failure can be seen as one. */
const REPAIR_MS_MIN = 60_000

function repairOf(
  random: Random,
  faults: NonNullable<Faults['crashes']>,
  measured: number | null,
): number {
  const hours = measured ?? quantile(faults.repair_hours, random.ratio())
  return Math.round(Math.max(REPAIR_MS_MIN, (hours * HOUR_MS) / faults.acceleration))
}

/** Log-linear between the percentiles and flat beyond them. */
function quantile(values: readonly number[], at: number): number {
  const upper = PERCENTILES.findIndex((percentile) => at < percentile)
  if (upper === 0) return values[0]
  if (upper === -1) return values[values.length - 1]
  const from = PERCENTILES[upper - 1]
  const part = (at - from) / (PERCENTILES[upper] - from)
  return values[upper - 1] * Math.pow(values[upper] / values[upper - 1], part)
}

function ailments(options: ScheduleOptions, name: (typeof LISTED)[number]): readonly Happening[] {
  const key = name.replaceAll('-', '_') as keyof NonNullable<Faults['ailments']>
  const faults = options.faults.ailments?.[key]
  return troubles(options, name, faults, (random, node, atMs, untilMs) => {
    return { kind: 'ailment', name, atMs, node, untilMs, size: random.between(faults!.size) }
  })
}

/** What a node has outlasts the run; it is seen until it ends. */
function troubles(
  { seed, nodes, lengthMs }: ScheduleOptions,
  name: string,
  faults: { readonly per_node_hour: Range; readonly lasts: Range } | undefined,
  create: (random: Random, node: number, atMs: number, untilMs: number) => Happening,
): readonly Happening[] {
  if (faults === undefined) return []
  const rate = new Random(seed, `faults/${name}`).between(faults.per_node_hour)
  return nodes.flatMap(({ index }) => {
    const random = new Random(seed, `node/${index}/${name}`)
    return times(random, rate, faults.lasts, lengthMs, Infinity).map(([atMs, untilMs]) =>
      create(random, index, atMs, untilMs),
    )
  })
}

function spells(
  { seed, lengthMs }: ScheduleOptions,
  name: string,
  faults: { readonly per_hour: Range; readonly lasts: Range } | undefined,
  create: (random: Random, atMs: number, untilMs: number) => Happening,
): readonly Happening[] {
  if (faults === undefined) return []
  const random = new Random(seed, `faults/${name}`)
  const rate = random.between(faults.per_hour)
  return times(random, rate, faults.lasts, lengthMs).map(([atMs, untilMs]) =>
    create(random, atMs, untilMs),
  )
}

/** Of a Poisson process, one after the other: a spell begins no sooner than the last one has ended. */
function times(
  random: Random,
  perHour: number,
  lasts: Range,
  lengthMs: number,
  endMs = lengthMs,
): readonly (readonly [atMs: number, untilMs: number])[] {
  const found: (readonly [number, number])[] = []
  if (perHour === 0) return found
  for (let nowMs = 0; ;) {
    const atMs = nowMs + Math.round(random.exponential(HOUR_MS / perHour))
    if (atMs >= lengthMs) return found
    const untilMs = Math.min(endMs, atMs + Math.round(random.logBetween(lasts)))
    found.push([atMs, untilMs])
    nowMs = untilMs
  }
}

function share(random: Random, { nodes }: ScheduleOptions, range: Range): readonly number[] {
  const part = random.between(range)
  return nodes.filter(() => random.chance(part)).map(({ index }) => index)
}

function processes(options: ScheduleOptions): readonly Happening[] {
  const { service, executors } = options.faults
  const once: Range = [1, 1]
  const happenings: Happening[] = []
  if (service !== undefined) {
    happenings.push(
      ...spells(options, 'kill', { per_hour: service.kills_per_hour, lasts: once }, (r, atMs) => {
        return { kind: 'kill', atMs, backAfterMs: Math.round(r.logBetween(service.back_after)) }
      }),
      ...spells(
        options,
        'expiry',
        { per_hour: service.expired_per_hour, lasts: once },
        (r, atMs) => {
          return { kind: 'expiry', atMs, draw: r.ratio() }
        },
      ),
      ...spells(
        options,
        'group-rebalance',
        { per_hour: service.group_rebalances_per_hour, lasts: once },
        (_, atMs) => ({ kind: 'group-rebalance', atMs }),
      ),
      ...spells(
        options,
        'stall',
        { per_hour: service.stalls_per_hour, lasts: service.stalled_for },
        (_, atMs, untilMs) => ({ kind: 'stall', atMs, untilMs }),
      ),
    )
  }
  if (executors !== undefined) {
    const deaths = { per_hour: executors.dying_per_hour, lasts: executors.dead_for }
    happenings.push(
      ...spells(options, 'executor-death', deaths, (random, atMs, untilMs) => {
        return {
          kind: 'executor-death',
          atMs,
          untilMs,
          executor: random.index(options.executorCount),
        }
      }),
    )
  }
  return happenings
}

function operators(options: ScheduleOptions): readonly Happening[] {
  const { vetoes, stops, observes, maintenances } = options.faults.operators ?? {}
  const anyNode = (random: Random) => random.index(options.nodes.length)
  return [
    ...spells(options, 'veto', vetoes, (random, atMs, untilMs) => {
      return { kind: 'veto', atMs, untilMs, node: anyNode(random) }
    }),
    ...spells(options, 'maintenance', maintenances, (random, atMs, untilMs) => {
      return { kind: 'maintenance', atMs, untilMs, node: anyNode(random) }
    }),
    ...spells(options, 'stop', stops, (_, atMs, untilMs) => ({ kind: 'stop', atMs, untilMs })),
    ...spells(options, 'observe', observes, (_, atMs, untilMs) => {
      return { kind: 'observe', atMs, untilMs }
    }),
  ]
}
