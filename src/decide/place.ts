/**
 * Where a workload goes: the best node that may take it and has room for it.
 *
 * May: it is fit, has the GPUs, and stays within the bound of load. Best, in this order: no GPU is wasted,
 * its zone has no other trouble, others of its group are in other zones and on other nodes; then the least
 * load and the least latency, weighed against each other. Ties are broken by rendezvous hashing (highest
 * random weight, Thaler and Ravishankar 1998), so that equal nodes share the work and a node that comes or
 * goes changes no other choice.
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
  /** Where others of its group run; absent: it has none. */
  readonly group?: GroupPlaces | null
  /** What it is best near to; absent: nothing is known of that. */
  readonly nearness?: Nearness | null
}

export interface GroupPlaces {
  readonly name: string
  /** Others of the group in the zone; 0 where it is not known. */
  inZone(zone: string | null): number
  onNode(node: NodeId): number
}

export interface Nearness {
  /** In words, e.g. `node n7, where what it depends on runs`. */
  readonly to: string
  /** Mean latency between the node and that; null where it is not known. */
  latencyMs(node: NodeId): number | null
}

export type TargetChoice =
  | { readonly ok: true; readonly target: NodeId; readonly why: string }
  | { readonly ok: false; readonly why: string }

/** Loads closer than this are the same: a hash then spreads the work better than a rounding error. */
export const LOAD_STEPS = 64
const EPSILON = 1e-9
/** Bounds of the classes of latency, ms: within a rack, a zone, a region, a continent. */
const NEAR_MS = [1, 4, 16, 64] as const
/** A class of latency weighs as much as an eighth of a node's load. */
const NEAR_STEPS = LOAD_STEPS / 8
/** Others of a group beyond this count as this many. */
const GROUP_COUNT_MAX = 1_023

export function chooseTarget(
  question: PlaceQuestion,
  candidates: Iterable<Candidate>,
  loadOf: (node: NodeId) => Load,
): TargetChoice {
  const choosing = new Choosing(question)
  let [nodeCount, unfitCount] = [0, 0]
  for (const candidate of candidates) {
    if (candidate.node === question.from) continue
    nodeCount++
    if (!candidate.fit || candidate.capacity === null) unfitCount++
    else choosing.offer(candidate, candidate.capacity, loadOf(candidate.node))
  }
  return choosing.choice(nodeCount, unfitCount)
}

/** One question while nodes are offered for it. Which comes first makes no difference. */
export class Choosing {
  readonly #question: PlaceQuestion
  readonly #workloadHash: number
  #best: Candidate | null = null
  #rank = Number.POSITIVE_INFINITY
  #cost = Number.POSITIVE_INFINITY
  #ratio = 0
  #weight = -1
  gpuCount = 0
  #fullCount = 0

  constructor(question: PlaceQuestion) {
    this.#question = question
    this.#workloadHash = murmur2(toBytes(question.workload))
  }

  /** Of the best so far; infinite before the first. */
  get rank(): number {
    return this.#rank
  }

  get cost(): number {
    return this.#cost
  }

