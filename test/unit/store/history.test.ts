// Goal: what was seen is in the files once, also when recording was interrupted, and training reads it.
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { createSimulatedBus } from '../../../src/bus/simulated/simulated-bus.ts'
import type { Bus } from '../../../src/core/bus.ts'
import { DEFAULT_GUARD } from '../../../src/core/guard.ts'
import { KIND, logOutput } from '../../../src/core/log.ts'
import { DAY_MS } from '../../../src/core/time.ts'
import { topicSpecs, type Topology } from '../../../src/core/topics.ts'
import { Guards } from '../../../src/resilience/guard.ts'
import { listDays } from '../../../src/store/history-files.ts'
import { record, type RecorderFigures } from '../../../src/store/history-recorder.ts'
import { openHistory } from '../../../training/history.ts'
import { parseManifest } from '../../../training/manifest.ts'
import { recordedManifest } from '../../../training/recorded.ts'
import { PROBE, samplesIpc } from '../../support/node-class.ts'
import { until } from '../../support/until.ts'

const START_MS = Date.UTC(2026, 0, 5, 23)
const TOPOLOGY: Topology = {
  prefix: 'h.',
  nodePartitions: 2,
  poolPartitions: 1,
  clock: 'driven',
  retentionMs: 1e12,
}
const BASE = parseManifest(
  `name = "probe"
node_class = "${PROBE.name}"
horizon = "1h"
files = ["elsewhere.csv"]
[split]
fit = 60
calibration = 70
validation = 80
[sql]
telemetry = "SELECT 1"
events = "SELECT 1"`,
  'probe.toml',
)

let bus: Bus
let directory: string

