/**
 * Faults of one cause are one incident. Which incident a fault belongs to is a function of what stands
 * when it is raised, and its identity is the name of the cause: as long as that is the same trouble,
 * also over a short lull, it is the same incident.
 */
import type { Fault } from '../core/fault.ts'
import type { NodeId } from '../core/ids.ts'
import type { Cause, CausePolicy, SharedCauses } from './shared-cause.ts'

/** `node:n17`, `zone:z1`, `model:m3`, `service:db`, `pool:network-partition`. */
export type GroupIdentity = string

export interface Group {
  readonly identity: GroupIdentity
  /** Null where it is of one node or one subject. */
  cause: Cause | null
  readonly openedAtMs: number
  /** `DETECTOR/SUBJECT` → the fault. */
  readonly faults: Map<string, Fault>
}

/** What became of a fault that was raised or cleared. */
export interface Grouped {
  readonly group: Group
  /** Groups whose faults moved into this one: what they were is now known to be one cause. */
  readonly absorbed: readonly Group[]
}

export class IncidentGroups {
  readonly #causes: SharedCauses
  readonly #groups = new Map<GroupIdentity, Group>()
  /** Fault key → the group it is in. */
  readonly #groupOf = new Map<string, Group>()
  /** Node → keys of its standing faults that are more than warnings. */
  readonly #ofNode = new Map<NodeId, Set<string>>()

  constructor(causes: SharedCauses) {
    this.#causes = causes
  }

  groups(): Iterable<Group> {
    return this.#groups.values()
  }

  /** A fault that was told before may belong elsewhere by now: others of its cause have come. */
  raise(fault: Fault, policy: CausePolicy, nowMs: number): Grouped {
    const key = keyOf(fault)
    const known = this.#groupOf.get(key)
    this.#noteNode(fault)
    const cause = fault.node === null ? null : this.#causes.causeOf(fault.node, policy)
    const identity = cause === null ? identityOf(fault) : `${cause.dimension}:${cause.value}`
    if (known !== undefined && (cause === null || known.identity === identity)) {
      known.faults.set(key, fault)
      return { group: known, absorbed: [] }
    }
    const left = known !== undefined && this.#take(known, key) ? [known] : []
    const group = this.#open(identity, cause, nowMs)
    this.#put(group, key, fault)
    return { group, absorbed: cause === null ? left : [...left, ...this.#absorb(group, policy)] }
  }

  /** The group that it was in; it is gone when nothing is left in it. */
  clear(fault: Fault): Group | null {
    const key = keyOf(fault)
    const group = this.#groupOf.get(key)
    if (group === undefined) return null
    this.#take(group, key)
    if (fault.node !== null) this.#forgetOfNode(fault.node, key)
    return group
  }

  /** True where nothing is left in the group, which is gone then. */
  #take(group: Group, key: string): boolean {
    this.#groupOf.delete(key)
    group.faults.delete(key)
    if (group.faults.size > 0) return false
    this.#groups.delete(group.identity)
    return true
  }

  #open(identity: GroupIdentity, cause: Cause | null, nowMs: number): Group {
    let group = this.#groups.get(identity)
    if (group === undefined) {
      group = { identity, cause, openedAtMs: nowMs, faults: new Map() }
      this.#groups.set(identity, group)
    } else group.cause = cause
    return group
  }

  /** Nodes that are faulty for the same cause and were thought to be cases of their own. */
  #absorb(group: Group, policy: CausePolicy): readonly Group[] {
    const absorbed: Group[] = []
    for (const other of this.#groups.values()) {
      if (other === group || !other.identity.startsWith('node:')) continue
      const [node] = nodesOf(other)
      const cause = node === undefined ? null : this.#causes.causeOf(node, policy)
      if (cause === null || `${cause.dimension}:${cause.value}` !== group.identity) continue
      for (const [key, fault] of other.faults) this.#put(group, key, fault)
      this.#groups.delete(other.identity)
      absorbed.push(other)
    }
    return absorbed
  }

  #put(group: Group, key: string, fault: Fault): void {
    group.faults.set(key, fault)
    this.#groupOf.set(key, group)
  }

  /** Warnings make no cause: half a pool may be busy at noon, and nothing is wrong with it. */
  #noteNode(fault: Fault): void {
    const { node, severity } = fault
    if (node === null) return
    if (severity === 'info' || severity === 'warning') {
      this.#forgetOfNode(node, keyOf(fault))
      return
    }
    const keys = this.#ofNode.get(node) ?? new Set()
    keys.add(keyOf(fault))
    this.#ofNode.set(node, keys)
    const blames = [...keys].every((key) => key.startsWith('predicted-failure/'))
    const model = fault.evidence.find(({ what }) => what === 'model')?.value
    this.#causes.setFaulty(node, blames && typeof model === 'string' ? model : undefined)
  }

  #forgetOfNode(node: NodeId, key: string): void {
    const keys = this.#ofNode.get(node)
    keys?.delete(key)
    if (keys === undefined || keys.size > 0) return
    this.#ofNode.delete(node)
    this.#causes.clearFaulty(node)
  }
}

/** Every node that a group's faults concern, in order. */
export function nodesOf(group: Group): readonly NodeId[] {
  return nodesOfAll(group.faults.values())
}

export function nodesOfAll(faults: Iterable<Fault>): readonly NodeId[] {
  const nodes = new Set<NodeId>()
  for (const { node, others = [] } of faults) {
    if (node !== null) nodes.add(node)
    for (const other of others) nodes.add(other)
  }
  return [...nodes].sort()
}

function identityOf({ node, detector, subject }: Fault): GroupIdentity {
  return node === null ? `${detector}:${subject}` : `node:${node}`
}

function keyOf({ detector, subject }: Fault): string {
  return `${detector}/${subject}`
}
