/** One process of the whole service on the simulated bus, with a model that reads what it says from a metric. */
import type { Bus, Output } from '../core/bus.ts'
import type { ModelCard, Quality } from '../core/model.ts'
import type { PromotionRules } from '../core/model-life.ts'
import type { NodeClass } from '../core/node.ts'
import type { Policy } from '../core/policy.ts'
import type { Topology } from '../core/topics.ts'
import type { RailCheck } from '../decide/admission.ts'
import { nodeKey } from '../detect/challenge-response.ts'
import { IngestFold } from '../ingest/route.ts'
import { CoordinatorFold } from '../pipeline/coordinator.ts'
import { startIngest } from '../pipeline/ingest.ts'
import { type Role, type RoleEvents, startRole } from '../pipeline/role.ts'
import { WatcherFold } from '../pipeline/watcher.ts'
import type { Predictor } from '../predict/session.ts'
import { featureHash, featureNames } from '../state/features.ts'
import type { Stall } from './stall.ts'
import { SIGNS, WEAR } from './telemetry.ts'
import { NODE_SECRET } from './witnesses.ts'

export const SIGNATURE = 'simulated'
const COMMIT_INTERVAL_MS = 100
const TICK_INTERVAL_MS = 1_000
const HORIZON_MS = 1_800_000
/** As the service has it by default. */
const CHANGE_GAP_MS = 5_000
/** A probability of 1 has no finite margin. */
const CERTAIN = 0.999

export interface ProcessOptions {
  readonly bus: Bus
  readonly topology: Topology
  readonly kernel: WebAssembly.Module
  readonly nodeClass: NodeClass
  readonly nodesMax: number
  readonly policy: Policy
  readonly rails: readonly RailCheck[]
  readonly events: RoleEvents
  readonly stall: Stall
  readonly promotion?: PromotionRules
  readonly tamper?: (outputs: readonly Output[]) => readonly Output[]
}

export interface Process {
  readonly watcher: Role
  readonly coordinator: Role
}

export async function startProcess(options: ProcessOptions): Promise<Process> {
  const { bus, topology, kernel, nodeClass, policy, events, tamper } = options
  const nodeClasses = new Map([[nodeClass.name, nodeClass]])
  const shared = {
    bus,
    topology,
    commitIntervalMs: COMMIT_INTERVAL_MS,
    tickIntervalMs: TICK_INTERVAL_MS,
    events,
  }
  const coordinator = await startRole({
    ...shared,
    role: 'coordinator',
    topic: 'pool-log',
    ...(tamper === undefined
      ? {}
      : { guard: (_: number, outputs: readonly Output[]) => tamper(outputs) }),
    createFold: async (partition) =>
      new CoordinatorFold(
        {
          partition,
          topology,
          kernel,
          policyFor: () => policy,
          sign: () => SIGNATURE,
          ...(options.promotion === undefined ? {} : { promotion: options.promotion }),
          keyOf: (node) => nodeKey(NODE_SECRET, node),
          source: '/simulated',
        },
        options.rails,
      ),
  })
  const predictors = new Map([[nodeClass.name, simulatedModel(nodeClass)]])
  const watcher = await startRole({
    ...shared,
    role: 'watcher',
    topic: 'node-log',
    createFold: async (partition) =>
      new WatcherFold({
        partition,
        topology,
        kernel,
        nodeClasses,
        predictors,
        changeGapMs: Math.max(CHANGE_GAP_MS, nodeClass.heartbeatIntervalMs ?? 0),
        policies: [policy],
        nodesMax: options.nodesMax,
        source: '/simulated',
      }),
  })
  await startIngest({
    ...shared,
    bus: options.stall.of(bus),
    createRouter: (source) =>
      new IngestFold({ topology, nodeClasses, defaultClass: nodeClass.name, source, kernel }),
  })
  return { watcher, coordinator }
}

/** Answers at once: the probability is the greatest of the metrics that say so. */
function simulatedModel(nodeClass: NodeClass): Predictor {
  const features = featureNames(nodeClass)
  const read = [WEAR, ...SIGNS].map((name) => features.indexOf(`${name}.value`))
  return {
    card: cardOf(nodeClass, features),
    provider: 'simulated',
    predict: async (matrix, rowCount) => {
      const probability = new Float32Array(rowCount)
      for (let row = 0; row < rowCount; row++) {
        let most = 0
        for (const column of read) {
          const value = matrix[row * features.length + column]
          // A missing value is not greater.
          if (value > most) most = value
        }
        probability[row] = Math.min(CERTAIN, most)
      }
      const margin = probability.map((p) => Math.log((p + 1 - CERTAIN) / (1 - p)))
      return { probability, margin }
    },
    dispose: async () => undefined,
  }
}

function cardOf(nodeClass: NodeClass, features: readonly string[]): ModelCard {
  const unknown: Quality = {
    rowCount: 0,
    positiveCount: 0,
    nodeCount: 0,
    prAuc: 0,
    rocAuc: 0,
    threshold: 0.8,
    precision: 0,
    recall: 0,
    brier: 0,
    brierSkill: 0,
    calibrationSlope: null,
    recallAtPrecisionHalf: 0,
    ece: 0,
    leadTimeMs: null,
    alertBudget: [],
  }
  return {
    name: 'simulated',
    version: 'simulated',
    history: 'none',
    nodeClass: nodeClass.name,
    horizonMs: HORIZON_MS,
    features,
    featureHash: featureHash(nodeClass),
    actingPoint: 0.8,
    alertBudgets: [],
    modelHash: '',
    trainedNodes: '',
    trees: 0,
    leavesMax: 0,
    seed: 0,
    validation: unknown,
    test: unknown,
    baselines: {},
    notes: ['It reads its answer from the telemetry of a simulated world.'],
  }
}
