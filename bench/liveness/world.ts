/**
 * Nodes that send a sign of life every few seconds over a network that delays and loses some, and die.
 * One seed gives one course, so that every detector is judged on the same signs.
 */
import { noise } from '../../src/commands/bench-load.ts'

export interface WorldOptions {
  readonly seed: number
  readonly nodeCount: number
  readonly lengthMs: number
  readonly intervalMs: number
  /** Mean of the exponential delay of a sign. */
  readonly delayMs: number
  readonly lossRatio: number
  /** Now and then our own ingest stands still this long; what was sent meanwhile comes at once after. */
  readonly stallMs: number
  readonly stallEveryMs: number
}

export interface Sign {
  readonly node: number
  readonly atMs: number
}

export interface World {
  /** By arrival. */
  readonly signs: readonly Sign[]
  /** Node → when it died; every fourth node dies once. */
  readonly deaths: ReadonlyMap<number, number>
  /** From when to when ingest stood still. */
  readonly stalls: readonly (readonly [number, number])[]
}

const DIES_EACH = 4
/** Nobody dies before detectors have learned a rhythm, nor too late to be found. */
const FROM_RATIO = 0.2
const UNTIL_RATIO = 0.9

export function createWorld(options: WorldOptions): World {
  const { nodeCount, lengthMs, intervalMs, delayMs, lossRatio, stallMs, stallEveryMs } = options
  const random = noise(options.seed)
  const stalls: (readonly [number, number])[] = []
  const stallsUntilMs = stallMs > 0 ? lengthMs - stallMs : 0
  for (let at = stallEveryMs; at < stallsUntilMs; at += stallEveryMs) {
    stalls.push([at, at + stallMs])
  }
  const deaths = new Map<number, number>()
  const signs: Sign[] = []
  for (let node = 0; node < nodeCount; node++) {
    const chosen = FROM_RATIO + (UNTIL_RATIO - FROM_RATIO) * random()
    if (node % DIES_EACH === 0) deaths.set(node, chosen * lengthMs)
    const endMs = deaths.get(node) ?? lengthMs
    for (let at = random() * intervalMs; at < endMs; at += intervalMs) {
      const arrivesAtMs = at - delayMs * Math.log(1 - random())
      if (random() < lossRatio) continue
      const stall = stalls.find(([from, to]) => arrivesAtMs >= from && arrivesAtMs < to)
      signs.push({ node, atMs: stall?.[1] ?? arrivesAtMs })
    }
  }
  return { signs: signs.toSorted((a, b) => a.atMs - b.atMs), deaths, stalls }
}
