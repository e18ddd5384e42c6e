/** A model for servers that knows one sign: a processor that is busy beyond `FEVER` means a failure. */
import { loadNodeClasses, nodeClassNamed } from '../../src/config/node-classes.ts'
import { packagedNodeClasses } from '../../src/commands/package.ts'
import type { ServiceOptions } from '../../src/pipeline/service.ts'
import { POLICY } from './deployment.ts'
import { writeTinyModel } from './history/tiny-model.ts'

/** Utilization over which it says 73 %, and 5 % below. */
const FEVER = 0.9
const ACTING_PROBABILITY = 0.5
/** Nobody waits a minute for the next prediction. */
const PREDICTION_INTERVAL_MS = 1_000

/** Writes the model into a new folder, and gives that. */
export function writeFeverModel(): string {
  const classes = loadNodeClasses(packagedNodeClasses())
  return writeTinyModel(nodeClassNamed(classes, 'server'), FEVER)
}

/** A service that runs it and acts on it. */
export function withFeverModel(options: ServiceOptions, model: string): ServiceOptions {
  const server = nodeClassNamed(options.nodeClasses, 'server')
  const quick = { ...server, predictionIntervalMs: PREDICTION_INTERVAL_MS }
  const actingPoint = { kind: 'threshold', probability: ACTING_PROBABILITY } as const
  const policy = { ...POLICY, actingPoint }
  return {
    ...options,
    nodeClasses: new Map([...options.nodeClasses, ['server', quick]]),
    models: { server: model },
    policyFor: () => policy,
    policies: [policy],
  }
}
