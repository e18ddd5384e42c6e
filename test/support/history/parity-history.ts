/**
 * A made-up history with everything that could tell training from serving: samples exactly on grid
 * times, gaps of one node and of all, missing values, values out of bounds, counters that reset, late
 * halves and repeated samples, and nodes that join, change, leave, fail and come back.
 */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NodeId, PoolId } from '../../../src/core/ids.ts'
import type { JoinEvent, NodeClass, NodeEvent } from '../../../src/core/node.ts'
import { DAY_MS } from '../../../src/core/time.ts'
import { randomFrom } from '../../../training/boost.ts'
import { parseManifest, type Manifest } from '../../../training/manifest.ts'
import { DRIVE, MINUTE_MS, SERVER } from './parity-classes.ts'

export interface ParitySample {
  readonly node: NodeId
  readonly atMs: number
  /** When it reaches the public topics: `atMs`, or later. */
  readonly publishAtMs: number
  /** In the order of the class's metrics; null is missing. */
  readonly values: readonly (number | null)[]
}

export interface ParityHistory {
  readonly nodeClass: NodeClass
  readonly startMs: number
  readonly endMs: number
  readonly samples: readonly ParitySample[]
  readonly events: readonly NodeEvent[]
}

interface Life {
  readonly node: NodeId
  readonly number: number
  readonly fromMs: number
  readonly untilMs: number
}

/** A multiple of every grid interval of the server class. */
const SERVERS_FROM_MS = Date.UTC(2020, 0, 5)
const SERVER_MINUTES = 127
const DRIVES_FROM_MS = Date.UTC(2014, 0, 1)
/** Off the grid, and off every sample. */
const ODD_MS = 17_003

export function serverHistory(nodeCount: number, seed: number): ParityHistory {
  const random = randomFrom(seed)
  const at = (minute: number) => SERVERS_FROM_MS + minute * MINUTE_MS + ODD_MS
  const endMs = at(SERVER_MINUTES)
  const events: NodeEvent[] = []
  const lives: Life[] = []
  for (let number = 0; number < nodeCount; number++) {
    const node = `server-${number}` as NodeId
    const late = number % 7 === 1
    const ends = number % 5 === 2
    const fromMs = late ? at(38) : SERVERS_FROM_MS - 1_003
    const untilMs = ends ? at(71) : endMs
    events.push(joinOf(SERVER, node, fromMs, { pool: number % 3 === 0 ? 'left' : 'right', number }))
    lives.push({ node, number, fromMs, untilMs })
    if (ends) events.push(endOf(node, untilMs, number % 2 === 0))
    if (ends && number % 3 !== 1) {
      events.push(joinOf(SERVER, node, at(93), { pool: 'right', number: number + 1 }))
      lives.push({ node, number, fromMs: at(93), untilMs: endMs })
    }
    // It moves to another pool, and other peers, without a break.
    if (number % 11 === 4) events.push(joinOf(SERVER, node, at(63), { pool: 'left', number }))
  }
  const samples = lives.flatMap((life) => serverSamples(life, random))
  return { nodeClass: SERVER, startMs: SERVERS_FROM_MS - 2_000, endMs, samples, events }
}

/** The whole fleet is silent for a while; some nodes are on their own. */
function isGap(number: number, minute: number): boolean {
  return (minute >= 49 && minute < 62) || (number % 7 === 3 && minute >= 20 && minute < 46)
}

function serverSamples(life: Life, random: () => number): readonly ParitySample[] {
  const { node, number, fromMs, untilMs } = life
  // A sixth of them report exactly on the grid.
  const offsetMs = number % 6 === 0 ? 0 : (number * 997) % MINUTE_MS
  const samples: ParitySample[] = []
  let bytes = Math.floor(random() * 1e9)
  let lateUntilMs = -Infinity
  for (let minute = 0; minute < SERVER_MINUTES; minute++) {
    const atMs = SERVERS_FROM_MS + minute * MINUTE_MS + offsetMs
    if (atMs <= fromMs || atMs >= untilMs || isGap(number, minute)) continue
    bytes = random() < 0.02 ? Math.floor(random() * 1e6) : bytes + Math.floor(random() * 1e7)
    const values = [
      random() < 0.02 ? 400 : round(40 + (number % 9) + 20 * random()),
      round(random()),
      bytes,
      random() < 0.05 ? Math.floor(random() * 3) : 0,
      round(5 + 100 * random() * random()),
    ].map((value) => (random() < 0.05 ? null : value))
    const early = values.map((value, metric) => (metric < 3 ? value : null))
    if (atMs < lateUntilMs) {
      samples.push({ node, atMs, publishAtMs: atMs, values: early })
      continue
    }
    const lateMs = atMs + MINUTE_MS + 5_000
    if (samples.length > 0 && random() < 0.05 && isOneCell(atMs, lateMs) && lateMs < untilMs) {
      const late = values.map((value, metric) => (metric < 3 ? null : value))
      samples.push({ node, atMs, publishAtMs: atMs, values: early })
      samples.push({ node, atMs, publishAtMs: lateMs, values: late })
      lateUntilMs = lateMs
      continue
    }
    samples.push({ node, atMs, publishAtMs: atMs, values })
    const again = atMs + 150_001
    if (random() < 0.04 && again < untilMs) {
      samples.push({ node, atMs, publishAtMs: again, values })
    }
  }
  return samples
}

