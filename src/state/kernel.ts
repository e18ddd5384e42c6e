/**
 * The binding to foreshock.wasm for one node table: scalars cross, and everything else is a view on
 * the instance's memory. Views are made anew at each use, because growing memory detaches them.
 */
import { assert } from '../core/errors.ts'
import { healthPartIndex } from './health.ts'
import { attributeIsSince, peerMetrics } from './features.ts'
import { leastDeviation } from './row-deviation.ts'
import type { NodeClass } from '../core/node.ts'

export const NO_NODE = 0xffff_ffff
export const COHORTS_MAX = 1024

type Call = (...args: readonly number[]) => number

const CALLS = [
  'configureMetric',
  'configureAttribute',
  'configureDeviation',
  'configureTime',
  'configureTable',
  'limitNodes',
  'hashOf',
  'usedBytes',
  'bytesPerNode',
  'rowNodesPointer',
  'rowTimesPointer',
  'rowTriggersPointer',
  'rowHashesPointer',
  'rowDeviationsPointer',
  'matrixPointer',
  'idScratchPointer',
  'lookUp',
  'intern',
  'slots',
  'nodes',
  'listPointer',
  'idPointer',
  'idLength',
  'drop',
  'release',
  'setAttribute',
  'setCohort',
  'stage',
  'stagedNodesPointer',
  'stagedAtPointer',
  'stagedAppendedPointer',
  'stagedValuesPointer',
  'stageText',
  'resolve',
  'keysWithin',
  'resolveKeys',
  'applyNulls',
  'beginFold',
  'foldStaged',
  'countOf',
  'rowsReady',
  'rowHashes',
  'rowDeviations',
  'clearRows',
  'emitNodeDue',
  'advance',
  'emitChanged',
  'signLife',
  'sweep',
  'suspects',
  'isSilent',
  'lastSeenAt',
  'lastSeenObservedAt',
  'arrivalMean',
  'arrivalVariance',
  'missingRatioOf',
  'healthScores',
  'healthOf',
  'healthPointer',
  'cohortTablePointer',
  'halving',
] as const

export type Kernel = Readonly<Record<(typeof CALLS)[number], Call>> & {
  readonly memory: WebAssembly.Memory
}

/** Of the 4 GiB that a module can address, what tiles and ids may take; the rest is for buffers. */
const TABLE_BYTES_MAX = 3.2e9
/** The block of the longest id, its entry in the growing id table, and the lists of one word per node. */
const ID_AND_LISTS_BYTES = 512 + 96
/** More than the module's static data needs; the kernel grows it by itself. */
const PAGES_INITIAL = 32
const KINDS = { gauge: 0, counter: 1, code: 2, signal: 3 } as const

/** A fresh instance with its own memory. Its map is laid out by `configure`. */
export function instantiate(module: WebAssembly.Module): Kernel {
  const memory = new WebAssembly.Memory({ initial: PAGES_INITIAL })
  const abort = (): never => {
    throw new Error('bug: the kernel aborted')
  }
  const { exports } = new WebAssembly.Instance(module, { env: { memory, abort } })
  for (const name of CALLS) {
    assert(typeof exports[name] === 'function', `foreshock.wasm has no ${name}: build it anew`)
  }
  return { ...(exports as unknown as Kernel), memory }
}

/** Lays the table out for a node class. */
export function configure(
  kernel: Kernel,
  nodeClass: NodeClass,
  size: { readonly featureCount: number; readonly nodesMax: number; readonly rowsMax: number },
): void {
  const { metrics, attributes, halfLivesMs } = nodeClass
  const peers = peerMetrics(nodeClass)
  metrics.forEach((metric, index) => {
    kernel.configureMetric(
      index,
      KINDS[metric.kind],
      metric.min ?? (metric.kind === 'counter' ? 0 : -Infinity),
      metric.max ?? Infinity,
      peers.indexOf(metric),
      metric.health === null ? -1 : healthPartIndex(metric.health.part),
      metric.health?.good ?? 0,
      metric.health?.bad ?? 0,
    )
    kernel.configureDeviation(index, leastDeviation(metric))
  })
  attributes.forEach((attribute, index) => {
    kernel.configureAttribute(index, attributeIsSince(attribute) ? 1 : 0)
  })
  kernel.configureTime(
    ...halfLivesMs,
    nodeClass.predictionIntervalMs,
    nodeClass.gridOrigin === 'first-sample' ? 1 : 0,
    nodeClass.heartbeatIntervalMs ?? 0,
  )
  kernel.configureTable(
    metrics.length,
    attributes.length,
    size.featureCount,
    peers.length,
    metrics.filter(({ kind }) => kind === 'counter').length,
    size.nodesMax,
    size.rowsMax,
  )
  const bytesPerNode = kernel.bytesPerNode() + ID_AND_LISTS_BYTES
  kernel.limitNodes(Math.floor(TABLE_BYTES_MAX / bytesPerNode))
}
