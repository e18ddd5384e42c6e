/**
 * Where a workload goes: the least loaded node that may take it and has room for it.
 *
 * One pass over the pool's nodes and no sorting; ties are broken by rendezvous hashing
 * (highest random weight, Thaler and Ravishankar 1998), so that equal nodes share the work and a
 * node that comes or goes changes no other choice.
 */
import type { NodeId, WorkloadId } from '../core/ids.ts'
import type { Capacity, Gpu } from '../core/node.ts'
import { murmur2 } from '../core/partition.ts'
import { toBytes } from '../core/bytes.ts'
import type { Needs } from '../core/workload.ts'
import { percent } from './explain.ts'
import type { Load } from './ledger.ts'

export interface Candidate {
  readonly node: NodeId
  readonly zone: string | null
  /** `null`: it never joined, so its room is not known. */
  readonly capacity: Capacity | null
  /** Live, not cordoned, not alarming, not vetoed, not in maintenance, no incident of its own. */
  readonly fit: boolean
}

export interface PlaceQuestion {
  readonly workload: WorkloadId
  readonly needs: Needs
  readonly from: NodeId
  /** A zone with other trouble than the node's own; targets elsewhere are preferred. */
  readonly troubledZone: string | null
  readonly targetLoadMaxRatio: number
}

export type TargetChoice =
  | { readonly ok: true; readonly target: NodeId }
  | { readonly ok: false; readonly why: string }

/** Loads closer than this are the same: a hash then spreads the work better than a rounding error. */
const LOAD_STEPS = 64
const EPSILON = 1e-9

interface Best {
  readonly node: NodeId
  readonly rank: number
  readonly loadStep: number
}

export function chooseTarget(
  question: PlaceQuestion,
  candidates: Iterable<Candidate>,
  loadOf: (node: NodeId) => Load,
): TargetChoice {
  let best: Best | null = null
  let [nodeCount, unfitCount, gpuCount, fullCount] = [0, 0, 0, 0]
  for (const candidate of candidates) {
    if (candidate.node === question.from) continue
    nodeCount++
    const { capacity } = candidate
    if (!candidate.fit || capacity === null) unfitCount++
    else {
      const load = loadOf(candidate.node)
      if (!hasGpu(question.needs.gpu, capacity.gpu, load)) gpuCount++
      else {
        const ratio = loadAfter(question.needs, capacity, load)
        if (ratio > question.targetLoadMaxRatio + EPSILON) fullCount++
        else best = better(question, best, rated(question, candidate, ratio))
      }
    }
  }
  if (best !== null) return { ok: true, target: best.node }
  const { gpu } = question.needs
  const wanted = gpu === null ? '' : `, ${gpuCount} lack ${gpu.count} free ${gpu.model} GPUs`
  const full = `${fullCount} would pass ${percent(question.targetLoadMaxRatio)} load`
  const why = `none of ${nodeCount} other nodes can take it: ${unfitCount} are unfit${wanted}, ${full}`
  return { ok: false, why }
}

function hasGpu(wanted: Gpu | null, have: Gpu | null, load: Load): boolean {
  if (wanted === null) return true
  if (have === null || have.model !== wanted.model) return false
  if (wanted.interconnect !== null && wanted.interconnect !== have.interconnect) return false
  return load.gpuCount + wanted.count <= have.count
}

/** The fuller of processor and memory, 0..1, with the workload on it. */
function loadAfter(needs: Needs, capacity: Capacity, load: Load): number {
  return Math.max(
    share(load.cpu + needs.cpu, capacity.cpu),
    share(load.memoryBytes + needs.memoryBytes, capacity.memoryBytes),
  )
}

/** A node that says it has none of something can take what needs none of it. */
function share(used: number, capacity: number): number {
  if (capacity > 0) return used / capacity
  return used > EPSILON ? Number.POSITIVE_INFINITY : 0
}

/** Lower ranks win: GPU nodes are kept for GPU work, then zones without other trouble. */
function rated({ needs, troubledZone }: PlaceQuestion, candidate: Candidate, ratio: number): Best {
  const wastesGpu = needs.gpu === null && candidate.capacity?.gpu != null ? 2 : 0
  const troubled = troubledZone !== null && candidate.zone === troubledZone ? 1 : 0
  const loadStep = Math.floor(ratio * LOAD_STEPS + EPSILON)
  return { node: candidate.node, rank: wastesGpu + troubled, loadStep }
}

function better({ workload }: PlaceQuestion, a: Best | null, b: Best): Best {
  if (a === null) return b
  if (a.rank !== b.rank) return a.rank < b.rank ? a : b
  if (a.loadStep !== b.loadStep) return a.loadStep < b.loadStep ? a : b
  const [weightA, weightB] = [weight(workload, a.node), weight(workload, b.node)]
  if (weightA !== weightB) return weightA > weightB ? a : b
  return a.node < b.node ? a : b
}

function weight(workload: WorkloadId, node: NodeId): number {
  return murmur2(toBytes(`${workload}\n${node}`)) >>> 0
}
