/** Who says that a node is dead: our own state, a fixed timeout, and phi accrual as it was published. */
import { loadKernel, packagedNodeClasses } from '../../src/commands/package.ts'
import { loadNodeClasses } from '../../src/config/node-classes.ts'
import { OBSERVED_GAP_MAX_MS, ObservedClock } from '../../src/core/clock.ts'
import type { NodeId } from '../../src/core/ids.ts'
import { NodeTable } from '../../src/state/node-table.ts'
import { phiOf } from '../../src/state/phi.ts'
import type { World } from './world.ts'

export interface Detector {
  readonly name: string
  sign(node: number, atMs: number): void
  /** Nodes that it calls dead from now on, and did not before. */
  sweep(nowMs: number): readonly number[]
}

/** The watcher's own node table on its own clock, which stands still while ingest does. */
export async function ourDetector({ stalls }: World): Promise<Detector> {
  const server = loadNodeClasses(packagedNodeClasses()).get('server')!
  const table = new NodeTable(await loadKernel(), server, { nodesMax: 4_096 })
  const clock = new ObservedClock(1, OBSERVED_GAP_MAX_MS)
  const observed = () => ({ atMs: clock.atMs, watermarkMs: clock.watermarkMs })
  return {
    name: 'Foreshock, three heartbeats of observed time',
    sign: (node, atMs) => {
      const id = `n${node}` as NodeId
      table.foldEvent({ kind: 'heartbeat', node: id, atMs, component: null }, atMs, observed())
    },
    sweep: (nowMs) => {
      const stalled = stalls.some(([from, to]) => nowMs >= from && nowMs < to)
      if (!stalled) clock.take(0, nowMs)
      return table.sweep(clock.atMs).silent.map((index) => Number(table.idOf(index).slice(1)))
    },
  }
}

/** Dead after a silence of fixed length. */
export function timeoutDetector(timeoutMs: number): Detector {
  return suspicion(`fixed timeout of ${timeoutMs / 1_000} s`, (silentMs) => silentMs > timeoutMs)
}

/** Dead from a suspicion on, by the mean and variance of the node's last hundred gaps. */
export function phiDetector(threshold: number): Detector {
  const gaps = new Map<number, number[]>()
  const last = new Map<number, number>()
  const rhythm = new Map<number, { readonly mean: number; readonly variance: number }>()
  const plain = suspicion(`phi accrual at ${threshold}`, (silentMs, node) => {
    const known = rhythm.get(node)
    return known !== undefined && phiOf(silentMs, known.mean, known.variance) > threshold
  })
  const learn = (node: number, gapMs: number) => {
    const known = gaps.get(node) ?? []
    known.push(gapMs)
    if (known.length > GAPS_MAX) known.shift()
    gaps.set(node, known)
    if (known.length < GAPS_MIN) return
    const mean = known.reduce((sum, gap) => sum + gap, 0) / known.length
    const variance = known.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / known.length
    rhythm.set(node, { mean, variance })
  }
  return {
    name: plain.name,
    sweep: (nowMs) => plain.sweep(nowMs),
    sign: (node, atMs) => {
      const before = last.get(node)
      last.set(node, atMs)
      if (before !== undefined) learn(node, atMs - before)
      plain.sign(node, atMs)
    },
  }
}

const GAPS_MIN = 5
const GAPS_MAX = 100

function suspicion(name: string, isDead: (silentMs: number, node: number) => boolean): Detector {
  const last = new Map<number, number>()
  const dead = new Set<number>()
  return {
    name,
    sign: (node, atMs) => {
      last.set(node, atMs)
      dead.delete(node)
    },
    sweep: (nowMs) => {
      const found = [...last].filter(([node, at]) => !dead.has(node) && isDead(nowMs - at, node))
      for (const [node] of found) dead.add(node)
      return found.map(([node]) => node)
    },
  }
}

export interface Judged {
  /** Median and 99th percentile of the time from a death to its detection. */
  readonly medianMs: number
  readonly p99Ms: number
  readonly missed: number
  readonly falseAlarms: number
}

const SWEEP_EVERY_MS = 1_000

export function judge({ signs, deaths }: World, detector: Detector, lengthMs: number): Judged {
  const foundAtMs = new Map<number, number>()
  let falseAlarms = 0
  let next = 0
  for (let now = SWEEP_EVERY_MS; now <= lengthMs; now += SWEEP_EVERY_MS) {
    for (; next < signs.length && signs[next].atMs <= now; next++) {
      detector.sign(signs[next].node, signs[next].atMs)
    }
    for (const node of detector.sweep(now)) {
      const death = deaths.get(node)
      if (death === undefined || now < death) falseAlarms += 1
      else if (!foundAtMs.has(node)) foundAtMs.set(node, now - death)
    }
  }
  const times = [...foundAtMs.values()].toSorted((a, b) => a - b)
  const at = (ratio: number) => times[Math.min(times.length - 1, Math.floor(ratio * times.length))]
  return { medianMs: at(0.5), p99Ms: at(0.99), missed: deaths.size - times.length, falseAlarms }
}
