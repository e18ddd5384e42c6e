/** Every detector there is, in the order in which they are asked. A new one is a file and a line here. */
import { byzantine } from './byzantine.ts'
import { challengeResponse } from './challenge-response.ts'
import { dataCorruption } from './data-corruption.ts'
import type { Detector } from './detector.ts'
import { heartbeat } from './heartbeat.ts'
import { failSlow } from './fail-slow.ts'
import { flooding } from './flooding.ts'
import { networkPartition } from './network-partition.ts'
import { peerSight } from './peer-sight.ts'
import { phiAccrual } from './phi-accrual.ts'
import { predictedFailure } from './predicted-failure.ts'
import { resourceExhaustion } from './resource-exhaustion.ts'
import { serviceUnavailable } from './service-unavailable.ts'
import { sybil } from './sybil.ts'
import { threshold } from './threshold.ts'
import { timingAnomaly } from './timing-anomaly.ts'
import { voteManipulation } from './vote-manipulation.ts'

export const DETECTORS: readonly Detector[] = [
  heartbeat,
  predictedFailure,
  phiAccrual,
  threshold,
  failSlow,
  resourceExhaustion,
  networkPartition,
  peerSight,
  serviceUnavailable,
  dataCorruption,
  byzantine,
  sybil,
  flooding,
  voteManipulation,
  timingAnomaly,
  challengeResponse,
]