  /** `hash`: of the node, where it is at hand. */
  offer(candidate: Candidate, capacity: Capacity, load: Load, hash?: number): void {
    const { needs, targetLoadMaxRatio, group = null, nearness = null } = this.#question
    if (!hasGpu(needs.gpu, capacity.gpu, load)) {
      this.gpuCount++
      return
    }
    const ratio = loadAfter(needs, capacity, load)
    if (ratio > targetLoadMaxRatio + EPSILON) {
      this.#fullCount++
      return
    }
    const { node, zone } = candidate
    const beside = group === null ? 0 : Math.min(group.onNode(node), GROUP_COUNT_MAX)
    const rank = zoneRank(this.#question, capacity.gpu !== null, zone) + beside
    if (rank > this.#rank) return
    const near = nearness === null ? 0 : NEAR_STEPS * nearClass(nearness.latencyMs(node))
    const cost = Math.floor(ratio * LOAD_STEPS + EPSILON) + near
    if (rank === this.#rank) {
      if (cost > this.#cost) return
      if (cost === this.#cost && !this.#isHeavier(node, hash)) return
    }
    this.#best = candidate
    this.#rank = rank
    this.#cost = cost
    this.#ratio = ratio
    this.#weight = -1
  }

  choice(nodeCount: number, unfitCount: number): TargetChoice {
    const { needs, targetLoadMaxRatio } = this.#question
    if (this.#best !== null)
      return { ok: true, target: this.#best.node, why: this.#why(this.#best) }
    const { gpu } = needs
    const wanted = gpu === null ? '' : `, ${this.gpuCount} lack ${gpu.count} free ${gpu.model} GPUs`
    const full = `${this.#fullCount} would pass ${percent(targetLoadMaxRatio)} load`
    const why = `none of ${nodeCount} other nodes can take it: ${unfitCount} are unfit${wanted}, ${full}`
    return { ok: false, why }
  }

  #why({ node, zone }: Candidate): string {
    const {
      needs,
      targetLoadMaxRatio,
      troubledZone,
      group = null,
      nearness = null,
    } = this.#question
    const reasons = [
      `${percent(this.#ratio)} load with it, of at most ${percent(targetLoadMaxRatio)}`,
    ]
    const { gpu } = needs
    if (gpu !== null) {
      const over = gpu.interconnect === null ? '' : ` over ${gpu.interconnect}`
      reasons.push(`it has ${gpu.count} free ${gpu.model} GPUs${over}`)
    }
    if (troubledZone !== null && zone !== troubledZone) {
      reasons.push(`it is out of zone ${troubledZone}, where others alarm`)
    }
    if (group !== null && zone !== null) {
      reasons.push(`its zone ${zone} has ${group.inZone(zone)} others of group ${group.name}`)
    }
    const latencyMs = nearness?.latencyMs(node) ?? null
    if (nearness !== null && latencyMs !== null) {
      reasons.push(`${Number(latencyMs.toPrecision(3))} ms from ${nearness.to}`)
    }
    return `Node ${node} is the best that can take it: ${reasons.join('; ')}.`
  }

  #isHeavier(node: NodeId, hash = murmur2(toBytes(node))): boolean {
    const best = this.#best!.node
    if (this.#weight < 0) this.#weight = mix(this.#workloadHash, murmur2(toBytes(best)))
    const weight = mix(this.#workloadHash, hash)
    return weight === this.#weight ? node < best : weight > this.#weight
  }
}

/**
 * Lower ranks win, whatever the load: GPU nodes are kept for GPU work, then zones without other trouble,
 * then those with fewer of the workload's group.
 */
export function zoneRank(
  { needs, troubledZone, group = null }: PlaceQuestion,
  hasGpus: boolean,
  zone: string | null,
): number {
  const wastesGpu = needs.gpu === null && hasGpus ? 2 : 0
  const troubled = troubledZone !== null && zone === troubledZone ? 1 : 0
  const beside = group === null ? 0 : Math.min(group.inZone(zone), GROUP_COUNT_MAX)
  return ((wastesGpu + troubled) * (GROUP_COUNT_MAX + 1) + beside) * (GROUP_COUNT_MAX + 1)
}

/** Model and interconnect; whether enough are free is the node's to say. */
export function isGpuOf(wanted: Gpu | null, have: Gpu | null): boolean {
  if (wanted === null) return true
  if (have === null || have.model !== wanted.model) return false
  return wanted.interconnect === null || wanted.interconnect === have.interconnect
}

/** The fuller of processor and memory, 0..1, with these needs on top. */
export function loadAfter(
  needs: Pick<Needs, 'cpu' | 'memoryBytes'>,
  capacity: Capacity,
  load: Load,
): number {
  return Math.max(
    share(load.cpu + needs.cpu, capacity.cpu),
    share(load.memoryBytes + needs.memoryBytes, capacity.memoryBytes),
  )
}

function hasGpu(wanted: Gpu | null, have: Gpu | null, load: Load): boolean {
  if (wanted === null) return true
  return isGpuOf(wanted, have) && load.gpuCount + wanted.count <= (have?.count ?? 0)
}

/** A node that says it has none of something can take what needs none of it. */
function share(used: number, capacity: number): number {
  if (capacity > 0) return used / capacity
  return used > EPSILON ? Number.POSITIVE_INFINITY : 0
}

/** 0 is nearest; what is not known counts as the furthest. */
function nearClass(latencyMs: number | null): number {
  if (latencyMs === null) return NEAR_MS.length
  let near = 0
  for (const boundMs of NEAR_MS) if (latencyMs > boundMs) near++
  return near
}

/** A weight of the pair, as good as a hash of both: the last steps of MurmurHash3. */
function mix(workload: number, node: number): number {
  let h = workload ^ Math.imul(node, 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
