/** What operators say: mode, stop and veto. The newest word counts, and each is journaled. */
import type { AcknowledgeControl, SilenceControl } from '../core/alert.ts'
import { never } from '../core/errors.ts'
import { FLEET_POOL } from '../core/ids.ts'
import type { ApprovalControl, Mode, PoolControl } from '../core/policy.ts'
import { type CommandDesk, flightsOf } from './coordinator-commands.ts'
import type { Outbox } from './coordinator-outbox.ts'
import type { ProposalDesk } from './coordinator-proposals.ts'
import { type CoordinatorState, EVERY_RAIL, type PoolState } from './coordinator-state.ts'

export class ControlDesk {
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #commands: CommandDesk
  readonly #proposals: ProposalDesk

  constructor(
    state: CoordinatorState,
    outbox: Outbox,
    commands: CommandDesk,
    proposals: ProposalDesk,
  ) {
    this.#state = state
    this.#outbox = outbox
    this.#commands = commands
    this.#proposals = proposals
  }

  take(control: PoolControl): void {
    switch (control.kind) {
      case 'mode':
        if (control.pool === null) this.#state.mode = control.mode
        break
      case 'stop':
        if (control.pool === null) this.#state.stopped = control.stopped ? stopText(control) : null
        break
      case 'veto':
        this.#takeVeto(control)
        break
      case 'approval':
        return this.#takeApproval(control)
      default:
        never(control)
    }
    const pools =
      control.pool === null ? [...this.#state.pools.values()] : [this.#state.pool(control.pool)]
    for (const pool of pools) this.#apply(pool, control)
  }

  /** What is said of alerts changes nothing here: who keeps them reads it in the journal. */
  noteSaid(said: SilenceControl | AcknowledgeControl): void {
    const { by, reason } = said
    const what =
      said.kind === 'silence'
        ? `Silence ${said.silence} is ${said.withdrawn ? 'withdrawn' : 'begun'}`
        : `Alert ${said.fingerprint} is ${said.acknowledged ? 'acknowledged' : 'no longer acknowledged'}`
    const reasons = [`${what} by ${by}: ${reason}.`]
    this.#outbox.journal({ kind: 'control', pool: FLEET_POOL, reasons, said })
  }

  #apply(pool: PoolState, control: PoolControl): void {
    if (control.kind === 'mode') pool.mode = control.mode
    else if (control.kind === 'stop') {
      pool.stopped = control.stopped ? stopText(control) : null
      if (!control.stopped) {
        pool.held = null
        pool.heldUntilMs = 0
      }
    }
    // A refusal is told again after an operator spoke: the answer may be another one.
    for (const incident of pool.incidents.all()) {
      pool.incidents.setRefused(incident, new Set())
      pool.stirred.add(incident)
    }
    this.#journal(pool, control)
    this.#withdraw(pool, control)
    wake(pool)
  }

  /**
   * The pool has other settings, and their mode where nobody said another one. What is still refused is not
   * told again: it would count against the change.
   */
  turn(pool: PoolState, before: Mode, after: Mode): void {
    if (pool.mode === null && before !== after && after !== 'enforce') {
      this.#commands.withdraw(`The mode is now ${after}.`, pool.flights.values())
    }
    wake(pool)
  }

  #withdraw(pool: PoolState, control: PoolControl): void {
    if (control.kind === 'stop' && control.stopped) {
      this.#commands.withdraw(`The pool was stopped: ${control.reason}.`, pool.flights.values())
    }
    if (control.kind === 'mode' && control.mode !== 'enforce') {
      this.#commands.withdraw(`The mode is now ${control.mode}.`, pool.flights.values())
    }
    if (control.kind === 'veto' && control.veto) {
      const reason = `Node ${control.node} was vetoed: ${control.reason}.`
      const ofNode = [...pool.flights.values()].filter(
        ({ command }) => command.node === control.node,
      )
      this.#commands.withdraw(reason, ofNode)
    }
  }

  #takeApproval(control: ApprovalControl): void {
    const { incident: id, approved, by, reason } = control
    const pool = [...this.#state.pools.values()].find(({ incidents }) => incidents.get(id))
    const incident = pool?.incidents.get(id)
    if (pool === undefined || incident === undefined) {
      // With no pool it was sent to every coordinator, and is another one's.
      if (control.pool !== null) this.#journal(this.#state.pool(control.pool), control, 'not open')
      return
    }
    incident.approved = approved ? `${reason} (by ${by})` : null
    this.#journal(pool, control)
    if (!approved) {
      this.#proposals.override(incident)
      const why = `The approval was taken back: ${reason}.`
      this.#commands.withdraw(why, flightsOf(pool, incident))
    }
    pool.incidents.setRefused(incident, new Set())
    pool.stirred.add(incident)
    pool.dirty = true
  }

  #takeVeto(control: Extract<PoolControl, { kind: 'veto' }>): void {
    const reason = `${control.reason} (by ${control.by})`
    if (control.veto) this.#state.vetoes.set(control.node, reason)
    else this.#state.vetoes.delete(control.node)
    const node = this.#state.nodes.get(control.node)
    if (node === undefined) return
    node.vetoed = control.veto ? reason : null
    if (control.veto && node.incident !== null) this.#proposals.override(node.incident)
    this.#state.touch(node)
  }

  #journal(pool: PoolState, control: PoolControl, but?: string): void {
    const open = control.kind === 'approval' && but === undefined
    const and = but === undefined ? '' : `, which is ${but}, so nothing follows,`
    this.#outbox.journal({
      kind: 'control',
      pool: pool.id,
      incidentId: open ? control.incident : null,
      node: control.kind === 'veto' ? control.node : null,
      reasons: [`${sentence(control)}${and} by ${control.by}: ${control.reason}.`],
    })
  }
}

function wake(pool: PoolState): void {
  for (const rail of EVERY_RAIL) pool.woken.add(rail)
  pool.dirty = true
}

function stopText({ by, reason }: PoolControl): string {
  return `${reason} (by ${by})`
}

function sentence(control: PoolControl): string {
  switch (control.kind) {
    case 'mode':
      return `Mode is set to ${control.mode}`
    case 'stop':
      return control.stopped ? 'The pool is stopped' : 'The pool goes on'
    case 'veto':
      return `Acting on node ${control.node} is ${control.veto ? 'vetoed' : 'allowed again'}`
    case 'approval':
      return `Incident ${control.incident} is ${control.approved ? 'approved' : 'no longer approved'}`
    default:
      return never(control)
  }
}
