/**
 * What was injected against what was told: which faults an incident was opened for, which of those an
 * oracle would have seen in the same telemetry, and whether the kind that was told was theirs.
 */
import type { FaultKind } from '../core/fault.ts'
import type { NodeId } from '../core/ids.ts'
import type { IncidentStory, Told } from './auditor.ts'
import { AILMENTS } from './kinds.ts'
import type { Injected } from './troubles.ts'

/** An incident so long after the end of a fault still speaks of it. */
const AFTERMATH_MS = 60_000
/** A silence of two heartbeats stands out from samples that get lost: the oracle sees it. */
const SILENCE_MS_MIN = 10_000
/** What is there to see may take so long to be seen. */
const KNOWN_AFTER_MS = 30_000
/** What a silence is told as, whatever its cause. */
const SYMPTOM: FaultKind = 'service-unavailability'

export interface FaultCounts {
  readonly injected: number
  readonly detected: number
  readonly detectable: number
  /** Of the detected: those whose kind was told; of a silence that nothing explains, that it is one. */
  readonly classified: number
  /** Of the detected and of the classified: those whose cause the world has shown. */
  readonly shown: number
  readonly shownClassified: number
}

export interface Detections {
  /** Faults by name. */
  readonly faults: Readonly<Record<string, FaultCounts>>
  readonly incidentCount: number
  /** Of those, the ones that had a fault behind them. */
  readonly trueIncidentCount: number
  /** Kinds that were told of the true ones, and how many of them were those of such a fault. */
  readonly kindCount: number
  readonly trueKindCount: number
}

const NONE: FaultCounts = {
  injected: 0,
  detected: 0,
  detectable: 0,
  classified: 0,
  shown: 0,
  shownClassified: 0,
}

export function detections(
  world: {
    readonly injected: readonly Injected[]
    readonly beganAtMs: number
    readonly endedAtMs: number
  },
  stories: readonly IncidentStory[],
  faultsOf: ReadonlyMap<NodeId, readonly Injected[]>,
): Detections {
  const incidents = stories.filter(
    ({ openedAtMs }) => openedAtMs >= world.beganAtMs && openedAtMs <= world.endedAtMs,
  )
  const behind = incidents.map((incident) => faultsBehind(incident, faultsOf))
  const kinds = behind.flatMap(({ isTrue, faults }, index) => {
    if (!isTrue) return []
    return incidents[index].kinds.map((told) => faults.some((fault) => isKindOf(told, fault)))
  })
  return {
    faults: countFaults(world.injected, stories),
    incidentCount: incidents.length,
    trueIncidentCount: behind.filter(({ isTrue }) => isTrue).length,
    kindCount: kinds.length,
    trueKindCount: kinds.filter(Boolean).length,
  }
}

function countFaults(
  injected: readonly Injected[],
  stories: readonly IncidentStory[],
): Record<string, FaultCounts> {
  const ofNode = new Map<NodeId, IncidentStory[]>()
  for (const story of stories) {
    for (const node of story.nodes) ofNode.set(node, [...(ofNode.get(node) ?? []), story])
  }
  const counts: Record<string, FaultCounts> = {}
  for (const fault of injected) {
    const speaking = (ofNode.get(fault.node) ?? []).filter((story) => speaksOf(story, fault))
    const detected = speaking.length > 0
    const classified = speaking.some((story) => tellsKindOf(story, fault))
    const isShown = detected && fault.truthSinceMs !== null
    counts[fault.kind] = plus(counts[fault.kind] ?? NONE, {
      injected: 1,
      detected: Number(detected),
      detectable: Number(detected || isDetectable(fault)),
      classified: Number(classified),
      shown: Number(isShown),
      shownClassified: Number(isShown && classified),
    })
  }
  return counts
}

/** Opened while it lasted or showed, or open already when it began. */
function speaksOf({ openedAtMs, closedAtMs }: IncidentStory, fault: Injected): boolean {
  const beganAtMs = fault.shownSinceMs ?? fault.atMs
  if (openedAtMs > fault.untilMs + AFTERMATH_MS) return false
  return openedAtMs >= beganAtMs || closedAtMs === null || closedAtMs > fault.atMs
}

/** Whether anything shows it at all: an oracle reads the same telemetry. */
function isDetectable({ kind, atMs, untilMs, silentMs }: Injected): boolean {
  const lastsMs = untilMs - atMs
  if (kind in AILMENTS) return lastsMs >= AILMENTS[kind as keyof typeof AILMENTS].shownAfterMs
  return Math.min(lastsMs, silentMs ?? lastsMs) >= SILENCE_MS_MIN || lastsMs >= 3 * SILENCE_MS_MIN
}

/** While it lasted, or shortly after. */
function tellsKindOf({ kinds }: IncidentStory, fault: Injected): boolean {
  const beganAtMs = fault.shownSinceMs ?? fault.atMs
  const before = kinds.findLast(({ atMs }) => atMs < beganAtMs)
  return kinds.some((told) => {
    const isTimely = told === before || told.atMs >= beganAtMs
    return isTimely && told.atMs <= fault.untilMs + AFTERMATH_MS && isKindOf(told, fault)
  })
}

/** Its own kind, or its symptom as long as the world shows no more. */
function isKindOf({ kind, atMs }: Told, { truth, truthSinceMs }: Injected): boolean {
  if (kind === truth) return true
  return kind === SYMPTOM && (truthSinceMs === null || atMs <= truthSinceMs + KNOWN_AFTER_MS)
}

/** True where at least half of the nodes that it names had a fault. */
function faultsBehind(
  { nodes, openedAtMs, closedAtMs }: IncidentStory,
  faultsOf: ReadonlyMap<NodeId, readonly Injected[]>,
): { readonly isTrue: boolean; readonly faults: readonly Injected[] } {
  const found = [...nodes].map((node) =>
    (faultsOf.get(node) ?? []).filter(({ atMs, untilMs, shownSinceMs }) => {
      return openedAtMs >= (shownSinceMs ?? atMs) && openedAtMs <= untilMs + AFTERMATH_MS
    }),
  )
  const ill = found.filter((faults) => faults.length > 0).length
  // Its kinds may speak of whatever came while it was open.
  const faults = [...nodes].flatMap((node) =>
    (faultsOf.get(node) ?? []).filter(({ atMs, untilMs }) => {
      return atMs <= (closedAtMs ?? Infinity) && openedAtMs <= untilMs + AFTERMATH_MS
    }),
  )
  return { isTrue: ill > 0 && 2 * ill >= nodes.size, faults }
}

export function sumOfFaults(
  a: Readonly<Record<string, FaultCounts>>,
  b: Readonly<Record<string, FaultCounts>>,
): Readonly<Record<string, FaultCounts>> {
  const sums: Record<string, FaultCounts> = { ...a }
  for (const [name, counts] of Object.entries(b)) sums[name] = plus(sums[name] ?? NONE, counts)
  return sums
}

function plus(a: FaultCounts, b: FaultCounts): FaultCounts {
  return {
    injected: a.injected + b.injected,
    detected: a.detected + b.detected,
    detectable: a.detectable + b.detectable,
    classified: a.classified + b.classified,
    shown: a.shown + b.shown,
    shownClassified: a.shownClassified + b.shownClassified,
  }
}
