/**
 * How often nodes fail and how long repairs take, from a real cluster, run at an accelerated life.
 *
 * Source: stepfun-ai/InfiniteHBD-Trace (Apache-2.0, released with InfiniteHBD, SIGCOMM 2025), 400 GPU
 * servers over 348.98 days. Its README counts 584 faults: 584 / (400 × 348.98 × 24 h) = 1.74e-4
 * faults per node-hour. Repair hours below are the 10th, 25th, 50th, 75th and 90th percentile over
 * the 424 faults of its open part, paired by node and fault class.
 *
 * | fault class | faults | p10 | p25 | p50 | p75 | p90 |
 * |---|---|---|---|---|---|---|
 * | all | 424 | 0.23 | 1.78 | 20.25 | 72.45 | 262.32 |
 * | GPU | 114 | 0.21 | 0.23 | 13.80 | 70.68 | 329.39 |
 * | Unknown Error | 105 | 0.50 | 1.98 | 12.62 | 72.45 | 217.22 |
 * | Fan | 21 | 10.61 | 20.39 | 60.00 | 234.05 | 234.06 |
 * | NIC | 20 | 0.02 | 0.83 | 31.58 | 112.19 | 1387.56 |
 * | Power Supply | 14 | 17.34 | 27.23 | 360.74 | 496.19 | 1322.10 |
 * | Software Failure (level) | 19 | 0.97 | 13.23 | 28.76 | 49.65 | 206.38 |
 *
 * A fleet with these times would show one failure in 19 hours per 300 nodes. Both the time between
 * failures and the time of repair are therefore divided by ACCELERATION, which keeps the share of
 * nodes that are down as it is in the trace; how long a failure takes to build up is not
 * accelerated. 300 nodes then have about 16 failures per hour.
 */
import type { Random } from './random.ts'

export const ACCELERATION = 300

/** Faults per node-hour of the trace. */
const FAULTS_PER_NODE_HOUR = 584 / (400 * 348.98 * 24)

export const FAILURES_PER_NODE_HOUR = FAULTS_PER_NODE_HOUR * ACCELERATION

/** A repair is never over before the failure is confirmed and seen as one. */
const REPAIR_MS_MIN = 150_000

const PERCENTILES = [0.1, 0.25, 0.5, 0.75, 0.9] as const

type Hours = readonly [number, number, number, number, number]

/** Repair hours at PERCENTILES. Zero durations are in the trace; the floor covers them. */
const REPAIR_HOURS = {
  all: [0.23, 1.78, 20.25, 72.45, 262.32],
  gpu: [0.21, 0.23, 13.8, 70.68, 329.39],
  unknown: [0.5, 1.98, 12.62, 72.45, 217.22],
  fan: [10.61, 20.39, 60, 234.05, 234.06],
  nic: [0.02, 0.83, 31.58, 112.19, 1387.56],
  'power-supply': [17.34, 27.23, 360.74, 496.19, 1322.1],
  software: [0.97, 13.23, 28.76, 49.65, 206.38],
} as const satisfies Record<string, Hours>

export type RepairClass = keyof typeof REPAIR_HOURS

/** Inverse of the measured distribution, log-linear between its percentiles and flat beyond them. */
export function drawRepairMs(random: Random, repairClass: RepairClass): number {
  const hours: Hours = REPAIR_HOURS[repairClass]
  const at = random.ratio()
  const ms = (hoursAt(hours, at) * 3_600_000) / ACCELERATION
  return Math.max(REPAIR_MS_MIN, Math.round(ms))
}

function hoursAt(hours: Hours, ratio: number): number {
  const upper = PERCENTILES.findIndex((percentile) => ratio < percentile)
  if (upper === 0) return hours[0]
  if (upper === -1) return hours[4]
  const from = PERCENTILES[upper - 1]
  const share = (ratio - from) / (PERCENTILES[upper] - from)
  return hours[upper - 1] * Math.pow(hours[upper] / hours[upper - 1], share)
}
