/** The part of a ring that a router needs, so that it can be asked without knowing the kernels. */
import type { RingMember } from './ring.ts'

export interface KeyRing {
  readonly memberCount: number
  /** Members that have left since it was made; they still take some memory. */
  readonly leftCount: number
  has(node: string): boolean
  members(): readonly RingMember[]
  change(change: { readonly join: readonly RingMember[]; readonly leave: readonly string[] }): void
  /** The first `countMax` nodes on the walk from the key that are `wanted`, each once. */
  walk(key: string, wanted: (node: string) => boolean, countMax: number): readonly string[]
}
