/**
 * What a watcher tells of metrics for the detectors: the newest values of those that they look at, and
 * whether a limit was passed, because a large fleet is told of only where something is new.
 */
import type { Readings } from '../core/assessment.ts'
import type { Metric, NodeClass } from '../core/node.ts'
import type { Policy } from '../core/policy.ts'
import { isEnabled, valuesOf } from '../detect/settings.ts'
import { threshold, turningPoints } from '../detect/threshold.ts'
import { formatDuration } from '../core/time.ts'
import type { FeatureRows } from '../state/table-views.ts'

interface Column {
  readonly metric: string
  /** In a feature row. */
  readonly index: number
  readonly role: keyof Readings
  /** Values at which some policy does something else; rising. */
  readonly points: readonly number[]
  /** Of a latency: where the row has how far it is from its mean of the longest half-life; else -1. */
  readonly residual: number
}

/** Times its own mean from which a latency is told of at once: a node that is slow for minutes is. */
const SLOW_RATIO = 1.5

export class Signals {
  #columns: readonly Column[] = []
  #healthPoints: readonly number[] = []
  readonly #nodeClass: NodeClass
  readonly #featureNames: readonly string[]
  readonly #width: number
  /** By node index: how many limits its values have passed, when they were last looked at. */
  #passed = new Int16Array(0)

  constructor(nodeClass: NodeClass, featureNames: readonly string[], policies: readonly Policy[]) {
    this.#width = featureNames.length
    this.#nodeClass = nodeClass
    this.#featureNames = featureNames
    this.turn(policies)
  }

  /** Other policies from here on: which limits a value has passed is looked up anew. */
  turn(policies: readonly Policy[]): void {
    const points = (name: Parameters<typeof turningPoints>[1]) => pointsOf(policies, name)
    const limits: Readonly<Record<keyof Readings, readonly number[]>> = {
      networkMs: points('network-latency'),
      latencyMs: [],
      usageRatio: points('resource-usage').map((percent) => percent / 100),
    }
    const longest = formatDuration(this.#nodeClass.halfLivesMs[2])
    this.#healthPoints = points('node-health')
    this.#columns = this.#nodeClass.metrics.flatMap((metric) => {
      const role = roleOf(metric)
      const index = this.#featureNames.indexOf(`${metric.name}.value`)
      if (role === null) return []
      const own = this.#featureNames.indexOf(`${metric.name}.residual.${longest}`)
      const residual = role === 'usageRatio' ? -1 : own
      return [{ metric: metric.name, index, role, points: limits[role], residual }]
    })
    this.#passed.fill(NEVER)
  }

  /** `undefined` where the class has nothing that detectors look at. */
  read({ matrix }: FeatureRows, row: number): Readings | undefined {
    if (this.#columns.length === 0) return undefined
    const readings = { networkMs: {}, latencyMs: {}, usageRatio: {} } as Record<
      keyof Readings,
      Record<string, number>
    >
    for (const { metric, index, role } of this.#columns) {
      const value = matrix[row * this.#width + index]
      if (!Number.isNaN(value)) readings[role][metric] = value
    }
    return readings
  }

  /**
   * True where a value or the health has come to another side of some limit since the last time, and
   * at each grid time while it is on the bad side of one, because policies count such rows. A latency far
   * over its own past is told of in each row, and once more when it is back: detectors count readings.
   */
  notable({ matrix, trigger }: FeatureRows, row: number, index: number, health: number): boolean {
    if (index >= this.#passed.length) this.#grow(index)
    let passed = Number.isNaN(health)
      ? 0
      : this.#healthPoints.length - passedBy(health, this.#healthPoints)
    let isSlow = false
    for (const { index: column, points, residual } of this.#columns) {
      const value = matrix[row * this.#width + column]
      passed += passedBy(value, points)
      if (residual < 0) continue
      const mean = value - matrix[row * this.#width + residual]
      if (value >= SLOW_RATIO * mean && mean > 0) isSlow = true
    }
    if (isSlow) passed += SLOW
    const before = this.#passed[index]
    this.#passed[index] = passed
    if (isSlow || (passed > 0 && trigger[row] === 0)) return true
    return before !== NEVER && before !== passed
  }

  /** The index may serve another node from now on. */
  forget(index: number): void {
    if (index < this.#passed.length) this.#passed[index] = NEVER
  }

  #grow(index: number): void {
    const size = Math.max(256, 2 ** Math.ceil(Math.log2(index + 1)))
    const grown = new Int16Array(size).fill(NEVER)
    grown.set(this.#passed)
    this.#passed = grown
  }
}

const NEVER = -1
/** More than the limits that there are. */
const SLOW = 1_000

/** A missing value has passed nothing. */
function passedBy(value: number, points: readonly number[]): number {
  let passed = 0
  while (passed < points.length && value >= points[passed]) passed++
  return passed
}

function pointsOf(
  policies: readonly Policy[],
  name: Parameters<typeof turningPoints>[1],
): readonly number[] {
  const points = policies
    .filter(({ detectors }) => isEnabled(threshold, detectors))
    .flatMap(({ detectors }) => turningPoints(valuesOf(threshold, detectors), name))
  return [...new Set(points)].sort((a, b) => a - b)
}

/** By unit and place in health: a class needs no list of its own for detectors. */
function roleOf({ kind, unit, min, max, health }: Metric): keyof Readings | null {
  if (kind !== 'gauge') return null
  if (unit === 'ms') return health?.part === 'network' ? 'networkMs' : 'latencyMs'
  const isShare = unit === '1' && min === 0 && max === 1
  return isShare && health?.part === 'resources' ? 'usageRatio' : null
}
