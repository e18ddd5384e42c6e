/**
 * Records into state, up to the point where a fold can begin: names resolved to slots, values as
 * columns where the fold reads them. What the fold itself costs is a row of its own, since every
 * rival would have to pay it too.
 */
import { tableFromIPC } from 'apache-arrow'
import { NodeTable } from '../../src/state/node-table.ts'
import { BatchStager } from '../../src/state/batch.ts'
import { median } from '../../training/alerts.ts'
import { alternate, ratioRow } from '../bench.ts'
import {
  FLEET,
  METRICS,
  ROWS,
  START_MS,
  arrowRecords,
  fleetKernel,
  foreshockModule,
  jsonRecords,
  valueOf,
  withDictionary,
} from './columns.ts'
import type { Bench, BenchRow } from '../bench.ts'

/** What both rivals fill: slots by name in a Map, times and values in typed arrays. */
class MapState {
  readonly slots = new Map<string, number>()
  readonly nodes = new Uint32Array(ROWS)
  readonly at = new Float64Array(ROWS)
  readonly columns = FLEET.metrics.map(() => new Float64Array(ROWS))

  slotOf(name: string): number {
    const known = this.slots.get(name)
    if (known !== undefined) return known
    this.slots.set(name, this.slots.size)
    return this.slots.size - 1
  }

  takeJson(record: Uint8Array, row: number): void {
    const { node, at, metrics } = JSON.parse(record.toString()) as {
      readonly node: string
      readonly at: number
      readonly metrics: Readonly<Record<string, number | null>>
    }
    this.nodes[row] = this.slotOf(node)
    this.at[row] = at
    for (const [metric, { name }] of FLEET.metrics.entries()) {
      this.columns[metric][row] = metrics[name] ?? Number.NaN
    }
  }

  takeArrow(record: Uint8Array): void {
    const table = tableFromIPC(record)
    const names = table.getChild('node')!
    const at = table.getChild('at')!.data[0].values as BigInt64Array
    for (let row = 0; row < table.numRows; row++) {
      this.nodes[row] = this.slotOf(names.get(row) as string)
      this.at[row] = Number(at[row])
    }
    for (const [metric, { name }] of FLEET.metrics.entries()) {
      this.columns[metric].set(table.getChild(name)!.data[0].values as Float64Array)
    }
  }
}

export const bench: Bench = {
  name: 'records into state',
  async run({ quick }): Promise<readonly BenchRow[]> {
    const nodes = Uint32Array.from({ length: quick ? 4_000 : 10_000 }, (_, node) => node)
    const utf8 = arrowRecords(nodes, START_MS)
    const rounds = quick ? 5 : 15
    const json = jsonRecords(nodes, START_MS)
    const [byJson, byMap] = [new MapState(), new MapState()]
    const rows: BenchRow[] = []
    for (const [what, records] of [
      ['utf8', utf8],
      ['dictionary', utf8.map(withDictionary)],
    ] as const) {
      const kernel = fleetKernel(nodes.length)
      const stager = new BatchStager(kernel, FLEET)
      const candidates = {
        ours: () => records.forEach((record) => stager.stage(record)),
        json: () => json.forEach((record, index) => byJson.takeJson(record, index % ROWS)),
        map: () => records.forEach((record) => byMap.takeArrow(record)),
      }
      for (const candidate of Object.values(candidates)) candidate()
      const last = new Float64Array(kernel.memory.buffer, kernel.stagedValuesPointer() >>> 0)
      check(last, byJson, byMap, nodes.length)
      const times = await alternate(rounds, candidates)
      const perSecond = nodes.length / ((median(times['ours']) ?? 0) / 1_000)
      const figures = { samplesPerSecond: Math.round(perSecond) }
      const title = `Arrow records of ${ROWS} samples x ${METRICS} metrics into state, ${what} ids`
      const against = [
        { rival: 'json', reach: 20, name: 'JSON.parse per sample, Map, typed arrays' },
        { rival: 'map', reach: 3, name: 'apache-arrow, Map, typed arrays' },
      ]
      for (const { rival, reach, name } of against) {
        rows.push(ratioRow(title, name, times, { ours: 'ours', rival, reach }, figures))
      }
    }
    return [...rows, await foldRow(nodes, rounds)]
  },
}

/** The last thousand rows, which all three still hold. */
function check(ours: Float64Array, json: MapState, map: MapState, nodes: number): void {
  for (let row = 0; row < ROWS; row++) {
    const node = nodes - ROWS + row
    if (json.nodes[row] !== node || map.nodes[row] !== node) throw new Error('a name went astray')
    for (let metric = 0; metric < METRICS; metric++) {
      const value = valueOf(node, metric, 0)
      const same = ours[metric * ROWS + row] === value && json.columns[metric][row] === value
      if (!same || map.columns[metric][row] !== value) throw new Error('a value went astray')
    }
  }
}

async function foldRow(nodes: Uint32Array, rounds: number): Promise<BenchRow> {
  const table = new NodeTable(foreshockModule(), FLEET)
  const [load, fold]: [number[], number[]] = [[], []]
  for (let step = 0; step <= rounds; step++) {
    const atMs = START_MS + step * 10_000
    let [loadMs, foldMs] = [0, 0]
    for (const record of arrowRecords(nodes, atMs, step)) {
      const began = performance.now()
      table.load(record)
      const loaded = performance.now()
      while (!table.fold({ atMs, watermarkMs: atMs })) table.clearRows()
      foldMs += performance.now() - loaded
      loadMs += loaded - began
      table.clearRows()
    }
    if (step > 0) {
      load.push(loadMs)
      fold.push(foldMs)
    }
  }
  if (table.counts().folded !== nodes.length * (rounds + 1)) throw new Error('a sample was lost')
  const perSample = (times: readonly number[]) => (1e6 * (median(times) ?? 0)) / nodes.length
  const total = perSample(load) + perSample(fold)
  return {
    what: 'the same and folded: samples/s of one watcher, feature rows every sixth sample included',
    against: null,
    value: Math.round(1e9 / total),
    reach: null,
    ok: true,
    figures: { loadNsPerSample: perSample(load), foldNsPerSample: perSample(fold) },
  }
}
