/**
 * What the service did before failures, or would have done: by incident, from the journal. Commands and
 * results are taken first, because a line of the journal names its command and no more.
 */
import type { Command, CommandAction, JournalEntry, Rail, Result } from '../../core/command.ts'
import type { CommandId, IncidentId, NodeId, PoolId } from '../../core/ids.ts'
import { checkRoom, COMMANDS_MAX, INCIDENTS_MAX } from './limits.ts'

/** One incident in which a failure was foretold. */
export interface Deed {
  readonly node: NodeId
  readonly pool: PoolId
  readonly openedAtMs: number
  /** The first command before the failure; null where none was sent. */
  readonly actedAtMs: number | null
  /** When the mode of the pool, or a dry run, first held one back; null where nothing did. */
  readonly heldAtMs: number | null
  /** Null while it is open. */
  readonly closedAtMs: number | null
  /** When each workload was off the node, as its executor says. */
  readonly movedAtMs: readonly number[]
  readonly rails: ReadonlySet<Rail>
}

interface Order {
  readonly action: CommandAction
  readonly dryRun: boolean
  movedAtMs: number | null
}

interface OpenDeed extends Deed {
  foretold: boolean
  readonly orders: Order[]
  readonly rails: Set<Rail>
  actedAtMs: number | null
  heldAtMs: number | null
  closedAtMs: number | null
}

export class Deeds {
  /** By pool and rail: lines of the journal. */
  readonly refusals = new Map<PoolId, Map<Rail, number>>()
  readonly #orders = new Map<CommandId, Order>()
  readonly #deeds = new Map<IncidentId, OpenDeed>()

  takeCommand({ commandId, action, dryRun }: Command): void {
    if (action !== 'cordon' && action !== 'migrate' && action !== 'restart') return
    if (this.#orders.has(commandId)) return
    checkRoom(this.#orders.size, COMMANDS_MAX, 'commands before a failure')
    this.#orders.set(commandId, { action, dryRun, movedAtMs: null })
  }

  takeResult({ commandId, state, atMs }: Result): void {
    const order = this.#orders.get(commandId)
    if (order?.action !== 'migrate' || (state !== 'succeeded' && state !== 'verified')) return
    order.movedAtMs = Math.min(atMs, order.movedAtMs ?? atMs)
  }

  takeJournal(entry: JournalEntry): void {
    const { kind, pool, incidentId, rail, atMs } = entry
    if (kind === 'refusal' && rail !== null) this.#countRefusal(pool, rail)
    if (incidentId === null) return
    if (kind === 'incident-opened') return this.#open(entry, incidentId)
    const deed = this.#deeds.get(incidentId)
    if (deed === undefined) return
    if (kind === 'incident-closed') deed.closedAtMs = atMs
    else if (kind === 'decision') this.#decide(deed, entry)
    else if (kind === 'refusal' && rail !== null && deed.foretold) {
      deed.rails.add(rail)
      if (rail === 'mode') deed.heldAtMs ??= atMs
    }
  }

  /** Of foretold failures only. */
  *all(): Generator<Deed> {
    for (const { foretold: _, orders, ...deed } of this.#deeds.values()) {
      const movedAtMs = orders.flatMap((order) => order.movedAtMs ?? [])
      yield { ...deed, movedAtMs }
    }
  }

  /** What was foretold may get graver, and then it is answered by recovery. */
  #open({ node, pool, evidence, atMs }: JournalEntry, incidentId: IncidentId): void {
    const foretold = evidence[0]?.what === 'probability'
    const known = this.#deeds.get(incidentId)
    if (known !== undefined) {
      known.foretold = foretold
      known.closedAtMs = null
      return
    }
    if (node === null || !foretold) return
    checkRoom(this.#deeds.size, INCIDENTS_MAX, 'foretold failures')
    this.#deeds.set(incidentId, {
      node,
      pool,
      openedAtMs: atMs,
      foretold,
      orders: [],
      rails: new Set(),
      movedAtMs: [],
      actedAtMs: null,
      heldAtMs: null,
      closedAtMs: null,
    })
  }

  /** A command that was kept back at the last moment is in no topic of commands. */
  #decide(deed: OpenDeed, { commandId, atMs }: JournalEntry): void {
    const order = commandId === null ? undefined : this.#orders.get(commandId)
    if (order === undefined || !deed.foretold) return
    deed.orders.push(order)
    if (order.dryRun) deed.heldAtMs ??= atMs
    else deed.actedAtMs ??= atMs
  }

  #countRefusal(pool: PoolId, rail: Rail): void {
    const rails = this.refusals.get(pool) ?? new Map<Rail, number>()
    this.refusals.set(pool, rails.set(rail, (rails.get(rail) ?? 0) + 1))
  }
}
