/**
 * The nodes of a pool, ordered so that many targets can be chosen without looking at all nodes for each.
 * It gives what `chooseTarget` gives.
 *
 * Nodes are kept by zone, kind of GPU and step of load. A workload only adds to a load, so nodes whose load
 * is over the best cost so far cannot win and are not looked at.
 */
import { toBytes } from '../core/bytes.ts'
import type { NodeId } from '../core/ids.ts'
import type { Capacity, Gpu } from '../core/node.ts'
import { murmur2 } from '../core/partition.ts'
import type { Load } from './ledger.ts'
import {
  type Candidate,
  Choosing,
  isGpuOf,
  LOAD_STEPS,
  loadAfter,
  type PlaceQuestion,
  type TargetChoice,
  zoneRank,
} from './place.ts'

const NO_NEEDS = { cpu: 0, memoryBytes: 0 }
/** Fuller nodes than this share the last step. */
const STEP_MAX = LOAD_STEPS + 1

interface Entry {
  readonly candidate: Candidate
  readonly capacity: Capacity
  readonly hash: number
  readonly section: Section
  /** Of the load when it was last looked at; the load may only have grown since. */
  step: number
  /** In its step. */
  position: number
}

/** Nodes of one zone with the same kind of GPUs. */
interface Section {
  readonly zone: string | null
  readonly gpu: Gpu | null
  readonly steps: readonly Entry[][]
  count: number
}

export class TargetIndex {
  readonly #loadOf: (node: NodeId) => Load
  readonly #sections = new Map<string, Section>()
  /** Null: it is unfit, or its room is not known. */
  readonly #entries = new Map<NodeId, Entry | null>()
  #unfitCount = 0

  /** `loadOf` may grow while the index is used, and does not shrink. */
  constructor(candidates: Iterable<Candidate>, loadOf: (node: NodeId) => Load) {
    this.#loadOf = loadOf
    for (const candidate of candidates) this.#add(candidate)
  }

  choose(question: PlaceQuestion): TargetChoice {
    const choosing = new Choosing(question)
    const from = this.#entries.get(question.from)
    const ranked = [...this.#sections.values()].map((section) => ({
      section,
      rank: zoneRank(question, section.gpu !== null, section.zone),
    }))
    ranked.sort((a, b) => a.rank - b.rank)
    for (const { section, rank } of ranked) {
      if (choosing.rank < rank) break
      if (isGpuOf(question.needs.gpu, section.gpu)) this.#offer(section, rank, choosing, from)
      else choosing.gpuCount += section.count - (from?.section === section ? 1 : 0)
    }
    const nodeCount = this.#entries.size - (from === undefined ? 0 : 1)
    return choosing.choice(nodeCount, this.#unfitCount - (from === null ? 1 : 0))
  }

  #offer(section: Section, rank: number, choosing: Choosing, from: Entry | null | undefined): void {
    for (let step = 0; step < section.steps.length; step++) {
      if (choosing.rank <= rank && step > choosing.cost) return
      for (const entry of section.steps[step]) {
        if (entry === from) continue
        const { candidate, capacity, hash } = entry
        choosing.offer(candidate, capacity, this.#loadOf(candidate.node), hash)
      }
    }
  }

  /** The load of the node has grown: it is found at its new step from now on. */
  grown(node: NodeId): void {
    const entry = this.#entries.get(node)
    if (entry == null) return
    const step = stepOf(entry.capacity, this.#loadOf(node))
    if (step === entry.step) return
    const { steps } = entry.section
    const last = steps[entry.step].pop()!
    if (last !== entry) {
      steps[entry.step][entry.position] = last
      last.position = entry.position
    }
    entry.step = step
    entry.position = steps[step].push(entry) - 1
  }

  #add(candidate: Candidate): void {
    const { node, zone, capacity, fit } = candidate
    if (!fit || capacity === null) {
      this.#entries.set(node, null)
      this.#unfitCount++
      return
    }
    const section = this.#section(zone, capacity.gpu)
    const step = stepOf(capacity, this.#loadOf(node))
    const position = section.steps[step].length
    const hash = murmur2(toBytes(node))
    const entry = { candidate, capacity, hash, section, step, position }
    section.steps[step].push(entry)
    section.count++
    this.#entries.set(node, entry)
  }

  #section(zone: string | null, gpu: Gpu | null): Section {
    const key = JSON.stringify([zone, gpu?.model ?? null, gpu?.interconnect ?? null, gpu === null])
    let section = this.#sections.get(key)
    if (section === undefined) {
      const steps = Array.from({ length: STEP_MAX + 1 }, (): Entry[] => [])
      this.#sections.set(key, (section = { zone, gpu, steps, count: 0 }))
    }
    return section
  }
}

function stepOf(capacity: Capacity, load: Load): number {
  return Math.min(STEP_MAX, Math.floor(loadAfter(NO_NEEDS, capacity, load) * LOAD_STEPS))
}
