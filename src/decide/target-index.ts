/**
 * The nodes of a pool, ordered so that many targets can be chosen without looking at all nodes for each.
 * It gives what `chooseTarget` gives.
 *
 * Nodes of one zone, kind of GPU, capacity and step of load cost a workload the same, so the first few of them
 * on the ring that have room stand for all.
 */
import type { NodeId } from '../core/ids.ts'
import type { Capacity, Gpu } from '../core/node.ts'
import type { Load } from './ledger.ts'
import {
  type Candidate,
  Choosing,
  isGpuOf,
  loadCost,
  type LoadSteps,
  loadSteps,
  type PlaceQuestion,
  ringPosition,
  TIES_MAX,
  type TargetChoice,
  zoneRank,
} from './place.ts'

interface Entry {
  readonly candidate: Candidate
  readonly capacity: Capacity
  /** On the ring. */
  readonly position: number
  readonly section: Section
  bucket: Bucket
}

/** Nodes that are alike but for their names. */
interface Bucket {
  readonly key: string
  readonly capacity: Capacity
  readonly steps: LoadSteps
  /** In the order of the ring. */
  readonly entries: Entry[]
}

/** Nodes of one zone with the same kind of GPUs. */
interface Section {
  readonly zone: string | null
  readonly gpu: Gpu | null
  /** None of them is empty. */
  readonly buckets: Map<string, Bucket>
  count: number
}

export class TargetIndex {
  readonly #loadOf: (node: NodeId) => Load
  readonly #sections = new Map<string, Section>()
  /** Null: it is unfit, or its room is not known. */
  readonly #entries = new Map<NodeId, Entry | null>()
  #unfitCount = 0
  /** What was given last. */
  #given: Entry | null = null

  /** While the index is used, a load changes only on a node that was given, before the next question. */
  constructor(candidates: Iterable<Candidate>, loadOf: (node: NodeId) => Load) {
    this.#loadOf = loadOf
    for (const candidate of candidates) this.#add(candidate)
  }

  choose(question: PlaceQuestion): TargetChoice {
    if (this.#given !== null) this.#move(this.#given)
    const choosing = new Choosing(question)
    const from = this.#entries.get(question.from)
    const avoided = (question.avoided ?? []).flatMap((node) => {
      return node === question.from ? [] : (this.#entries.get(node) ?? [])
    })
    const ranked = [...this.#sections.values()].map((section) => ({
      section,
      rank: zoneRank(question, section.gpu !== null, section.zone),
    }))
    ranked.sort((a, b) => a.rank - b.rank)
    for (const { section, rank } of ranked) {
      if (choosing.rank < rank) break
      if (isGpuOf(question.needs.gpu, section.gpu)) {
        this.#offer(question, section, rank, choosing, [from, ...avoided])
      } else {
        const isOut = (entry: Entry | null | undefined) => entry?.section === section
        const outCount = avoided.filter(isOut).length + Number(isOut(from))
        choosing.gpuCount += section.count - outCount
      }
    }
    const nodeCount = this.#entries.size - (from === undefined ? 0 : 1)
    const unfitCount = this.#unfitCount + avoided.length - (from === null ? 1 : 0)
    const choice = choosing.choice(nodeCount, unfitCount)
    this.#given = choice.ok ? (this.#entries.get(choice.target) ?? null) : null
    return choice
  }

  #offer(
    { needs, group = null, nearness = null }: PlaceQuestion,
    { buckets }: Section,
    rank: number,
    choosing: Choosing,
    out: readonly (Entry | null | undefined)[],
  ): void {
    const isAlike = group === null && nearness === null
    for (const { capacity, steps, entries } of buckets.values()) {
      if (choosing.rank <= rank && loadCost(needs, capacity, steps) > choosing.cost) continue
      const first = placeOf(entries, choosing.position, '')
      let left = isAlike ? TIES_MAX : entries.length
      for (let i = 0; i < entries.length && left > 0; i++) {
        const entry = entries[(first + i) % entries.length]
        if (out.includes(entry)) continue
        const { candidate, position } = entry
        const load = this.#loadOf(candidate.node)
        if (choosing.offer(candidate, capacity, load, position)) left--
      }
    }
  }

  #add(candidate: Candidate): void {
    const { node, zone, capacity, fit } = candidate
    if (!fit || capacity === null) {
      this.#entries.set(node, null)
      this.#unfitCount++
      return
    }
    const section = this.#section(zone, capacity.gpu)
    const bucket = this.#bucket(section, capacity, node)
    const entry = { candidate, capacity, position: ringPosition(node), section, bucket }
    insert(bucket, entry)
    section.count++
    this.#entries.set(node, entry)
  }

  /** To where its load has it now. */
  #move(entry: Entry): void {
    const { candidate, capacity, section, position, bucket: before } = entry
    const bucket = this.#bucket(section, capacity, candidate.node)
    if (bucket === before) return
    before.entries.splice(placeOf(before.entries, position, candidate.node), 1)
    if (before.entries.length === 0) section.buckets.delete(before.key)
    entry.bucket = bucket
    insert(bucket, entry)
  }

  #section(zone: string | null, gpu: Gpu | null): Section {
    const key = JSON.stringify([zone, gpu === null ? null : [gpu.model, gpu.interconnect]])
    let section = this.#sections.get(key)
    if (section === undefined) {
      this.#sections.set(key, (section = { zone, gpu, buckets: new Map(), count: 0 }))
    }
    return section
  }

  #bucket({ buckets }: Section, capacity: Capacity, node: NodeId): Bucket {
    const steps = loadSteps(capacity, this.#loadOf(node))
    const key = `${capacity.cpu}/${capacity.memoryBytes}/${steps.cpu}/${steps.memory}`
    let bucket = buckets.get(key)
    if (bucket === undefined) buckets.set(key, (bucket = { key, capacity, steps, entries: [] }))
    return bucket
  }
}

function insert({ entries }: Bucket, entry: Entry): void {
  entries.splice(placeOf(entries, entry.position, entry.candidate.node), 0, entry)
}

/** Of the first that is not before this one on the ring; as many as there are where all are before it. */
function placeOf(entries: readonly Entry[], position: number, node: string): number {
  let [low, high] = [0, entries.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const { position: other, candidate } = entries[middle]
    if (other < position || (other === position && candidate.node < node)) low = middle + 1
    else high = middle
  }
  return low
}
