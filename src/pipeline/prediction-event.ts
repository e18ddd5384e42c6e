/** One prediction as a CloudEvent of the topic `predictions`. */
import type { Contribution, ModelRef } from '../core/assessment.ts'
import type { Output } from '../core/bus.ts'
import { cloudEventOutput } from '../core/cloudevent.ts'
import type { HorizonProbability } from '../core/horizons.ts'
import { type CalibrationSpread, probabilityInterval } from '../core/probability-interval.ts'
import { topicName, type Topology } from '../core/topics.ts'
import type { NodeTable } from '../state/node-table.ts'
import type { FeatureRows } from '../state/table-views.ts'
import { hashText } from '../state/row-hash.ts'

export interface PredictionPlace {
  readonly topology: Topology
  /** CloudEvents source. */
  readonly source: string
  readonly partition: number
  readonly table: NodeTable
}

/** What the model that serves says of a row. */
export interface Said {
  readonly model: ModelRef
  /** Of its calibration; null: no interval is told. */
  readonly spread: CalibrationSpread | null
  readonly probability: number
  readonly top: readonly Contribution[]
  /** Null: the model has one horizon, or nobody asked for the others between grid times. */
  readonly horizons: readonly HorizonProbability[] | null
}

export function predictionOutput(
  { topology, source, partition, table }: PredictionPlace,
  rows: FeatureRows,
  row: number,
  { model, spread, probability, top, horizons }: Said,
): Output {
  const node = table.idOf(rows.node[row])
  const atMs = rows.atMs[row]
  const { version, featureHash, horizonMs, provider, explanation, actingPoint } = model
  const trigger = rows.trigger[row] === 0 ? 'grid' : 'change'
  const id = `${node}/${atMs}/${trigger}`
  const event = { type: 'foreshock.prediction.failure', source, id, subject: node, atMs }
  return cloudEventOutput(topicName(topology, 'predictions'), partition, event, {
    node,
    pool: table.poolOf(rows.node[row]),
    atMs,
    horizonMs,
    probability,
    ...(horizons === null ? {} : { horizons }),
    interval: spread === null ? null : probabilityInterval(probability, spread),
    actingPoint,
    trigger,
    top,
    explanation,
    modelVersion: version,
    featureHash,
    rowHash: hashText(rows.hash[2 * row], rows.hash[2 * row + 1]),
    provider,
  })
}
