/**
 * The consistent-hash ring: who owns a key, and which replicas move when members change. Nodes are
 * indices towards the kernel; an index is never given to another node, so that placements stay valid.
 */
import { toBytes } from '../core/bytes.ts'
import { assert, ServiceError } from '../core/errors.ts'
import type { RingKeys, RingMember } from '../core/ring.ts'
import { BOUND_DEFAULT, checkMember, NOBODY, virtualNodes } from '../core/ring.ts'
import type { KeyRing } from '../core/router.ts'
import {
  capacitiesOf,
  checkReplicas,
  loadsOf,
  movesOf,
  type Placement,
  type PlanOptions,
  type RingChange,
  type RingPlan,
  SLOTS_MAX,
} from './placement.ts'
import { type RegionName, RingMemory } from './ring-memory.ts'

/** 64 thousand nodes of weight 1; beyond it a ring is split by pool. */
export const POINTS_MAX = 1 << 24
/** Keys are brought in by so many at a time, which stay in the processor's cache until they are read. */
const LOOKUP_KEYS = 8_192
/** Points behind the last, which end a search. */
const SENTINELS = 2
/** As the zone of a node that has left. */
const GONE = 0xffff_ffff

export class Ring implements KeyRing {
  readonly #memory: RingMemory
  readonly #members: RingMember[] = []
  readonly #indices = new Map<string, number>()
  readonly #zones = new Map<string | null, number>()
  #pointCount = 0

  constructor(module: WebAssembly.Module, members: readonly RingMember[] = []) {
    this.#memory = new RingMemory(module)
    this.change({ join: members })
  }

  get memberCount(): number {
    return this.#indices.size
  }

  get leftCount(): number {
    return this.#members.length - this.#indices.size
  }