/** No grid time lies between them: a row at one would have to know what is still to come. */
function isOneCell(fromMs: number, toMs: number): boolean {
  const interval = SERVER.predictionIntervalMs
  return Math.ceil(fromMs / interval) === Math.ceil(toMs / interval)
}

/** Years, in which every drive ends; a third of them are not heard of for two. */
export function driveHistory(nodeCount: number, seed: number): ParityHistory {
  const random = randomFrom(seed)
  const events: NodeEvent[] = []
  const samples: ParitySample[] = []
  const endsMs = DRIVES_FROM_MS + 1_300 * DAY_MS + ODD_MS
  for (let number = 0; number < nodeCount; number++) {
    const node = `drive-${number}` as NodeId
    const fromMs = DRIVES_FROM_MS + (number % 3) * 40 * DAY_MS
    const untilMs = endsMs - (number % 4) * 90 * DAY_MS
    events.push(joinOf(DRIVE, node, fromMs, { pool: 'drives', number }))
    events.push(endOf(node, untilMs, number % 2 === 0))
    let written = 0
    for (let day = 1 + (number % 5); ; day += 3 + (number % 4)) {
      const atMs = fromMs + day * DAY_MS
      if (atMs >= untilMs) break
      if (number % 3 === 0 && day > 300 && day < 1_000) continue
      written = random() < 0.01 ? 0 : written + Math.floor(random() * 1e11)
      const pending = random() < 0.1 ? null : Math.floor(day / 50)
      samples.push({ node, atMs, publishAtMs: atMs, values: [pending, written, day > 700 ? 1 : 0] })
    }
  }
  return {
    nodeClass: DRIVE,
    startMs: DRIVES_FROM_MS - DAY_MS,
    endMs: Math.max(...events.map(({ atMs }) => atMs)),
    samples,
    events,
  }
}

function joinOf(
  nodeClass: NodeClass,
  node: NodeId,
  atMs: number,
  { pool, number }: { readonly pool: string; readonly number: number },
): JoinEvent {
  const labels: Record<string, string> =
    nodeClass === SERVER
      ? { size: String(8 * (1 + (number % 4))), model: 'abc'[number % 3], made: '1500000000000' }
      : { maker: 'xy'[number % 2] }
  return {
    kind: 'join',
    node,
    atMs,
    class: nodeClass.name,
    pool: pool as PoolId,
    labels,
    place: { zone: null, region: null, latitude: null, longitude: null },
    capacity: { cpu: 0, memoryBytes: 0, gpu: null },
  }
}

function endOf(node: NodeId, atMs: number, failed: boolean): NodeEvent {
  return failed
    ? { kind: 'failure', node, atMs, failureKind: 'unknown' }
    : { kind: 'leave', node, atMs }
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000
}

/** Writes the history as training reads it; returns its manifest and the directory. */
export function writeParityHistory(history: ParityHistory): {
  readonly manifest: Manifest
  readonly directory: string
} {
  const { nodeClass, samples, events } = history
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-parity-'))
  const metrics = nodeClass.metrics.map(({ name }) => name)
  const labels = nodeClass.attributes.map(({ label }) => label)
  const rows = samples.map(({ node, atMs, values }) =>
    [node, atMs, ...values.map((value) => value ?? '')].join(','),
  )
  const lives = events.map((event) => {
    const joins = event.kind === 'join'
    const named = labels.map((label) => (joins ? (event.labels[label] ?? '') : ''))
    return [event.node, event.atMs, event.kind, joins ? event.pool : '', ...named].join(',')
  })
  write(join(directory, 'samples.csv'), ['node,at', ...metrics].join(','), rows)
  write(join(directory, 'events.csv'), ['node,at,kind,pool', ...labels].join(','), lives)
  const types = (names: readonly string[], type: string) =>
    names.map((name) => `'${name}': '${type}'`).join(', ')
  // The horizon is so short that every row has a label, so training keeps them all.
  const toml = `
name = "parity"
node_class = "${nodeClass.name}"
horizon = "1s"
files = ["samples.csv", "events.csv"]
[split]
fit = 60
calibration = 70
validation = 80
[sql]
telemetry = """SELECT * FROM read_csv('{data}/samples.csv', types = {${types(metrics, 'DOUBLE')}})"""
events = """SELECT * FROM read_csv('{data}/events.csv', types = {${types(['pool', ...labels], 'VARCHAR')}})"""
`
  return { manifest: parseManifest(toml, 'parity.toml'), directory }
}

function write(file: string, header: string, lines: readonly string[]): void {
  writeFileSync(file, `${[header, ...lines].join('\n')}\n`)
}
