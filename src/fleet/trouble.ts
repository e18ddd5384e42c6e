/** One trouble of one node: a kind with its parameters drawn, and what it does at a given time. */
import { toBytes } from '../core/bytes.ts'
import { never } from '../core/errors.ts'
import { murmur2 } from '../core/partition.ts'
import type { Course, Driver, TroubleKind } from './kinds.ts'
import type { Random } from './random.ts'

/** Length of one on-or-off slot of a burst pattern. */
const BURST_SLOT_MS = 20_000

interface DrawnEffect {
  readonly driver: Driver
  readonly size: number
  readonly power: number
  readonly burstSeed: number | null
}

export interface Trouble {
  readonly kind: TroubleKind
  readonly startMs: number
  readonly endMs: number
  readonly effects: readonly DrawnEffect[]
}

export type Drivers = Record<Driver, number>

export function drawTrouble(
  random: Random,
  kind: TroubleKind,
  startMs: number,
  durationMs: number,
): Trouble {
  return {
    kind,
    startMs,
    endMs: startMs + durationMs,
    effects: kind.effects.map(({ driver, size, power, pattern }) => ({
      driver,
      size: random.logBetween(size),
      power: random.between(power),
      burstSeed: pattern === 'bursts' ? random.index(0x7fffffff) : null,
    })),
  }
}

export function noDrivers(): Drivers {
  return {
    load: 0,
    heat: 0,
    memory: 0,
    diskLatency: 0,
    diskFill: 0,
    diskErrors: 0,
    networkLatency: 0,
    loss: 0,
    networkErrors: 0,
    requestErrors: 0,
    response: 0,
    gpuHeat: 0,
    gpuErrors: 0,
  }
}

/** Adds what the trouble does at `nowMs`; nothing outside its time. */
export function addTrouble(drivers: Drivers, trouble: Trouble, nowMs: number): void {
  const lengthMs = trouble.endMs - trouble.startMs
  if (nowMs < trouble.startMs || nowMs > trouble.endMs || lengthMs <= 0) return
  const progress = (nowMs - trouble.startMs) / lengthMs
  const height = heightOf(trouble.kind.course, progress)
  for (const { driver, size, power, burstSeed } of trouble.effects) {
    const grown = Math.pow(height, power)
    if (burstSeed === null) drivers[driver] += size * grown
    else if (burstRatio(burstSeed, nowMs) < 0.1 + 0.8 * grown) {
      drivers[driver] += size * (0.3 + 0.7 * grown)
    }
  }
}

/** How far along its course, 0 to 1. */
function heightOf(course: Course, progress: number): number {
  switch (course) {
    case 'growing':
      return progress
    case 'passing':
      return Math.min(1, 5 * progress, 5 * (1 - progress))
    case 'released':
      return progress < 0.85 ? progress / 0.85 : (1 - progress) / 0.15
    default:
      return never(course)
  }
}

/** The same for one slot of time whatever the step, so that a burst has a length. */
function burstRatio(seed: number, nowMs: number): number {
  const slot = Math.floor(nowMs / BURST_SLOT_MS)
  return (murmur2(toBytes(`${seed}:${slot}`)) >>> 0) / 4_294_967_296
}
