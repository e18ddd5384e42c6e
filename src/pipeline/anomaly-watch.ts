/**
 * Anomalies of the nodes of one class, seen at grid times: the largest standardised residual that the
 * node table holds, against a threshold that each node earns by itself. An anomaly is told once, when it
 * begins. It is a function of the rows alone, so a rebuilt watcher says the same.
 */
import type { NodeAnomaly } from '../core/assessment.ts'
import type { NodeClass } from '../core/node.ts'
import { DAY_MS } from '../core/time.ts'
import { RunningThresholds } from '../detect/anomaly/running-threshold.ts'
import { featureNames } from '../state/features.ts'
import type { FeatureRows } from '../state/table-views.ts'

/** Per node. In a hundred thousand nodes that is seven alerts a minute. */
const FALSE_RUNS_PER_DAY = 0.1

export class AnomalyWatch {
  readonly #metrics: NodeClass['metrics']
  readonly #valueColumns: readonly number[]
  readonly #width: number
  readonly #thresholds: RunningThresholds
  #toldCount = 0

  constructor(nodeClass: NodeClass) {
    const names = featureNames(nodeClass)
    this.#metrics = nodeClass.metrics
    this.#width = names.length
    this.#valueColumns = nodeClass.metrics.map(({ name }) => names.indexOf(`${name}.value`))
    this.#thresholds = new RunningThresholds({
      readingsPerDay: DAY_MS / nodeClass.predictionIntervalMs,
      falseRunsPerDay: FALSE_RUNS_PER_DAY,
    })
  }

  /** Anomalies told since the start. */
  get toldCount(): number {
    return this.#toldCount
  }

  /** The index of a node that has ended may serve another one from now on. */
  forget(index: number): void {
    this.#thresholds.forget(index)
  }

  /** Takes a row at a grid time, each once and in the order of time; null where nothing is to be told. */
  take(rows: FeatureRows, row: number): NodeAnomaly | 'warming-up' | null {
    const deviation = rows.deviation.getFloat32(row * 8, true)
    // Deviations of what hardly ever moves are huge: their orders of magnitude are what is compared.
    const reading = this.#thresholds.push(rows.node[row], Math.log1p(deviation))
    if (reading.warmingUp) return 'warming-up'
    if (!reading.alarm) return null
    this.#toldCount++
    const metric = rows.deviation.getUint32(row * 8 + 4, true)
    const at = row * this.#width + this.#valueColumns[metric]
    const [value, residual] = [rows.matrix[at], rows.matrix[at + 3]]
    return {
      metric: this.#metrics[metric].name,
      value,
      expected: value - residual,
      deviation,
      threshold: Math.expm1(reading.threshold),
    }
  }
}
