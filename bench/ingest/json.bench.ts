/**
 * JSON telemetry into columns: our reader of bytes against JSON.parse and the checks of json.ts, which
 * it replaces and which say the same of every record. Values have two digits behind the point, as gauges
 * do, or all that a double has, as quotients do.
 */
import { JsonDecoder } from '../../src/ingest/json-decoder.ts'
import { decodeJsonSamples } from '../../src/ingest/json.ts'
import { median } from '../../training/alerts.ts'
import { alternateFastest, ratioRow, timed } from '../bench.ts'
import { FLEET, METRICS, START_MS, nodeName, valueOf } from './columns.ts'
import type { Bench, BenchRow } from '../bench.ts'

const SAMPLES = 1_000
const PASSES = 9
const REACH = 2
const WHAT = `JSON samples of ${METRICS} metrics into columns`
const context = { defaultClass: FLEET.name, nowMs: START_MS + 60_000 }
const nodeClasses = new Map([[FLEET.name, FLEET]])

function sampleText(node: number, round: (value: number) => number): string {
  const metrics = FLEET.metrics.map(({ name }, metric) => [name, round(valueOf(node, metric, 0))])
  const at = START_MS + (node % 997)
  return JSON.stringify({ node: nodeName(node), at, metrics: Object.fromEntries(metrics) })
}

const digits = {
  'two digits': (value: number) => Math.round(value * 10_000) / 100,
  'all digits': (value: number) => value,
}
const shapes = {
  'one a record': (samples: readonly string[]) => samples,
  'lists of 100': (samples: readonly string[]) =>
    Array.from(
      { length: SAMPLES / 100 },
      (_, i) => `[${samples.slice(i * 100, i * 100 + 100).join()}]`,
    ),
  '1,000 lines': (samples: readonly string[]) => [samples.join('\n')],
}

export const bench: Bench = {
  name: 'JSON samples',
  async run({ quick }): Promise<readonly BenchRow[]> {
    const rows: BenchRow[] = []
    for (const [precision, round] of Object.entries(digits)) {
      const samples = Array.from({ length: SAMPLES }, (_, node) => sampleText(node, round))
      for (const [shape, recordsOf] of Object.entries(shapes)) {
        const records = recordsOf(samples).map((text) => Buffer.from(text))
        rows.push(await shapeRow(`${WHAT}, ${precision}, ${shape}`, records, quick ? 7 : 25))
      }
    }
    return rows
  },
}

async function shapeRow(
  what: string,
  records: readonly Buffer[],
  rounds: number,
): Promise<BenchRow> {
  const decoder = new JsonDecoder(nodeClasses)
  check(decoder, records)
  const ours = (): void => {
    for (const record of records) decoder.decode(record, context)
  }
  const parse = (): void => {
    for (const record of records) decodeJsonSamples(record, { ...context, nodeClasses })
  }
  // Both are compiled before anything is measured.
  for (let warm = 0; warm < 20; warm++) [ours, parse].forEach((decode) => decode())
  const times = await alternateFastest(rounds, PASSES, {
    ours: () => timed(ours),
    parse: () => timed(parse),
  })
  const perSecond = Math.round((1_000 * SAMPLES) / (median(times['ours']) ?? 0))
  const [oursBytes, parseBytes] = [garbageOf(ours), garbageOf(parse)]
  const figures = {
    samplesPerSecond: perSecond,
    bytesPerSample: Math.round(records.reduce((sum, { length }) => sum + length, 0) / SAMPLES),
    oursGarbagePerSample: oursBytes,
    rivalGarbagePerSample: parseBytes,
  }
  const reach = { ours: 'ours', rival: 'parse', reach: REACH }
  return ratioRow(what, 'JSON.parse and checks', times, reach, figures)
}

/** Bytes a sample, as the heap grows; the least of a few, since a collection may come between. */
function garbageOf(decode: () => void): number {
  const grown = Array.from({ length: 9 }, () => {
    const before = process.memoryUsage()
    decode()
    const after = process.memoryUsage()
    return after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers
  })
  return Math.round((median(grown.filter((bytes) => bytes >= 0)) ?? 0) / SAMPLES)
}

function check(decoder: JsonDecoder, records: readonly Buffer[]): void {
  for (const record of records) {
    const [found, expected] = [
      decoder.decode(record, context),
      decodeJsonSamples(record, { ...context, nodeClasses }),
    ]
    if (!found.ok || !expected.ok) throw new Error('a record was refused')
    const { rows } = found
    if (rows.count !== expected.rows.length) throw new Error('a sample went astray')
    for (const [row, { atMs, values }] of expected.rows.entries()) {
      const start = rows.valueStarts[row]
      const same = values.every((value, metric) => rows.values[start + metric] === value)
      if (!same || rows.atMs[row] !== atMs) throw new Error('a value went astray')
    }
  }
}
