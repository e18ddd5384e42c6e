/**
 * Where a workload goes: the best node that may take it and has room for it.
 *
 * May: it is fit, has the GPUs, and stays within the bound of load. Best, in this order: no GPU is wasted,
 * its zone has no other trouble, others of its group are in other zones and on other nodes; then the least
 * load and the least latency, weighed against each other. Of those that are as good as each other, the
 * `TIES_MAX` that follow the workload on a ring of hashes are drawn from by rendezvous hashing (highest random
 * weight, Thaler and Ravishankar 1998): equal nodes share the work, few are looked at, and a node that comes or
 * goes changes no choice among as many, and hardly any among more.
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
  /** Nodes that it came to nothing on; absent: none. */
  readonly avoided?: readonly NodeId[]
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

/** Loads closer than this are the same: the ring then spreads the work better than a rounding error. */
const LOAD_STEPS = 64
const EPSILON = 1e-9
/** Bounds of the classes of latency, ms: within a rack, a zone, a region, a continent. */
const NEAR_MS = [1, 4, 16, 64] as const
/** A class of latency weighs as much as an eighth of a node's load. */
const NEAR_STEPS = LOAD_STEPS / 8
/** Of nodes as good as each other, so many are drawn from. */
export const TIES_MAX = 16
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
    const isAvoided = question.avoided?.includes(candidate.node) ?? false
    if (!candidate.fit || candidate.capacity === null || isAvoided) unfitCount++
    else choosing.offer(candidate, candidate.capacity, loadOf(candidate.node))
  }
  return choosing.choice(nodeCount, unfitCount)
}

interface Tie {
  readonly candidate: Candidate
  /** Of the node on the ring. */
  readonly position: number
  /** From the workload on. */
  readonly distance: number
  readonly ratio: number
}

/** One question while nodes are offered for it. Which comes first makes no difference. */
export class Choosing {
  readonly #question: PlaceQuestion
  /** Where the workload is on the ring. */
  readonly position: number
  /** The best so far, all as good as each other. */
  #ties: Tie[] = []
  #rank = Number.POSITIVE_INFINITY
  #cost = Number.POSITIVE_INFINITY
  gpuCount = 0
  #fullCount = 0

  constructor(question: PlaceQuestion) {
    this.#question = question
    this.position = ringPosition(question.workload)
  }

  /** Of the best so far; infinite before the first. */
  get rank(): number {
    return this.#rank
  }

  get cost(): number {
    return this.#cost
  }

  /** Whether it has room. `position`: of the node on the ring, where it is at hand. */
  offer(candidate: Candidate, capacity: Capacity, load: Load, position?: number): boolean {
    const { needs, targetLoadMaxRatio, group = null, nearness = null } = this.#question
    if (!hasGpu(needs.gpu, capacity.gpu, load)) {
      this.gpuCount++
      return false
    }
    const ratio = loadAfter(needs, capacity, load)
    if (ratio > targetLoadMaxRatio + EPSILON) {
      this.#fullCount++
      return false
    }
    const { node, zone } = candidate
    const beside = group === null ? 0 : Math.min(group.onNode(node), GROUP_COUNT_MAX)
    const rank = zoneRank(this.#question, capacity.gpu !== null, zone) + beside
    if (rank > this.#rank) return true
    const near = nearness === null ? 0 : NEAR_STEPS * nearClass(nearness.latencyMs(node))
    const cost = loadCost(needs, capacity, loadSteps(capacity, load)) + near
    if (rank === this.#rank && cost > this.#cost) return true
    if (rank < this.#rank || cost < this.#cost) this.#ties.length = 0
    this.#rank = rank
    this.#cost = cost
    const at = position ?? ringPosition(node)
    this.#ties.push({ candidate, position: at, distance: (at - this.position) >>> 0, ratio })
    if (this.#ties.length === 2 * TIES_MAX) this.#keepNearest()
    return true
  }

  #keepNearest(): void {
    this.#ties.sort((a, b) => a.distance - b.distance || byName(a, b))
    this.#ties.length = Math.min(this.#ties.length, TIES_MAX)
  }

  /** The heaviest of the nearest. */
  #best(): Tie | null {
    this.#keepNearest()
    let [best, most]: [Tie | null, number] = [null, -1]
    for (const tie of this.#ties) {
      const weight = mix(this.position, tie.position)
      if (weight > most || (weight === most && byName(tie, best!) < 0)) [best, most] = [tie, weight]
    }
    return best
  }

  choice(nodeCount: number, unfitCount: number): TargetChoice {
    const { needs, targetLoadMaxRatio } = this.#question
    const best = this.#best()
    if (best !== null) {
      return { ok: true, target: best.candidate.node, why: this.#why(best) }
    }
    const { gpu } = needs
    const wanted = gpu === null ? '' : `, ${this.gpuCount} lack ${gpu.count} free ${gpu.model} GPUs`
    const full = `${this.#fullCount} would pass ${percent(targetLoadMaxRatio)} load`
    const why = `none of ${nodeCount} other nodes can take it: ${unfitCount} are unfit${wanted}, ${full}`
    return { ok: false, why }
  }

  #why({ candidate: { node, zone }, ratio }: Tie): string {
    const {
      needs,
      targetLoadMaxRatio,
      troubledZone,
      group = null,
      nearness = null,
    } = this.#question
    const reasons = [`${percent(ratio)} load with it, of at most ${percent(targetLoadMaxRatio)}`]
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

export interface LoadSteps {
  readonly cpu: number
  readonly memory: number
}

/** A load in steps of its node's capacity. Nodes alike in both cost a workload the same. */
export function loadSteps(capacity: Capacity, load: Pick<Load, 'cpu' | 'memoryBytes'>): LoadSteps {
  return {
    cpu: Math.floor(share(load.cpu, capacity.cpu) * LOAD_STEPS + EPSILON),
    memory: Math.floor(share(load.memoryBytes, capacity.memoryBytes) * LOAD_STEPS + EPSILON),
  }
}

/** The fuller of processor and memory with the workload on it, in steps. */
export function loadCost(needs: Needs, capacity: Capacity, { cpu, memory }: LoadSteps): number {
  return Math.max(
    cpu + Math.ceil(share(needs.cpu, capacity.cpu) * LOAD_STEPS - EPSILON),
    memory + Math.ceil(share(needs.memoryBytes, capacity.memoryBytes) * LOAD_STEPS - EPSILON),
  )
}

export function ringPosition(name: string): number {
  return murmur2(toBytes(name)) >>> 0
}

/** The fuller of processor and memory, 0..1, with these needs on top. */
function loadAfter(needs: Needs, capacity: Capacity, load: Load): number {
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

function byName(a: Tie, b: Tie): number {
  return a.candidate.node < b.candidate.node ? -1 : 1
}

/** A weight of the pair, as good as a hash of both: the last steps of MurmurHash3. */
function mix(workload: number, node: number): number {
  let h = workload ^ Math.imul(node, 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
