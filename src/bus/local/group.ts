/** Consumer groups inside one process: who is a member, who owns which partition, who is told so. */
import { assignPartitions } from './assignment.ts'

export interface Member {
  readonly id: string
  /** The partition is another's from now on. Called before `grant` of the other. */
  revoke(partition: number): void
  grant(partition: number): void
}

export class Group {
  readonly partitionCount: number
  readonly #members = new Map<string, Member>()
  #assignment: ReadonlyMap<number, string> = new Map()

  constructor(partitionCount: number) {
    this.partitionCount = partitionCount
  }

  has(memberId: string): boolean {
    return this.#members.has(memberId)
  }

  owner(partition: number): string | undefined {
    return this.#assignment.get(partition)
  }

  join(member: Member): void {
    this.#members.set(member.id, member)
    this.#assign(this.#assignment)
  }

  leave(memberId: string): void {
    if (this.#members.delete(memberId)) this.#assign(this.#assignment)
  }

  /** Takes the member out without its knowing: what a broker does when heartbeats stop. */
  expire(memberId: string): void {
    const member = this.#members.get(memberId)
    if (member === undefined) return
    this.#members.delete(memberId)
    this.#assign(this.#assignment, memberId)
  }

  /** A group rebalance that moves partitions for no good reason, as they do. `order` leads. */
  shuffle(order: readonly number[]): void {
    const members = [...this.#members.keys()].sort()
    if (members.length === 0) return
    this.#assign(new Map(order.map((p, i) => [p, members[i % members.length]])))
  }

  #assign(previous: ReadonlyMap<number, string>, silentId?: string): void {
    const before = this.#assignment
    const after = assignPartitions([...this.#members.keys()], this.partitionCount, previous)
    this.#assignment = after
    const moved = [...Array(this.partitionCount).keys()].filter(
      (p) => before.get(p) !== after.get(p),
    )
    for (const partition of moved) {
      const loser = before.get(partition)
      if (loser !== undefined && loser !== silentId) this.#members.get(loser)?.revoke(partition)
    }
    for (const partition of moved) {
      const winner = after.get(partition)
      if (winner !== undefined) this.#members.get(winner)!.grant(partition)
    }
  }
}

/** The groups of one store, made on first use. */
export class Groups {
  readonly #groups = new Map<string, Group>()

  open(name: string, partitionCount: number): Group {
    const group = this.#groups.get(name) ?? new Group(partitionCount)
    this.#groups.set(name, group)
    return group
  }

  get(name: string): Group | undefined {
    return this.#groups.get(name)
  }

  names(): readonly string[] {
    return [...this.#groups.keys()]
  }
}
