/** Random programs for node tables: batches, events and ticks, run on the kernel or on its reference. */
import { fc } from '@fast-check/vitest'
import { NodeTable } from '../../src/state/node-table.ts'
import type { ReferenceNodeTable } from '../../src/state/reference.ts'
import { foreshockWasm, PROBE, samplesIpc } from './node-class.ts'
import type { NodeId, PoolId } from '../../src/core/ids.ts'
import type { NodeClass, NodeEvent } from '../../src/core/node.ts'
import type { SampleRow } from './node-class.ts'

export type Step =
  | { readonly kind: 'samples'; readonly rows: readonly SampleRow[] }
  | { readonly kind: 'event'; readonly event: NodeEvent }
  | { readonly kind: 'advance'; readonly nowMs: number }
  | { readonly kind: 'changed'; readonly minGapMs: number }

/** A row as the bits of its features, so that NaN equals NaN and nothing else is forgiven. */
export type RowsByNode = Readonly<Record<string, readonly string[]>>

export const OBSERVED = { atMs: 0, watermarkMs: 0 }

const module = foreshockWasm()
const nodes = fc.constantFrom('a', 'b', 'node-3', 'n'.repeat(256))
/** Ten minutes of milliseconds; time goes back, stands still and repeats. */
export const times = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 0, max: 600_000 }) },
  { weight: 3, arbitrary: fc.constantFrom(0, 1, 59_999, 60_000, 60_001, 120_000) },
  { weight: 1, arbitrary: fc.constantFrom(-5, -70_000) },
)
const values: fc.Arbitrary<number | null> = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 100 }) },
  { weight: 3, arbitrary: fc.double({ noNaN: true, min: -1000, max: 1e6 }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<number | null>(
      null,
      Number.NaN,
      Infinity,
      -Infinity,
      0,
      -0,
      5e-324,
      1e-40,
      -1e-31,
      1e18,
      -1e18,
      1e19,
      2 ** 53,
      16_777_217,
    ),
  },
)
const labels = fc.dictionary(
  fc.constantFrom('size', 'maker', 'made', 'model', 'other'),
  fc.constantFrom('12.5', 'a', 'b', 'c', '', 'not a number', '-100000', '59000'),
)
const place = { zone: null, region: null, latitude: null, longitude: null }
const capacity = { cpu: 1, memoryBytes: 1, gpu: null }

/** What a program is made of: the metrics that samples name, and the times of all that happens. */
interface Ingredients {
  readonly metrics: readonly string[]
  readonly times: fc.Arbitrary<number>
}

function sampleRows({ metrics, times }: Ingredients): fc.Arbitrary<SampleRow> {
  const some = fc.dictionary(fc.constantFrom(...metrics), values)
  const all = fc
    .array(values, { minLength: metrics.length, maxLength: metrics.length })
    .map((row) => Object.fromEntries(metrics.map((name, index) => [name, row[index]])))
  return fc.record({ node: nodes, at: times, metrics: fc.oneof(some, all) })
}

function events(times: fc.Arbitrary<number>): fc.Arbitrary<NodeEvent> {
  return fc
    .tuple(
      fc.constantFrom('join', 'labels', 'leave', 'failure', 'error', 'heartbeat'),
      nodes,
      times,
      labels,
    )
    .map(([kind, id, atMs, labels]): NodeEvent => {
      const node = id as NodeId
      if (kind === 'join') {
        return { kind, node, atMs, class: 'probe', pool: 'p' as PoolId, labels, place, capacity }
      }
      if (kind === 'labels') return { kind, node, atMs, labels }
      if (kind === 'leave') return { kind, node, atMs }
      if (kind === 'error') return { kind, node, atMs, code: labels['made'] ?? 'E1' }
      if (kind === 'failure') return { kind, node, atMs, failureKind: 'crash' }
      return { kind: 'heartbeat', node, atMs, component: null }
    })
}

export function programsOf(ingredients: Ingredients): fc.Arbitrary<readonly Step[]> {
  const { times } = ingredients
  const rows = fc.array(sampleRows(ingredients), { maxLength: 12 })
  const minGapMs = fc.constantFrom(0, 1_000, 30_000)
  return fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('samples' as const), rows }) },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('event' as const), event: events(times) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('advance' as const), nowMs: times }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('changed' as const), minGapMs }) },
    ),
    { maxLength: 14 },
  )
}

/** For the class PROBE. */
export const programs = programsOf({
  metrics: ['temperature', 'bytes', 'status', 'latency'],
  times,
})

export const newTable = (nodeClass: NodeClass = PROBE, rowsMax = 4096, nodesMax = 64): NodeTable =>
  new NodeTable(module, nodeClass, { rowsMax, nodesMax })

/** Runs the program and collects every row the table gives. */
export function runOnTable(
  table: NodeTable,
  program: readonly Step[],
  nodeClass = PROBE,
  deviationsMin = 0,
): RowsByNode {
  const rows: Record<string, string[]> = {}
  const finish = (call: () => boolean): void => {
    let done = false
    while (!done) {
      done = call()
      takeRows(table, rows)
    }
  }
  for (const [index, step] of program.entries()) {
    if (step.kind === 'samples') {
      table.load(samplesIpc(nodeClass, step.rows, { dictionary: index % 2 === 1 }))
      finish(() => table.fold(OBSERVED))
    } else if (step.kind === 'event') {
      finish(() => table.foldEvent(step.event, step.event.atMs, OBSERVED))
    } else if (step.kind === 'advance') {
      finish(() => table.advance(step.nowMs))
    } else {
      finish(() => table.emitChanged(step.minGapMs, deviationsMin))
    }
  }
  return rows
}

export function runOnReference(
  reference: ReferenceNodeTable,
  program: readonly Step[],
  deviationsMin = 0,
): RowsByNode {
  for (const step of program) {
    if (step.kind === 'samples') for (const row of step.rows) reference.fold(row)
    else if (step.kind === 'event') reference.foldEvent(step.event)
    else if (step.kind === 'advance') reference.advance(step.nowMs)
    else reference.emitChanged(step.minGapMs, deviationsMin)
  }
  const rows: Record<string, string[]> = {}
  for (const { node, atMs, trigger, features } of reference.rows) {
    ;(rows[node] ??= []).push(rowText(atMs, trigger, features))
  }
  return rows
}

function takeRows(table: NodeTable, into: Record<string, string[]>): void {
  const { count, node, atMs, trigger, matrix } = table.rows()
  const width = table.featureNames.length
  for (let row = 0; row < count; row++) {
    const features = matrix.subarray(row * width, (row + 1) * width)
    const text = rowText(atMs[row], trigger[row] === 0 ? 'grid' : 'change', features)
    ;(into[table.idOf(node[row])] ??= []).push(text)
  }
  table.clearRows()
}

function rowText(atMs: number, trigger: string, features: Float32Array): string {
  const bits = new Uint32Array(features.buffer, features.byteOffset, features.length)
  return `${trigger}@${atMs} ${Array.from(bits, (word) => word.toString(16)).join(' ')}`
}
