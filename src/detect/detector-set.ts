/** The detectors of one pool: hands each what it asks for, and tells what is new from what stands. */
import type { Fault, Finding } from '../core/fault.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import type { NetworkView } from '../core/network.ts'
import type { DetectorSettings } from '../core/policy.ts'
import type { Detector, DetectorFold, DetectorInput, InputKind, NodeKeys } from './detector.ts'
import { DETECTORS } from './registry.ts'
import { isEnabled, type Settings, type Values, valuesOf } from './settings.ts'

/** Faults of one detector that stand at once; further ones are counted and not told. */
export const STANDING_FAULTS_MAX = 10_000

/** `raised`: new, or graver or milder than before. `stands`: told before. */
export type Told =
  | { readonly state: 'raised' | 'stands'; readonly fault: Fault }
  | { readonly state: 'cleared'; readonly fault: Fault; readonly why: string }

export class DetectorSet {
  readonly #byInput = new Map<InputKind, Running[]>()
  readonly #pool: PoolId
  readonly #detectors: readonly Detector[]
  readonly #keyOf: NodeKeys
  #running: readonly Running[] = []

  constructor(
    pool: PoolId,
    settings: DetectorSettings,
    detectors: readonly Detector[] = DETECTORS,
    keyOf: NodeKeys = () => null,
  ) {
    this.#pool = pool
    this.#detectors = detectors
    this.#keyOf = keyOf
    this.follow(settings)
  }

  /** Other settings from here on. A detector whose own did not change goes on; what another had found is cleared. */
  follow(settings: DetectorSettings): readonly Told[] {
    const told: Told[] = []
    const before = new Map(this.#running.map((running) => [running.detector.name, running]))
    this.#running = this.#detectors
      .filter((detector) => isEnabled(detector, settings))
      .map((detector) => {
        const values = valuesOf(detector, settings)
        const known = before.get(detector.name)
        if (known !== undefined && JSON.stringify(known.values) === JSON.stringify(values)) {
          before.delete(detector.name)
          return known
        }
        return new Running(detector, values, detector.create(values, this.#pool, this.#keyOf))
      })
    for (const running of before.values()) running.end(told)
    this.#byInput.clear()
    for (const running of this.#running) {
      for (const kind of running.detector.inputs) {
        const list = this.#byInput.get(kind)
        if (list === undefined) this.#byInput.set(kind, [running])
        else list.push(running)
      }
    }
    return told
  }

  take(input: DetectorInput, nowMs: number): readonly Told[] {
    const told: Told[] = []
    if (input.kind === 'departure') {
      for (const running of this.#running) running.depart(input.node, told)
    }
    for (const running of this.#byInput.get(input.kind) ?? []) running.take(input, nowMs, told)
    return told
  }

  /** Faults that stand, of every detector. */
  standing(): readonly Fault[] {
    return this.#running.flatMap(({ standing }) => [...standing.values()])
  }

  /** Null where no detector watches the network. */
  network(): NetworkView | null {
    for (const { fold } of this.#running) if (fold.network !== undefined) return fold.network()
    return null
  }

  /** 1 where nothing is held against the node, or nobody weighs claims. */
  reputationOf(node: NodeId, nowMs: number): number {
    let least = 1
    for (const { fold } of this.#running) {
      least = Math.min(least, fold.reputationOf?.(node, nowMs) ?? 1)
    }
    return least
  }

  /** `DETECTOR/FIGURE` → number. */
  stats(): Readonly<Record<string, number>> {
    return Object.assign({}, ...this.#running.map((running) => running.stats())) as Record<
      string,
      number
    >
  }
}

class Running {
  readonly detector: Detector
  readonly values: Values<Settings>
  readonly standing = new Map<string, Fault>()
  /** Node → subjects of its standing faults. */
  readonly #ofNode = new Map<NodeId, Set<string>>()
  readonly fold: DetectorFold
  #inputCount = 0
  #raisedCount = 0
  #clearedCount = 0
  #droppedCount = 0

  constructor(detector: Detector, values: Values<Settings>, fold: DetectorFold) {
    this.detector = detector
    this.values = values
    this.fold = fold
  }

  take(input: DetectorInput, nowMs: number, told: Told[]): void {
    this.#inputCount++
    for (const finding of this.fold.take(input, nowMs)) this.#note(finding, told)
  }

  /** What it had found ends with it. */
  end(told: Told[]): void {
    for (const subject of this.standing.keys()) {
      this.#note({ ok: true, subject, why: 'its detector has other settings now' }, told)
    }
  }

  /** What was said of a node ends with it. */
  depart(node: NodeId, told: Told[]): void {
    for (const subject of this.#ofNode.get(node) ?? []) {
      this.#note({ ok: true, subject, why: `node ${node} is gone` }, told)
    }
  }

  #note(finding: Finding, told: Told[]): void {
    if (finding.ok) {
      const fault = this.standing.get(finding.subject)
      if (fault === undefined) return
      this.standing.delete(finding.subject)
      this.#unlink(fault)
      this.#clearedCount++
      told.push({ state: 'cleared', fault, why: finding.why })
      return
    }
    const { fault } = finding
    const before = this.standing.get(fault.subject)
    if (before === undefined && this.standing.size === STANDING_FAULTS_MAX) {
      this.#droppedCount++
      return
    }
    this.standing.set(fault.subject, fault)
    if (before === undefined) this.#link(fault)
    const isNew = before?.severity !== fault.severity
    if (isNew) this.#raisedCount++
    told.push({ state: isNew ? 'raised' : 'stands', fault })
  }

  #link({ node, subject }: Fault): void {
    if (node === null) return
    const subjects = this.#ofNode.get(node)
    if (subjects === undefined) this.#ofNode.set(node, new Set([subject]))
    else subjects.add(subject)
  }

  #unlink({ node, subject }: Fault): void {
    if (node === null) return
    const subjects = this.#ofNode.get(node)
    subjects?.delete(subject)
    if (subjects?.size === 0) this.#ofNode.delete(node)
  }

  stats(): Readonly<Record<string, number>> {
    const figures: Readonly<Record<string, number>> = {
      inputs: this.#inputCount,
      raised: this.#raisedCount,
      cleared: this.#clearedCount,
      dropped: this.#droppedCount,
      standing: this.standing.size,
      ...this.fold.stats?.(),
    }
    return Object.fromEntries(
      Object.entries(figures).map(([figure, value]) => [`${this.detector.name}/${figure}`, value]),
    )
  }
}