beforeEach(async () => {
  const broker = createSimulatedBus({ seed: 1 })
  onTestFinished(broker.clock.run())
  bus = broker.open('test')
  await bus.create(topicSpecs(TOPOLOGY))
  directory = mkdtempSync(join(tmpdir(), 'foreshock-history-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
})

/** One sample an hour of each node, from the given hour on. */
async function samples(fromHour: number, hours: number): Promise<void> {
  const [metric] = PROBE.metrics
  for (let hour = fromHour; hour < fromHour + hours; hour++) {
    for (const partition of [0, 1]) {
      const at = START_MS + hour * 3_600_000
      const row = { node: `n${partition}`, at, appendedAt: at, metrics: { [metric.name]: hour } }
      await bus.produce([
        {
          topic: 'h.node-log',
          partition,
          key: null,
          value: samplesIpc(PROBE, [row]),
          headers: { [KIND]: 'samples', class: PROBE.name },
        },
      ])
    }
  }
}

async function event(body: object): Promise<void> {
  await bus.produce([logOutput('h.node-log', 0, 'node-event', null, body)])
}

function joined(atMs: number): Promise<void> {
  return event({ kind: 'join', node: 'n0', atMs, class: PROBE.name, pool: 'p', labels: {} })
}

function recorded(retentionMs = 1e12): Promise<RecorderFigures> {
  return record({
    bus,
    topology: TOPOLOGY,
    nodeClasses: new Map([[PROBE.name, PROBE]]),
    directory,
    retentionMs,
    flushMs: 1_000,
    once: true,
    signal: new AbortController().signal,
  })
}

async function history(range: { fromMs?: number; toMs?: number } = {}) {
  const { fromMs = null, toMs = null } = range
  const movedWeight = 0
  const manifest = recordedManifest(BASE, PROBE, await listDays(directory), {
    fromMs,
    toMs,
    movedWeight,
  })
  const opened = await openHistory(manifest, PROBE, directory)
  onTestFinished(() => opened.close())
  return opened
}

test('samples and lives are read back as they were, by day and in their range', async () => {
  const labels = { model: 'm"1', pool: 'p' }
  const life = { class: PROBE.name, pool: 'p', labels }
  await event({ kind: 'join', node: 'n0', atMs: START_MS - 1, ...life })
  await samples(0, 4)
  await event({ kind: 'heartbeat', node: 'n0', atMs: START_MS, component: null })
  await event({ kind: 'failure', node: 'n0', atMs: START_MS + DAY_MS, failureKind: 'fan' })
  for (const kind of ['moved', 'returned']) {
    const body = { kind, node: 'n0', atMs: START_MS + 1 }
    await bus.produce([logOutput('h.node-log', 0, 'intervention', 'n0', body)])
  }
  expect(await recorded()).toMatchObject({ samples: 8, events: 5, predictions: 0 })

  const days = await listDays(directory)
  expect(days.map(({ kind, day }) => `${kind} ${day}`)).toEqual([
    'telemetry 2026-01-05',
    'telemetry 2026-01-06',
    'events 2026-01-05',
    'events 2026-01-06',
  ])
  const whole = await history()
  expect(whole.sampleCount).toBe(8)
  expect(whole.events).toMatchObject([
    { kind: 'join', node: 'n0', pool: 'p', labels: { model: 'm"1' } },
    { kind: 'moved', node: 'n0', atMs: START_MS + 1 },
    { kind: 'returned', node: 'n0', atMs: START_MS + 1 },
    { kind: 'failure', node: 'n0', failureKind: 'fan' },
  ])
  for await (const { nodes, columns } of whole.samples()) {
    expect(nodes).toEqual(['n0', 'n1', 'n0', 'n1', 'n0', 'n1', 'n0', 'n1'])
    expect([...columns[0]]).toEqual([0, 0, 1, 1, 2, 2, 3, 3])
    expect(columns[1].every(Number.isNaN)).toBe(true)
  }
  const part = await history({ fromMs: START_MS + 3_600_000, toMs: START_MS + 3 * 3_600_000 })
  expect(part.sampleCount).toBe(4)
  expect(part.events).toHaveLength(3)
})

test('a recording goes on where it ended, and what a crash left behind is not read twice', async () => {
  await joined(START_MS - 1)
  await samples(0, 2)
  await recorded()
  // A flush that was ended by a crash: one file in its place, one still a draft.
  const place = join(directory, 'telemetry', `class=${PROBE.name}`, 'day=2026-01-05')
  for (const name of ['00000001.parquet', '00000001.parquet.draft']) {
    writeFileSync(join(place, name), 'half a file')
  }
  await samples(2, 2)
  expect(await recorded()).toMatchObject({ samples: 4 })
  expect((await history()).sampleCount).toBe(8)
  expect(existsSync(join(place, '00000001.parquet.draft'))).toBe(false)
  expect(await recorded()).toMatchObject({ samples: 0, files: 0 })
})

test('days that are over for longer than the retention are removed', async () => {
  await joined(START_MS)
  await samples(0, 1)
  await recorded()
  await samples(100, 1)
  await recorded(3 * DAY_MS)
  expect((await listDays(directory)).map(({ day }) => day)).toEqual(['2026-01-10'])
})

test('a recording of other topics is not continued, and one without telemetry is no history', async () => {
  writeFileSync(
    join(directory, 'positions.json'),
    JSON.stringify({ sequence: 3, topics: { 'h.node-log': [7, 7] } }),
  )
  await expect(recorded()).rejects.toMatchObject({
    code: 'HISTORY_INVALID',
    message: expect.stringContaining('record into another directory'),
  })
  await expect(history()).rejects.toMatchObject({ code: 'HISTORY_EMPTY' })
})

test('a write that fails is tried again and loses nothing, and one that never works ends nothing', async () => {
  await joined(START_MS - 1)
  await samples(0, 2)
  // The day's directory is a file: nothing can be written there.
  const place = join(directory, 'telemetry')
  writeFileSync(place, 'in the way')
  const ended = new AbortController()
  const problems: string[] = []
  const guard = new Guards(
    { ...DEFAULT_GUARD, attemptsMax: 2, failuresMax: 100 },
    { random: () => 0.5, nowMs: () => bus.nowMs() },
  ).of('history')
  let recordedRows: Partial<RecorderFigures> = {}
  const recording = record({
    bus,
    topology: TOPOLOGY,
    nodeClasses: new Map([[PROBE.name, PROBE]]),
    directory,
    retentionMs: 1e12,
    flushMs: 100,
    signal: ended.signal,
    guarded: { caller: guard, report: (error) => problems.push(String(error)) },
    onProgress: (figures) => {
      recordedRows = figures
      if (problems.length === 2 && statSync(place).isFile()) rmSync(place)
    },
  })
  await until('what was in the way is gone and all is written', 20_000, () => {
    return recordedRows.samples === 4 && existsSync(join(directory, 'positions.json'))
  })
  ended.abort()
  await recording
  expect(problems.length).toBeGreaterThanOrEqual(2)
  expect(problems[0]).toContain('telemetry')
  expect(guard.figures()).toMatchObject({ failingSinceMs: null, state: 'closed' })
  expect((await history()).sampleCount).toBe(4)
})
