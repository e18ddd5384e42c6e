/**
 * What a node costs as the fleet grows: CPU time per sample through the watcher's fold (state, change
 * rows, inference, predictions and assessments, liveness each second), and memory per node.
 *
 * Perfectly flat it cannot be: the state of a thousand nodes stays in the processor's caches, that of
 * a million comes from memory, and a tick costs something however few samples share it.
 */
import { loadKernel } from '../../src/commands/package.ts'
import { assert } from '../../src/core/errors.ts'
import { NodeTable } from '../../src/state/node-table.ts'
import { median } from '../../training/alerts.ts'
import type { Bench, BenchRow } from '../bench.ts'
import { serverClass } from '../end-to-end/deployment.ts'
import { directLoad, FoldedFleet, START_MS } from './folded-fleet.ts'

const FULL = [1_000, 10_000, 100_000, 1_000_000]
const QUICK = [1_000, 10_000, 100_000]
const MINUTE_S = 60
/** Of one size in one round, so that small fleets are measured for as long as it takes. */
const SAMPLES_MIN = 60_000
const TIME_SPREAD_MAX = 1.5
const MEMORY_SPREAD_MAX = 1.1

export const bench: Bench = {
  name: 'growth of the fleet',
  async run({ quick, log }) {
    const sizes = quick ? QUICK : FULL
    const bytes = new Map<number, number>()
    for (const size of sizes) bytes.set(size, await memoryBytes(size))
    const fleets: FoldedFleet[] = []
    for (const size of sizes) fleets.push(await FoldedFleet.create(size))
    for (const fleet of fleets) await fleet.seconds(MINUTE_S)
    const times = new Map(sizes.map((size): [number, number[]] => [size, []]))
    const rounds = 3
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < fleets.length; i++) {
        const fleet = fleets[(i + round) % fleets.length]
        const ns = await nsPerSample(fleet)
        times.get(fleet.nodeCount)!.push(ns)
        log(`  ${fleet.nodeCount} nodes: ${Math.round(ns)} ns CPU per sample`)
      }
    }
    for (const fleet of fleets) {
      assert(fleet.stats()['nodeCount'] === fleet.nodeCount, 'every node is in the table')
    }
    return [...timeRows(times), memoryRow(bytes)]
  },
}

async function nsPerSample(fleet: FoldedFleet): Promise<number> {
  let [cpuMs, samples] = [0, 0]
  while (samples < SAMPLES_MIN) {
    const spent = await fleet.seconds(MINUTE_S)
    cpuMs += spent.cpuMs
    samples += spent.samples
  }
  return (1e6 * cpuMs) / samples
}

async function memoryBytes(nodeCount: number): Promise<number> {
  const table = new NodeTable(await loadKernel(), serverClass())
  const load = directLoad(nodeCount)
  for (let group = 0; group < load.groupCount; group++) {
    const { value } = load.message(group, START_MS)
    assert(value instanceof Uint8Array, 'a record of samples is an Arrow stream')
    table.load(value)
    while (!table.fold({ atMs: START_MS, watermarkMs: START_MS })) table.clearRows()
    table.clearRows()
  }
  assert(table.nodeCount === nodeCount, 'every node is in the table')
  return table.memoryBytes
}

function timeRows(times: ReadonlyMap<number, readonly number[]>): readonly BenchRow[] {
  const sizes = [...times.keys()]
  const rounds = times
    .get(sizes[0])!
    .map((_, round) => sizes.map((size) => times.get(size)![round]))
  const ratios = rounds.map((ns) => Math.max(...ns) / Math.min(...ns))
  // A small fleet is told of in every detail, and costs more a node: this says what growing costs.
  const growth = rounds.map((ns) =>
    Math.max(...ns.map((cost, i) => cost / Math.min(...ns.slice(0, i + 1)))),
  )
  const value = median(ratios)
  const figures = Object.fromEntries(
    sizes.map((size) => [`nsPerSampleAt${size}`, Math.round(median(times.get(size)!) ?? 0)]),
  )
  const against = `${told(sizes[0])} to ${told(sizes.at(-1)!)} nodes`
  return [
    {
      what: 'CPU per sample, dearest size against the cheapest',
      against,
      value,
      reach: `≤ ${TIME_SPREAD_MAX}`,
      ok: value !== null && value <= TIME_SPREAD_MAX,
      spread: [Math.min(...ratios), Math.max(...ratios)],
      better: 'less',
      figures,
    },
    {
      what: 'CPU per sample, a fleet against any smaller one, at most',
      against,
      value: median(growth),
      reach: null,
      ok: true,
      spread: [Math.min(...growth), Math.max(...growth)],
      better: 'less',
    },
    ...sizes.slice(1).map((size): BenchRow => {
      const grown = times.get(size)!.map((ns, round) => ns / times.get(sizes[0])![round])
      return {
        what: `CPU per sample at ${told(size)} nodes`,
        against: `at ${told(sizes[0])} nodes`,
        value: median(grown),
        reach: null,
        ok: true,
        spread: [Math.min(...grown), Math.max(...grown)],
        better: 'less',
      }
    }),
  ]
}

/** By what a further node adds: buffers are the same for every size, and blocks are never quite full. */
function memoryRow(bytes: ReadonlyMap<number, number>): BenchRow {
  const sizes = [...bytes.keys()]
  const steps = sizes.slice(1).map((size, i) => {
    const each = (bytes.get(size)! - bytes.get(sizes[i])!) / (size - sizes[i])
    return { each, name: `${told(sizes[i])} to ${told(size)}: ${Math.round(each)} B` }
  })
  const all = steps.map(({ each }) => each)
  const value = Math.max(...all) / Math.min(...all)
  return {
    what: 'WebAssembly memory of a further node, most against least',
    against: steps.map(({ name }) => name).join(', '),
    value,
    reach: `≤ ${MEMORY_SPREAD_MAX}`,
    ok: value <= MEMORY_SPREAD_MAX,
    figures: Object.fromEntries([...bytes].map(([size, each]) => [`bytesAt${size}`, each])),
  }
}

function told(count: number): string {
  return count.toLocaleString('en-US')
}