  /** In no particular order. */
  members(): readonly RingMember[] {
    return [...this.#indices.values()].map((index) => this.#members[index])
  }

  /** Also of a node that has left. */
  nodeAt(index: number): string {
    return this.#members[index].node
  }

  has(node: string): boolean {
    return this.#indices.has(node)
  }

  /** All of it or, with ServiceError INPUT_INVALID or TABLE_FULL, nothing. */
  change({ join = [], leave = [], change = [] }: RingChange): void {
    this.#check(join, leave, change)
    const [gone, fresh]: [Span[], Span[]] = [[], []]
    for (const node of leave) {
      const index = this.#indices.get(node)!
      gone.push({ index, from: 0, to: virtualNodes(this.#members[index].weight) })
      this.#indices.delete(node)
      this.#setZone(index, GONE)
    }
    for (const member of join) {
      const index = this.#members.push(member) - 1
      this.#indices.set(member.node, index)
      this.#setSeed(index)
      this.#setZone(index, this.#zoneOf(member.zone))
      fresh.push({ index, from: 0, to: virtualNodes(member.weight) })
    }
    for (const member of change) {
      const index = this.#indices.get(member.node)!
      const [had, has] = [this.#members[index].weight, member.weight].map(virtualNodes)
      if (has < had) gone.push({ index, from: has, to: had })
      else fresh.push({ index, from: had, to: has })
      this.#members[index] = member
      this.#setZone(index, this.#zoneOf(member.zone))
    }
    this.#subtract(gone)
    this.#merge(fresh)
    this.#index()
  }

  ownerOf(key: string): string | undefined {
    return this.walk(key, () => true, 1)[0]
  }

  /** The first `countMax` nodes on the walk from the key that are `wanted`, each once. */
  walk(key: string, wanted: (node: string) => boolean, countMax: number): readonly string[] {
    if (this.#pointCount === 0) return []
    const first = this.#firstPoint(toBytes(key))
    const points = this.#memory.region('points', this.#pointCount * 2)
    const met = new Set<number>()
    const found: string[] = []
    for (let i = 0; i < this.#pointCount && found.length < countMax; i++) {
      const index = points[((first + i) % this.#pointCount) * 2]
      if (met.has(index)) continue
      met.add(index)
      if (wanted(this.nodeAt(index))) found.push(this.nodeAt(index))
      if (met.size === this.memberCount) break
    }
    return found
  }

  /** Owner of each key, as an index; NOBODY everywhere on an empty ring. */
  owners(keys: RingKeys, out: Uint32Array = new Uint32Array(keys.offsets.length - 1)): Uint32Array {
    if (this.#pointCount === 0) return out.fill(NOBODY)
    for (let key = 0; key < out.length; key += LOOKUP_KEYS) {
      const count = Math.min(LOOKUP_KEYS, out.length - key)
      const [keysAt, offsetsAt] = this.#bring(keys, key, count)
      const ownersAt = this.#memory.room('owners', LOOKUP_KEYS * 4)
      this.#memory.kernel.ringOwners(keysAt, offsetsAt, count, ownersAt)
      out.set(this.#memory.words(ownersAt, count), key)
    }
    return out
  }

  /**
   * Where a decoder may write keys itself, which saves their copy: the first key at 0, offsets rising.
   * The views are valid until the next call of anything but `stagedOwners`.
   */
  stage(byteCount: number, keyCount: number): RingKeys {
    const memory = this.#memory
    const [at, offsetsAt] = [
      memory.room('keys', byteCount),
      memory.room('offsets', keyCount * 4 + 4),
    ]
    memory.room('owners', keyCount * 4)
    return {
      bytes: memory.bytes().subarray(at, at + byteCount),
      offsets: memory.words(offsetsAt, keyCount + 1),
    }
  }

  /** Owners of the first `keyCount` staged keys: a view, valid as long as those of `stage`. */
  stagedOwners(keyCount: number): Uint32Array {
    const [keys, offsets] = [this.#memory.room('keys', 0), this.#memory.room('offsets', 0)]
    const owners = this.#memory.region('owners', keyCount)
    if (this.#pointCount === 0) return owners.fill(NOBODY)
    this.#memory.kernel.ringOwners(keys, offsets, keyCount, owners.byteOffset)
    return owners
  }

  /** Where the replicas belong by the ring alone, whatever the loads. */
  replicas(keys: RingKeys, replicaCount: number): Uint32Array {
    checkReplicas(keys, replicaCount)
    this.#bringPositions(keys)
    const count = (keys.offsets.length - 1) * replicaCount
    const at = this.#replicas('after', keys.offsets.length - 1, replicaCount)
    return this.#memory.words(at, count).slice()
  }

  /** A first placement, with loads bounded. */
  place(keys: RingKeys, replicaCount = 1, options: PlanOptions = {}): RingPlan {
    const owners = new Uint32Array((keys.offsets.length - 1) * replicaCount).fill(NOBODY)
    return this.plan({ keys, replicaCount, owners }, {}, options)
  }

  /** Makes the change and says which replicas move for it; `placement` itself is not changed. */
  plan(placement: Placement, change: RingChange, options: PlanOptions = {}): RingPlan {
    const { bound = BOUND_DEFAULT, before } = options
    const { keys, replicaCount, owners } = placement
    if (!(bound >= 1)) throw new ServiceError('INPUT_INVALID', `bound ${bound} is less than 1`)
    checkReplicas(keys, replicaCount)
    const keyCount = keys.offsets.length - 1
    assert(owners.length === keyCount * replicaCount, 'a placement has every replica of every key')
    this.#check(change.join ?? [], change.leave ?? [], change.change ?? [])
    this.#bringPositions(keys)
    if (before === undefined) this.#replicas('before', keyCount, replicaCount)
    else this.#memory.write('before', before)
    this.change(change)
    this.#replicas('after', keyCount, replicaCount)
    const { moveCount, movesAt, placementAt } = this.#runPlan(placement, options)
    const { kernel } = this.#memory
    return {
      moves: movesOf(this.#memory.words(movesAt, moveCount * 3)),
      placement: {
        keys,
        replicaCount,
        owners: this.#memory.words(placementAt, owners.length).slice(),
      },
      deferredCount: kernel.ringDeferred(),
      unplacedCount: kernel.ringUnplaced(),
      excessCount: kernel.ringExcess(this.#members.length),
    }
  }

  /** Replicas per member, and how many each may hold. */
  loads(
    placement: Placement,
    bound = BOUND_DEFAULT,
    idle: PlanOptions['idle'] = 'drain',
  ): readonly { readonly member: RingMember; readonly load: number; readonly capacity: number }[] {
    const loads = loadsOf(placement, this.#members.length)
    const capacities = this.#capacities(placement, bound, idle)
    return [...this.#indices.values()].map((index) => ({
      member: this.#members[index],
      load: loads[index],
      capacity: capacities[index],
    }))
  }

  #check(
    join: readonly RingMember[],
    leave: readonly string[],
    change: readonly RingMember[],
  ): void {
    const named = new Set<string>()
    let points = this.#pointCount
    for (const member of [...join, ...change]) checkMember(member)
    for (const node of [...join, ...change].map((member) => member.node).concat(leave)) {
      if (named.has(node)) throw new ServiceError('INPUT_INVALID', `node ${node} is named twice`)
      named.add(node)
    }
    for (const { node, weight } of join) {
      if (this.has(node)) throw new ServiceError('INPUT_INVALID', `node ${node} is on the ring`)
      points += virtualNodes(weight)
    }
    for (const node of [...leave, ...change.map((member) => member.node)]) {
      if (!this.has(node))
        throw new ServiceError('INPUT_INVALID', `node ${node} is not on the ring`)
    }
    for (const { weight } of change) points += virtualNodes(weight)
    if (points > POINTS_MAX) {
      throw new ServiceError(
        'TABLE_FULL',
        `a ring of ${points} virtual nodes, ${POINTS_MAX} at most: lower the weights or split by pool`,
      )
    }
  }

  #setSeed(index: number): void {
    const bytes = toBytes(this.nodeAt(index))
    const seeds = this.#memory.room('seeds', (index + 1) * 8)
    const at = this.#memory.room('keys', bytes.length)
    this.#memory.bytes().set(bytes, at)
    this.#memory.kernel.ringHash(at, bytes.length, seeds + index * 8)
  }

  #setZone(index: number, zone: number): void {
    this.#memory.region('zones', this.#members.length)[index] = zone
  }

  #zoneOf(zone: string | null): number {
    const known = this.#zones.get(zone)
    if (known !== undefined) return known
    this.#zones.set(zone, this.#zones.size)
    return this.#zones.size - 1
  }

  /** Sorted points of the spans, in region `fresh`; how many. */
  #points(spans: readonly Span[]): number {
    const memory = this.#memory
    const total = spans.reduce((sum, { from, to }) => sum + to - from, 0)
    if (total === 0) return 0
    const [fresh, spare] = [memory.room('fresh', total * 8), memory.room('spare', total * 8)]
    const counters = memory.room('counters', 1_024)
    const seedsAt = memory.room('seeds', this.#members.length * 8)
    const entriesAt = memory.room('entries', spans.length * 12)
    const seeds = new BigUint64Array(memory.bytes().buffer, seedsAt, this.#members.length)
    const entries = memory.words(entriesAt, spans.length * 3)
    spans
      .toSorted((a, b) => (seeds[a.index] < seeds[b.index] ? -1 : 1))
      .forEach(({ index, from, to }, i) => entries.set([index, from, to], i * 3))
    return memory.kernel.ringPoints(entriesAt, spans.length, seedsAt, fresh, spare, counters)
  }

  #subtract(spans: readonly Span[]): void {
    const count = this.#points(spans)
    const points = this.#memory.room('points', 16)
    const fresh = this.#memory.room('fresh', 16)
    if (count > 0) this.#memory.kernel.ringSubtract(points, this.#pointCount, fresh, count)
    this.#pointCount -= count
  }

  #merge(spans: readonly Span[]): void {
    const count = this.#points(spans)
    if (count === 0) return
    const memory = this.#memory
    const byteCount = (this.#pointCount + count + SENTINELS) * 8
    const [from, to] = [memory.room('points', byteCount), memory.room('nextPoints', byteCount)]
    const [fresh, seeds] = [memory.room('fresh', 0), memory.room('seeds', 0)]
    memory.kernel.ringMerge(from, this.#pointCount, fresh, count, seeds, to)
    memory.swap('points', 'nextPoints')
    this.#pointCount += count
  }

  /** Two buckets a point: most keys then find theirs in one step. */
  #index(): void {
    const bits = Math.min(24, Math.max(8, 1 + Math.ceil(Math.log2(this.#pointCount + 1))))
    const buckets = this.#memory.room('buckets', 4 << bits)
    const points = this.#memory.room('points', 16)
    this.#memory.kernel.ringIndex(points, this.#pointCount, buckets, bits)
  }

  #firstPoint(key: Uint8Array): number {
    const at = this.#memory.room('keys', key.length)
    this.#memory.bytes().set(key, at)
    return this.#memory.kernel.ringFirst(at, key.length)
  }

  /** Copies keys in, with their offsets counted from the first of them. */
  #bring({ bytes, offsets }: RingKeys, first: number, count: number): readonly [number, number] {
    const [from, to] = [offsets[first], offsets[first + count]]
    const offsetsAt = this.#memory.room('offsets', (count + 1) * 4)
    const keysAt = this.#memory.room('keys', to - from)
    this.#memory.bytes().set(bytes.subarray(from, to), keysAt)
    this.#memory.words(offsetsAt, count + 1).set(offsets.subarray(first, first + count + 1))
    return [keysAt - from, offsetsAt]
  }

  #bringPositions(keys: RingKeys): void {
    const keyCount = keys.offsets.length - 1
    for (let key = 0; key < keyCount; key += LOOKUP_KEYS) {
      const count = Math.min(LOOKUP_KEYS, keyCount - key)
      const [keysAt, offsetsAt] = this.#bring(keys, key, count)
      const positions = this.#memory.room('positions', keyCount * 4)
      this.#memory.kernel.ringPositions(keysAt, offsetsAt, count, positions + key * 4)
    }
  }

  #replicas(region: RegionName, keyCount: number, replicaCount: number): number {
    const memory = this.#memory
    const at = memory.room(region, keyCount * replicaCount * 4)
    if (this.#pointCount === 0) {
      // A search would find no point to stop at.
      memory.words(at, keyCount * replicaCount).fill(NOBODY)
      return at
    }
    const positions = memory.room('positions', keyCount * 4)
    const taking = this.members().filter(({ weight }) => weight > 0)
    const zoneCount = new Set(taking.map(({ zone }) => zone)).size
    this.#useMembers()
    memory.kernel.ringReplicas(positions, keyCount, replicaCount, zoneCount, taking.length, at)
    return at
  }

  #useMembers(): void {
    const memory = this.#memory
    const byteCount = Math.max(this.#members.length, this.#zones.size) * 4
    memory.kernel.ringMembers(
      memory.room('zones', byteCount),
      memory.room('capacities', byteCount),
      memory.room('loads', byteCount),
      memory.room('zoneRooms', byteCount),
    )
  }

  #capacities(placement: Placement, bound: number, idle: PlanOptions['idle']): Uint32Array {
    const weights = this.#members.map(({ weight }, index) =>
      this.#indices.get(this.nodeAt(index)) === index ? weight : null,
    )
    return capacitiesOf(placement, weights, bound, idle)
  }

  #runPlan(
    placement: Placement,
    { bound = BOUND_DEFAULT, movesMax = SLOTS_MAX, idle }: PlanOptions,
  ) {
    const memory = this.#memory
    const { keys, replicaCount, owners } = placement
    const keyCount = keys.offsets.length - 1
    memory.write('capacities', this.#capacities(placement, bound, idle))
    const placementAt = memory.write('placement', owners)
    const movesAt = memory.room('moves', owners.length * 12)
    this.#useMembers()
    const moveCount = memory.kernel.ringPlan(
      memory.room('positions', 0),
      keyCount,
      replicaCount,
      placementAt,
      memory.room('before', 0),
      memory.room('after', 0),
      this.#members.length,
      this.#zones.size,
      movesAt,
      movesMax,
    )
    return { moveCount, movesAt, placementAt }
  }
}

/** Virtual nodes `from` to `to` of a node. */
interface Span {
  readonly index: number
  readonly from: number
  readonly to: number
}
