/** A network partition of ten thousand nodes: the time to see it, from reports to sides. */
import type { ReachabilityReport } from '../../src/core/evidence.ts'
import type { NodeId, PoolId } from '../../src/core/ids.ts'
import { DetectorSet } from '../../src/detect/detector-set.ts'
import { networkPartition } from '../../src/detect/network-partition.ts'
import type { Bench, BenchRow } from '../bench.ts'
import { timed } from '../bench.ts'

const NODES = 10_000
/** Each node tries so many others, at distances that spread over the whole fleet. */
const PEERS = 10
/** The last three thousand are cut off. */
const MINORITY = 3_000
const POOL = 'bench' as PoolId
const REACH_MS = 1_000

export const bench: Bench = {
  name: 'network partition',
  run: async ({ quick }) => {
    const rounds = quick ? 3 : 9
    const times = { look: [] as number[], all: [] as number[] }
    let cutOff = 0
    for (let round = 0; round < rounds; round++) {
      const { lookMs, allMs, cutOffCount } = measure()
      times.look.push(lookMs)
      times.all.push(allMs)
      cutOff = cutOffCount
    }
    const found = cutOff === MINORITY
    return [
      row('sides of 10,000 nodes from their reports, ms', times.look, found),
      row('10,000 reports taken and a network partition seen, ms', times.all, found),
    ]
  },
}

function measure(): {
  readonly lookMs: number
  readonly allMs: number
  readonly cutOffCount: number
} {
  const set = new DetectorSet(POOL, {}, [networkPartition])
  let nowMs = 1_000_000
  const tell = (side: (node: number) => number) => {
    for (let node = 0; node < NODES; node++) {
      const record = report(node, side, nowMs)
      set.take({ kind: 'reachability', record }, nowMs)
    }
  }
  tell(() => 0)
  set.take({ kind: 'tick' }, nowMs)
  const side = (node: number) => (node >= NODES - MINORITY ? 1 : 0)
  // Told once it has lasted; what is measured is the round of reports and the look that see it.
  for (let second = 0; second < 5; second++) {
    nowMs += 1_000
    tell(side)
    set.take({ kind: 'tick' }, nowMs)
  }
  nowMs += 1_000
  const reportsMs = timed(() => tell(side))
  const lookMs = timed(() => set.take({ kind: 'tick' }, nowMs))
  const view = set.network()!
  let cutOffCount = 0
  for (let node = 0; node < NODES; node++) if (view.isCutOff(name(node))) cutOffCount++
  return { lookMs, allMs: reportsMs + lookMs, cutOffCount }
}

function report(node: number, side: (node: number) => number, atMs: number): ReachabilityReport {
  const reachable: NodeId[] = []
  const unreachable: NodeId[] = []
  for (let i = 1; i <= PEERS; i++) {
    const peer = (node + i * i * 97) % NODES
    if (side(peer) === side(node)) reachable.push(name(peer))
    else unreachable.push(name(peer))
  }
  return { kind: 'reachability', pool: POOL, node: name(node), atMs, reachable, unreachable }
}

const NAMES = Array.from({ length: NODES }, (_, i) => `node-${i}` as NodeId)

function name(node: number): NodeId {
  return NAMES[node]
}

function row(what: string, times: readonly number[], found: boolean): BenchRow {
  const ms = times.toSorted((a, b) => a - b)[times.length >> 1]
  const [least, most] = [Math.min(...times), Math.max(...times)]
  return {
    what,
    against: null,
    value: ms,
    reach: `< ${REACH_MS}`,
    ok: found && ms < REACH_MS,
    better: 'less',
    spread: [least, most],
  }
}
