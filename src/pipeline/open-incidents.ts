/**
 * The open incidents of a pool, found by their node and by what they wait for. Thousands may wait for an
 * operator or a budget, and whatever happens to one node must not look at them all.
 */
import type { Rail } from '../core/command.ts'
import type { IncidentId } from '../core/ids.ts'
import type { Incident } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

const NONE: ReadonlySet<never> = new Set()

export class OpenIncidents {
  readonly #byId = new Map<IncidentId, Incident>()
  readonly #ofNode = new Map<NodeState, Set<Incident>>()
  readonly #refusedBy = new Map<Rail, Set<Incident>>()

  get size(): number {
    return this.#byId.size
  }

  get(id: IncidentId): Incident | undefined {
    return this.#byId.get(id)
  }

  all(): Iterable<Incident> {
    return this.#byId.values()
  }

  /** Its own, and what lets it take work again after one. */
  ofNode(node: NodeState): readonly Incident[] {
    return [...(this.#ofNode.get(node) ?? NONE)]
  }

  /** One with the same id gives way. */
  add(incident: Incident): void {
    const before = this.#byId.get(incident.id)
    if (before !== undefined) this.delete(before)
    this.#byId.set(incident.id, incident)
    put(this.#ofNode, incident.node, incident)
    for (const rail of incident.refused) put(this.#refusedBy, rail, incident)
  }

  delete(incident: Incident): void {
    if (this.#byId.get(incident.id) !== incident) return
    this.#byId.delete(incident.id)
    take(this.#ofNode, incident.node, incident)
    for (const rail of incident.refused) take(this.#refusedBy, rail, incident)
  }

  /** Rails that refuse it now and were journaled. */
  setRefused(incident: Incident, rails: ReadonlySet<Rail>): void {
    const isOpen = this.#byId.get(incident.id) === incident
    for (const rail of isOpen ? incident.refused : NONE) take(this.#refusedBy, rail, incident)
    incident.refused = rails
    for (const rail of isOpen ? rails : NONE) put(this.#refusedBy, rail, incident)
  }

  refusedCount(rail: Rail): number {
    return this.#refusedBy.get(rail)?.size ?? 0
  }

  refusedBy(rail: Rail): Iterable<Incident> {
    return this.#refusedBy.get(rail) ?? NONE
  }
}

function put<K>(index: Map<K, Set<Incident>>, key: K, incident: Incident): void {
  const known = index.get(key)
  if (known === undefined) index.set(key, new Set([incident]))
  else known.add(incident)
}

function take<K>(index: Map<K, Set<Incident>>, key: K, incident: Incident): void {
  const known = index.get(key)
  known?.delete(incident)
  if (known?.size === 0) index.delete(key)
}
