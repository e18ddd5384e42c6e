/** The two node classes of the parity history: minutes, an epoch grid and peers; and weeks, from the first sample. */
import type { NodeClass } from '../../../src/core/node.ts'
import { DAY_MS } from '../../../src/core/time.ts'
import { metric } from '../node-class.ts'

export const MINUTE_MS = 60_000

export const SERVER: NodeClass = {
  name: 'server',
  metrics: [
    metric('temperature', {
      min: -50,
      max: 150,
      health: { part: 'resources', good: 40, bad: 90 },
      peers: true,
    }),
    metric('load', { min: 0, max: 1, peers: true }),
    metric('bytes', { kind: 'counter' }),
    metric('status', { kind: 'code' }),
    metric('latency', { health: { part: 'network', good: 10, bad: 110 } }),
  ],
  attributes: [
    { name: 'size', label: 'size', kind: 'number', values: [], error: null },
    { name: 'maker', label: 'model', kind: 'category', values: ['a', 'b'], error: null },
    { name: 'made', label: 'made', kind: 'since', values: [], error: null },
  ],
  halfLivesMs: [MINUTE_MS, 10 * MINUTE_MS, 60 * MINUTE_MS],
  heartbeatIntervalMs: 60_000,
  detectionWindowMs: 240_000,
  predictionIntervalMs: 5 * MINUTE_MS,
  gridOrigin: 'epoch',
}

export const DRIVE: NodeClass = {
  name: 'drive',
  metrics: [
    metric('pending', { min: 0 }),
    metric('written', { kind: 'counter' }),
    metric('smart', { kind: 'code' }),
  ],
  attributes: [
    { name: 'maker', label: 'maker', kind: 'category', values: ['x', 'y'], error: null },
  ],
  halfLivesMs: [7 * DAY_MS, 30 * DAY_MS, 90 * DAY_MS],
  heartbeatIntervalMs: null,
  detectionWindowMs: 30_000,
  predictionIntervalMs: 7 * DAY_MS,
  gridOrigin: 'first-sample',
}

export const PARITY_CLASSES: ReadonlyMap<string, NodeClass> = new Map([
  ['server', SERVER],
  ['drive', DRIVE],
])
