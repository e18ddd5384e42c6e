/** Tells of each incident what kind of fault it is: as soon as that is known, and when it becomes another. */
import type { FaultKind } from '../core/fault.ts'
import type { IncidentId, NodeId, PoolId } from '../core/ids.ts'
import { type Classified, kindAfter, kindNamed } from '../decide/classify.ts'
import { percent } from '../decide/explain.ts'
import type { Outbox } from './coordinator-outbox.ts'

/** An incident, and what was told of it; null before anything was. */
export interface Kinded {
  readonly id: IncidentId
  kind: FaultKind | null
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

  /** What the faults of the incident say by now. */
  tell(incident: Kinded, place: Place, { kind, confidenceRatio }: Classified): void {
    this.#tell(incident, place, kindAfter(incident.kind, kind), `${percent(confidenceRatio)} sure`)
  }

  /** The name that an event gives to the failure; one that says nothing changes nothing. */
  confirm(incident: Kinded, place: Place, failureKind: string): void {
    const kind = kindNamed(failureKind)
    if (kind !== null) this.#tell(incident, place, kind, `the failure is called ${failureKind}`)
  }

  #tell(incident: Kinded, { pool, node }: Place, faultKind: FaultKind, how: string): void {
    const { kind: before, id: incidentId } = incident
    if (before === faultKind) return
    incident.kind = faultKind
    const instead = before === null ? '' : `, not ${before}`
    const reasons = [`It is of kind ${faultKind}${instead} (${how}).`]
    this.#outbox.journal({ kind: 'fault', pool, incidentId, node, reasons, faultKind })
  }
}
