/** Feeds one detector as a coordinator would, and keeps what it told. */
import type { Assessment } from '../../src/core/assessment.ts'
import type { EvidenceRecord } from '../../src/core/evidence.ts'
import type { NodeId, PoolId } from '../../src/core/ids.ts'
import type { NetworkView } from '../../src/core/network.ts'
import type { Detector, NodeKeys, Observed } from '../../src/detect/detector.ts'
import { DetectorSet, type Told } from '../../src/detect/detector-set.ts'
import { wellRow } from './well-row.ts'

export const POOL = 'p' as PoolId
export const START_MS = 1_763_600_000_000

type Given = Readonly<Record<string, number>>
type EvidenceBody<R> = R extends EvidenceRecord
  ? Omit<R, 'pool' | 'atMs' | 'node' | 'about'> & {
      readonly node: string
      readonly about?: string
      readonly atMs?: number
    }
  : never

export class DetectorFeed {
  readonly set: DetectorSet
  readonly told: Told[] = []
  nowMs = START_MS

  constructor(detector: Detector, settings: Given = {}, keyOf: NodeKeys = () => null) {
    const given = { [detector.name]: { ...settings, enabled: true } }
    this.set = new DetectorSet(POOL, given, [detector], keyOf)
  }

  /** What is new of it, as `state subject severity`. */
  take(input: Parameters<DetectorSet['take']>[0]): readonly string[] {
    const told = this.set.take(input, this.nowMs).filter(({ state }) => state !== 'stands')
    this.told.push(...told)
    return told.map(({ state, fault }) => `${state} ${fault.subject} ${fault.severity}`)
  }

  row(node: string, row: Partial<Assessment>): readonly string[] {
    const full = wellRow(node, POOL, this.nowMs, row)
    return this.take({
      kind: 'assessment',
      row: full,
      liveness: full.liveness,
      probability: full.probability,
      top: full.top,
      alarmRaised: false,
      actingPoint: null,
      model: null,
    })
  }

  latency(node: string, networkMs: number): readonly string[] {
    return this.row(node, {
      readings: { networkMs: { network_latency: networkMs }, latencyMs: {}, usageRatio: {} },
    })
  }

  usage(node: string, what: string, ratio: number): readonly string[] {
    return this.row(node, {
      readings: { networkMs: {}, latencyMs: {}, usageRatio: { [what]: ratio } },
    })
  }

  evidence(body: EvidenceBody<EvidenceRecord>): readonly string[] {
    const record = { pool: POOL, atMs: this.nowMs, ...body } as unknown as EvidenceRecord
    return this.take({ kind: record.kind, record } as Observed)
  }

  reach(node: string, reachable: readonly string[], unreachable: readonly string[] = []): void {
    this.evidence({
      kind: 'reachability',
      node,
      reachable: reachable as readonly NodeId[],
      unreachable: unreachable as readonly NodeId[],
    })
  }

  arrive(node: string, likeness: string): void {
    this.take({ kind: 'arrival', node: node as NodeId, likeness })
  }

  depart(node: string): readonly string[] {
    return this.take({ kind: 'departure', node: node as NodeId })
  }

  /** Time passes in seconds, each with its tick. */
  wait(ms: number): readonly string[] {
    const told: string[] = []
    for (const endMs = this.nowMs + ms; this.nowMs < endMs;) {
      this.nowMs = Math.min(endMs, this.nowMs + 1_000)
      told.push(...this.take({ kind: 'tick' }))
    }
    return told
  }

  figure(name: string): number | undefined {
    return Object.entries(this.set.stats()).find(([key]) => key.endsWith(`/${name}`))?.[1]
  }

  network(): NetworkView {
    return this.set.network()!
  }
}
