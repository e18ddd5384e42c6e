/**
 * What a detector is: a name, the inputs it asks for, settings with bounds, and a fold from inputs to
 * findings. One detector is one file, and one line in `registry.ts`.
 *
 * A fold sees one pool. It reads no clock and no chance: time comes with each input, so the same
 * inputs give the same findings. A finding may be repeated; `DetectorSet` tells what is new.
 */
import type { Assessment, Contribution, Liveness, ModelRef } from '../core/assessment.ts'
import type { EvidenceKind, EvidenceRecord } from '../core/evidence.ts'
import type { Finding } from '../core/fault.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import type { NetworkView } from '../core/network.ts'
import type { Settings, Values } from './settings.ts'

/** A watcher's word on a node, with what the coordinator makes of it. */
export interface Sighting {
  readonly kind: 'assessment'
  readonly row: Assessment
  /** As far as it is certain: `unknown` while its watcher is late. */
  readonly liveness: Liveness
  /** The newest, of this row or an earlier one. */
  readonly probability: number | null
  readonly top: readonly Contribution[]
  readonly alarmRaised: boolean
  readonly actingPoint: number | null
  readonly model: ModelRef | null
}

/** A node has gone from the pool. */
export interface Departure {
  readonly kind: 'departure'
  readonly node: NodeId
}

/** What somebody observed of others. */
export type Observed = {
  readonly [Kind in EvidenceKind]: {
    readonly kind: Kind
    readonly record: Extract<EvidenceRecord, { kind: Kind }>
  }
}[EvidenceKind]

/** A node of the pool has joined, or is known from now on. */
export interface Arrival {
  readonly kind: 'arrival'
  readonly node: NodeId
  /** What it says of itself: class, capacity and labels, as one text. */
  readonly likeness: string
}

/** A command on a node ended well, as its executor verified. */
export interface Recovery {
  readonly kind: 'recovery'
  readonly node: NodeId
}

/** Time has moved. */
export interface Moment {
  readonly kind: 'tick'
}

export type DetectorInput = Sighting | Observed | Arrival | Departure | Recovery | Moment
export type InputKind = DetectorInput['kind']

export interface DetectorFold {
  take(input: DetectorInput, nowMs: number): readonly Finding[]
  /** Its own counters and sizes, beside those that every detector has. */
  stats?(): Readonly<Record<string, number>>
  /** Of the detector that watches the network. */
  network?(): NetworkView
  /** 0..1, of the detector that weighs claims; 1 of a node that nothing is held against. */
  reputationOf?(node: NodeId, nowMs: number): number
}

/** The key that a node proves itself with, hex; null where there is none. */
export type NodeKeys = (node: NodeId) => string | null

export interface Detector<S extends Settings = Settings> {
  readonly name: string
  readonly inputs: readonly InputKind[]
  /** Whether it runs where the policy does not say. */
  readonly enabled: boolean
  readonly settings: S
  /** What is wrong between settings that are each within their bounds; null when nothing is. */
  check?(values: Values<S>): string | null
  create(values: Values<S>, pool: PoolId, keyOf: NodeKeys): DetectorFold
}

export const NOTHING_FOUND: readonly Finding[] = []

/** Keeps the names of its settings as types. */
export function detector<const S extends Settings>(definition: Detector<S>): Detector<S> {
  return definition
}

export function found(fault: Extract<Finding, { ok: false }>['fault']): readonly Finding[] {
  return [{ ok: false, fault }]
}

export function well(subject: string, why: string): readonly Finding[] {
  return [{ ok: true, subject, why }]
}
