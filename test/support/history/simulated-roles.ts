/** All roles of one process on a simulated bus: nothing in them waits for anything but virtual time. */
import type { Bus } from '../../../src/core/bus.ts'
import type { NodeClass } from '../../../src/core/node.ts'
import { DEFAULT_POLICY, type Policy } from '../../../src/core/policy.ts'
import type { Topology } from '../../../src/core/topics.ts'
import { IngestFold } from '../../../src/ingest/route.ts'
import { CoordinatorFold } from '../../../src/pipeline/coordinator.ts'
import { startIngest } from '../../../src/pipeline/ingest.ts'
import { type RoleEvents, startRole } from '../../../src/pipeline/role.ts'
import { WatcherFold } from '../../../src/pipeline/watcher.ts'
import type { Predictor } from '../../../src/predict/session.ts'
import { foreshockWasm } from '../node-class.ts'
import { tinyCard } from './tiny-model.ts'

export interface SimulatedRoles {
  readonly bus: Bus
  readonly topology: Topology
  readonly nodeClasses: ReadonlyMap<string, NodeClass>
  readonly predictors?: ReadonlyMap<string, Predictor>
  readonly policy?: Policy
  readonly events?: RoleEvents
}

/** Answers at once: 0.9 where the first feature is over 50, else 0.1. */
export function instantPredictor(nodeClass: NodeClass): Predictor {
  const card = tinyCard(nodeClass, new Uint8Array())
  const width = card.features.length
  return {
    card,
    provider: 'instant',
    predict: async (matrix, rowCount) => {
      const high = (_: unknown, row: number) => (matrix[row * width] > 50 ? 0.9 : 0.1)
      const probability = Float32Array.from({ length: rowCount }, high)
      return { probability, margin: probability.map((p) => Math.log(p / (1 - p))) }
    },
    dispose: async () => undefined,
  }
}

const wasm = foreshockWasm()

export async function startSimulatedRoles(options: SimulatedRoles): Promise<void> {
  const { bus, topology, nodeClasses, predictors = new Map<string, Predictor>() } = options
  const events = options.events ?? {}
  const shared = { bus, topology, commitIntervalMs: 50, tickIntervalMs: 1_000, events }
  await startRole({
    ...shared,
    role: 'coordinator',
    topic: 'pool-log',
    createFold: async (partition) =>
      new CoordinatorFold({
        partition,
        topology,
        kernel: wasm,
        policyFor: () => options.policy ?? DEFAULT_POLICY,
        sign: () => '',
        source: '/simulated',
      }),
  })
  await startRole({
    ...shared,
    role: 'watcher',
    topic: 'node-log',
    createFold: async (partition) =>
      new WatcherFold({
        partition,
        topology,
        kernel: wasm,
        nodeClasses,
        predictors,
        changeGapMs: 45_000,
        policies: [options.policy ?? DEFAULT_POLICY],
        nodesMax: 1_024,
        source: '/simulated',
      }),
  })
  const [defaultClass] = nodeClasses.keys()
  await startIngest({
    ...shared,
    createRouter: (source) => new IngestFold({ topology, nodeClasses, defaultClass, source }),
  })
}
