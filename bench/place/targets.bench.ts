/**
 * 10,000 workloads are given targets, one after another, each with the load of those before it. The rival is
 * greedy over all pairs: every node is looked at for every workload. Both must give the same targets.
 */
import type { NodeId, PoolId, WorkloadId } from '../../src/core/ids.ts'
import type { Placement, Priority } from '../../src/core/workload.ts'
import { PlacementLedger } from '../../src/decide/ledger.ts'
import { type Candidate, chooseTarget, type PlaceQuestion } from '../../src/decide/place.ts'
import { TargetIndex } from '../../src/decide/target-index.ts'
import { type Bench, type BenchRow, ratioRow, timed, type Times } from '../bench.ts'

const WORKLOADS = 10_000
const FLEETS = [1_000, 10_000]
const ZONES = ['a', 'b', 'c']
const POOL = 'pool' as PoolId
const GONE = 'gone' as NodeId

export const bench: Bench = {
  name: 'targets',
  run: async ({ quick }) =>
    (quick ? FLEETS.slice(0, 1) : FLEETS).flatMap((nodes) => rows(nodes, quick ? 1 : 3)),
}

type Choose = (ledger: PlacementLedger) => (question: PlaceQuestion) => NodeId

function rows(nodeCount: number, rounds: number): readonly BenchRow[] {
  const candidates = Array.from({ length: nodeCount }, (_, i) => candidate(i, nodeCount))
  const placements = Array.from({ length: WORKLOADS }, (_, i) => placement(i))
  const byIndex: Choose = (ledger) => {
    const index = new TargetIndex(candidates, (node) => ledger.load(node))
    return (question) => {
      const choice = index.choose(question)
      if (!choice.ok) throw new Error(choice.why)
      ledger.reserve(question.workload, choice.target)
      return choice.target
    }
  }
  const byAllPairs: Choose = (ledger) => (question) => {
    const choice = chooseTarget(question, candidates, (node) => ledger.load(node))
    if (!choice.ok) throw new Error(choice.why)
    ledger.reserve(question.workload, choice.target)
    return choice.target
  }
  const times = { ours: [] as number[], pairs: [] as number[] }
  let cpuMs = Number.POSITIVE_INFINITY
  for (let round = 0; round <= rounds; round++) {
    let ours: readonly NodeId[] = []
    let theirs: readonly NodeId[] = []
    const before = process.cpuUsage()
    const oursMs = timed(() => (ours = place(placements, byIndex)))
    const { user, system } = process.cpuUsage(before)
    cpuMs = Math.min(cpuMs, (user + system) / 1_000)
    const theirsMs = timed(() => (theirs = place(placements, byAllPairs)))
    if (ours.some((target, i) => target !== theirs[i])) throw new Error('the targets differ')
    // The first round warms up.
    if (round > 0) {
      times.ours.push(oursMs)
      times.pairs.push(theirsMs)
    }
  }
  const fleet = `${nodeCount.toLocaleString('en-US')} nodes`
  return [
    ratioRow(
      `10,000 workloads get targets among ${fleet}`,
      'greedy over all pairs',
      times satisfies Times,
      { ours: 'ours', rival: 'pairs', reach: 2 },
    ),
    {
      what: `10,000 workloads get targets among ${fleet}, ms of processor time`,
      against: null,
      value: cpuMs,
      reach: '< 1000',
      better: 'less',
      ok: cpuMs < 1_000,
    },
  ]
}

function place(placements: readonly Placement[], choose: Choose): readonly NodeId[] {
  const ledger = new PlacementLedger()
  for (const each of placements) ledger.place(each)
  const next = choose(ledger)
  return placements.map(({ workload, needs }) =>
    next({ workload, needs, from: GONE, troubledZone: 'a', targetLoadMaxRatio: 0.9 }),
  )
}

/** In three zones, one in eight with GPUs, of three sizes; all of them carry the work in the end. */
function candidate(i: number, nodeCount: number): Candidate {
  const gpu = i % 8 === 0 ? { model: 'h100', count: 8, interconnect: 'nvlink' } : null
  const size = (1 + (i % 3)) * (40_000 / nodeCount)
  const capacity = { cpu: size, memoryBytes: size * 4e9, gpu }
  return { node: `node-${i}` as NodeId, zone: ZONES[i % 3], capacity, fit: i % 50 !== 49 }
}

function placement(i: number): Placement {
  const gpu = i % 100 === 0 ? { model: 'h100', count: 1, interconnect: null } : null
  const needs = { cpu: 1 + (i % 4), memoryBytes: (1 + (i % 5)) * 1e9, gpu }
  const priority: Priority = 'NORMAL'
  const workload = `work-${i}` as WorkloadId
  return { workload, node: null, pool: POOL, priority, needs, stateBytes: 0, dependsOn: [] }
}
