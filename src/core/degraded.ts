/** Parts that the loop of seeing, deciding and acting goes on without, and what is lost meanwhile. */

export const DEGRADED_LOSSES = {
  'pages-undelivered': 'people are not told of alerts; what stands is at GET /v1/alerts',
  'history-off':
    'nothing is recorded for training and reports; it is read again while the log still keeps it',
  'recorder-behind':
    'reports and training lack the newest samples until the recorder has caught up',
  'model-fallback-cpu': 'the GPU: predictions are the same, and take longer',
  'inference-down': 'predictions and liveness of the nodes in partitions that wait for their model',
  'broker-slow': 'time: commands and alerts leave later than usual',
} as const

export type DegradedName = keyof typeof DEGRADED_LOSSES

export const DEGRADED_NAMES = Object.keys(DEGRADED_LOSSES) as readonly DegradedName[]

export interface DegradedMode {
  readonly mode: DegradedName
  readonly sinceMs: number
  /** What is not there while it lasts. */
  readonly lost: string
  /** What was seen. */
  readonly detail: string
}
