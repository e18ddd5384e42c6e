/**
 * Tells of each incident what kind of fault it is: as soon as that is known, when it becomes another, and
 * when a trouble of another kind joins it.
 */
import type { FaultKind } from '../core/fault.ts'
import type { IncidentId, NodeId, PoolId } from '../core/ids.ts'
import { type Classified, kindAfter, kindNamed, SYMPTOM } from '../decide/classify.ts'
import { percent } from '../decide/explain.ts'
import type { Outbox } from './coordinator-outbox.ts'

/** An incident, and the kinds that were told of it: its own is the first. */
export interface Kinded {
  readonly id: IncidentId
  kinds: readonly FaultKind[]
}

interface Place {
  readonly pool: PoolId
  readonly node: NodeId | null
}

export class KindDesk {
  readonly #outbox: Outbox

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  /** `seen`: what all faults of the incident say by now; `joined`: what the newest says alone. */
  tell(incident: Kinded, place: Place, seen: Classified, joined: FaultKind): void {
    const [before = null] = incident.kinds
    const kind = kindAfter(before, seen.kind)
    if (kind !== before) this.#tell(incident, place, kind, `${percent(seen.confidenceRatio)} sure`)
    if (joined === SYMPTOM || incident.kinds.includes(joined)) return
    incident.kinds = [...incident.kinds, joined]
    this.#journal(incident, place, joined, `Something of kind ${joined} has joined it.`)
  }

  /** The name that an event gives to the failure; one that says nothing changes nothing. */
  confirm(incident: Kinded, place: Place, failureKind: string): void {
    const kind = kindNamed(failureKind)
    if (kind === null || kind === incident.kinds[0]) return
    this.#tell(incident, place, kind, `the failure is called ${failureKind}`)
  }

  #tell(incident: Kinded, place: Place, kind: FaultKind, how: string): void {
    const [before, ...others] = incident.kinds
    incident.kinds = [kind, ...others.filter((other) => other !== kind)]
    const instead = before === undefined ? '' : `, not ${before}`
    this.#journal(incident, place, kind, `It is of kind ${kind}${instead} (${how}).`)
  }

  #journal({ id: incidentId }: Kinded, place: Place, faultKind: FaultKind, reason: string): void {
    this.#outbox.journal({ kind: 'fault', ...place, incidentId, reasons: [reason], faultKind })
  }
}
