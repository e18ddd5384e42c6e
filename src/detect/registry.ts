/** Every detector there is, in the order in which they are asked. A new one is a file and a line here. */
import type { Detector } from './detector.ts'
import { heartbeat } from './heartbeat.ts'
import { predictedFailure } from './predicted-failure.ts'

export const DETECTORS: readonly Detector[] = [heartbeat, predictedFailure]
