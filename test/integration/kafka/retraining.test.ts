/**
 * Goal: the life of a model, from end to end on a real broker. Telemetry and failures flow; the sensors
 * change and the drift is noticed; a challenger is trained on what was recorded, shadowed and promoted;
 * then one that was trained on shuffled labels is refused, and, forced in, rolled back.
 * Method: the demonstration fleet on a driven clock, at eight times its rate of failures, observed only.
 * Everything goes through topics, files and the command line. The fleet's seed is fixed.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openKafkaBus } from '../../../src/bus/kafka/bus.ts'
import { runCli } from '../../../src/commands/cli.ts'
import { feedConsole } from '../../../src/commands/console.ts'
import { command as models } from '../../../src/commands/models.ts'
import { command as retrain } from '../../../src/commands/retrain.ts'
import type { Bus, LogRecord, Output } from '../../../src/core/bus.ts'
import { toText } from '../../../src/core/bytes.ts'
import type { ModelId } from '../../../src/core/ids.ts'
import {
  type ClassModels,
  DEFAULT_PROMOTION,
  type DriftRules,
  type PromotionRules,
} from '../../../src/core/model-life.ts'
import { DEFAULT_POLICY } from '../../../src/core/policy.ts'
import { HOUR_MS } from '../../../src/core/time.ts'
import { topicSpecs, type Topology } from '../../../src/core/topics.ts'
import { Fleet } from '../../../src/fleet/fleet.ts'
import { HISTORY_START_MS, writeHistory } from '../../../src/fleet/history.ts'
import { Metrics } from '../../../src/http/metrics.ts'
import { ClockDriver } from '../../../src/pipeline/clock-driver.ts'
import { driveWorld } from '../../../src/pipeline/driven-world.ts'
import { startLocalHost } from '../../../src/pipeline/watcher-host.ts'
import { startService, untilReady } from '../../../src/pipeline/service.ts'
import { listDays } from '../../../src/store/history-files.ts'
import { record } from '../../../src/store/history-recorder.ts'
import { ConsoleViews } from '../../../src/store/views.ts'
import { type Manifest, parseManifest } from '../../../training/manifest.ts'
import { recordedManifest } from '../../../training/recorded.ts'
import { train } from '../../../training/train.ts'
import { serviceOptions, topologyOf } from '../../support/deployment.ts'
import { createIo } from '../../support/io.ts'
import { kafkaBrokers, uniquePrefix } from '../../support/kafka.ts'
import { textOf } from '../../support/output.ts'

const STEP_MS = 60_000
const NODES = 80
const FAILURE_RATE_FACTOR = 8
const PROMOTION: PromotionRules = {
  ...DEFAULT_PROMOTION,
  automatic: true,
  failuresMin: 20,
  margin: 0.1,
  // The widest budget of the fleet's manifest, for a life run eight times as fast.
  falseAlarmsPer1000NodeMonths: 8 * 12_000,
  trialMaxMs: 24 * HOUR_MS,
}
const DRIFT: DriftRules = { windowMs: HOUR_MS, stabilityMax: 0.25, featureShareMax: 0.2 }

const brokers = await kafkaBrokers()
const root = mkdtempSync(join(tmpdir(), 'foreshock-retraining-'))
const closers: (() => Promise<unknown>)[] = []
const NEVER = new AbortController().signal

afterAll(async () => {
  for (const close of closers.toReversed()) await close()
  rmSync(root, { recursive: true, force: true })
})

/** As the fleet's history, without its second half, and with fewer trees. */
function manifestToml(): string {
  const toml = readFileSync('training/histories/fleet.toml', 'utf8')
  return toml
    .replace(/^train_until.*$/m, '')
    .replace(/^trees = .*$/m, 'trees = 60')
    .replace(/^learning_rate = .*$/m, 'learning_rate = 0.1')
}

/** A new collector: dull thermometers, tenths of a millisecond, shares of two, a twentieth of the rates. */
function inOtherUnits(output: Output): Output {
  if (!output.topic.endsWith('telemetry') || typeof output.value !== 'string') return output
  const samples = JSON.parse(output.value) as { metrics: Record<string, number> }[]
  for (const { metrics } of samples) {
    for (const [name, value] of Object.entries(metrics)) {
      if (name.endsWith('temperature')) metrics[name] = 0.5 * value + 40
      else if (name.endsWith('latency') || name === 'response_time') metrics[name] = 10 * value
      else if (name.endsWith('utilization') || name.endsWith('pressure')) metrics[name] = value / 2
      else if (name.endsWith('rate') || name.endsWith('ratio')) metrics[name] = value / 20
    }
  }
  return { ...output, value: JSON.stringify(samples) }
}

/** The fleet, its service and its console, driven until something is seen. */
class Trial {
  readonly bus: Bus
  readonly topology: Topology
  readonly views: ConsoleViews
  readonly metrics: Metrics
  readonly #driver: ClockDriver
  readonly #fleet: Fleet
  drifted = false
  nowMs = HISTORY_START_MS

  constructor(bus: Bus, topology: Topology) {
    this.bus = bus
    this.topology = topology
    this.views = new ConsoleViews(topology)
    this.metrics = new Metrics({
      topology,
      roles: () => [],
      shards: () => [],
      rails: () => [],
      waiting: () => [],
      intake: () => new Map(),
      guards: () => [],
      degraded: () => [],
      config: () => ({ said: null, pools: [], takenBackCount: 0 }),
      bus: () => bus.health(),
    })
    this.#driver = new ClockDriver(bus, topology)
    this.#fleet = new Fleet({
      seed: 7,
      nodeCount: NODES,
      topology,
      startMs: HISTORY_START_MS,
      failureRateFactor: FAILURE_RATE_FACTOR,
    })
  }

  /** Fleet time goes on until `isSeen`; fails after `hoursMax` of it. */
  async until(what: string, hoursMax: number, isSeen: () => boolean): Promise<void> {
    const ended = new AbortController()
    await this.#drive(this.nowMs + hoursMax * HOUR_MS, ended.signal, () => {
      if (isSeen()) ended.abort()
    })
    expect(ended.signal.aborted, `${what} within ${hoursMax} h: ${this.journal().join('\n')}`).toBe(
      true,
    )
  }

  async #drive(endMs: number, signal: AbortSignal, afterStep = () => {}): Promise<void> {
    this.nowMs = await driveWorld({
      bus: this.bus,
      topology: this.topology,
      driver: this.#driver,
      world: {
        step: (nowMs) => {
          const outputs = this.#fleet.step(nowMs)
          return this.drifted ? outputs.map(inOtherUnits) : outputs
        },
        take: () => [],
      },
      startMs: this.nowMs,
      endMs,
      stepMs: STEP_MS,
      signal,
      afterStep,
    })
  }

  /** On to the next whole hour, and so many more: what is seen a minute later or earlier is then alike. */
  async onTheHour(more: number): Promise<void> {
    const endMs = (Math.ceil(this.nowMs / HOUR_MS) + more) * HOUR_MS
    await this.#drive(endMs, NEVER)
  }

  get models(): ClassModels | undefined {
    return this.views.models.get('server')
  }

  journal(): readonly string[] {
    const entries = [...this.views.decisions.before(this.views.decisions.next)]
    return entries.flatMap(({ item }) => (item.kind === 'model' ? item.reasons : [])).toReversed()
  }

  driftAlerts(): number {
    const alerts = [...this.views.alerts.before(this.views.alerts.next)]
    return alerts.filter(({ item }) => item['kind'] === 'drift').length
  }
}

test.skipIf(brokers === null)(
  'a model lives, drifts, is replaced, and is not replaced by a worse one',
  async () => {
    const prefix = uniquePrefix('retraining')
    const topology = topologyOf(prefix, 'driven', 2)
    const bus = await openKafkaBus({ brokers: brokers!, clientId: 'retraining', prefix })
    closers.push(() => bus.close())
    await bus.create(topicSpecs(topology))
    const base = await serviceOptions(bus, topology, join(root, 'state'))
    const nodeClass = base.nodeClasses.get('server')!
    const history = join(root, 'life.toml')
    writeFileSync(history, manifestToml())
    const manifest = parseManifest(manifestToml(), history)
    const trainOn = (from: Manifest, dataDir: string, name: string, seed: number) =>
      train({
        manifest: from,
        nodeClass,
        dataDir,
        outDir: join(root, name),
        module: base.kernel,
        seed,
      })

    // The model that the service begins with has seen another fleet, of the same kind.
    const past = join(root, 'past')
    await writeHistory({
      seed: 11,
      directory: past,
      nodeCount: 100,
      phases: [{ failures: 'training', hours: 5 }],
      stepMs: STEP_MS,
      failureRateFactor: FAILURE_RATE_FACTOR,
    })
    await trainOn(manifest, past, 'first', 1)
    const store = join(root, 'store')
    const env = { FORESHOCK_KAFKA_BROKERS: brokers!.join(','), FORESHOCK_TOPOLOGY_PREFIX: prefix }
    const cli = async (...args: readonly string[]): Promise<string> => {
      const { io, written } = createIo({ env })
      const registry = { models: async () => models, retrain: async () => retrain }
      const code = await runCli(registry, [...args, '--store', store, '--json'], io)
      expect(code, written.stderr).toBe(0)
      return written.stdout
    }
    const added = async (name: string) =>
      (JSON.parse(await cli('models', 'add', join(root, name))) as { id: ModelId }).id
    const first = await added('first')

    const options = {
      ...base,
      models: { server: join(root, 'first') },
      policyFor: () => DEFAULT_POLICY,
      policies: [DEFAULT_POLICY],
      modelStore: { directory: store, peers: [], waitMs: 10_000 },
      promotion: PROMOTION,
      drift: DRIFT,
    }
    const service = await startService(options)
    closers.push(() => service.stop())
    expect(await untilReady(service, options, NEVER)).toBe(true)
    const trial = new Trial(bus, topology)
    const feed = await feedConsole(bus, topology, trial.views, trial.metrics)
    closers.push(() => feed.close())

    // Nothing has changed yet, and nothing is said to have.
    await trial.until(
      'the first windows are judged',
      4,
      () => (trial.models?.drift?.atMs ?? 0) > HISTORY_START_MS + 2.5 * HOUR_MS,
    )
    expect(trial.models).toMatchObject({
      champion: first,
      challenger: null,
      drift: { drifted: false },
    })
    expect(trial.driftAlerts()).toBe(0)

    await trial.onTheHour(0)
    trial.drifted = true
    const driftedAtMs = trial.nowMs
    await trial.until('the drift is noticed', 3, () => trial.driftAlerts() > 0)
    expect(await trial.metrics.text()).toMatch(/foreshock_model_drifted\{class="server"\} 1/)

    // What has been recorded since is what the next one learns.
    await trial.onTheHour(4)
    const recording = join(root, 'recording')
    const nodeClasses = base.nodeClasses
    const figures = await record({
      bus,
      topology,
      nodeClasses,
      directory: recording,
      retentionMs: 30 * 24 * HOUR_MS,
      flushMs: 60_000,
      once: true,
      signal: NEVER,
    })
    expect(figures.samples).toBeGreaterThan(NODES * 60 * 6)
    const from = new Date(driftedAtMs).toISOString()
    const asked = ['--once', '--history', history, '--recorded', recording, '--from', from]
    const retrained = await cli('retrain', ...asked)
    const [{ id: second }] = (JSON.parse(retrained) as { retrained: { id: ModelId }[] }).retrained
    await trial.until('the challenger is shadowed', 1, () => trial.models?.challenger === second)
    expect(trial.models).toMatchObject({ champion: first, trial: 'challenge' })
    await trial.until('the challenger is promoted', 8, () => trial.models?.champion === second)
    expect(trial.models).toMatchObject({ previous: first, trial: 'probation' })
    expect(trial.journal().at(-1)).toContain('takes the place of')

    // A model that has learned nothing is refused, and rolled back when it is forced in.
    const days = await listDays(recording)
    const seen = recordedManifest(manifest, nodeClass, days, {
      fromMs: driftedAtMs,
      toMs: null,
      movedWeight: 0,
    })
    await trainOn(shuffled(seen), recording, 'bad', 3)
    const bad = await added('bad')
    await cli('models', 'challenge', bad)
    await trial.until('the bad one is shadowed', 1, () => trial.models?.challenger === bad)
    await trial.until('it is refused', 8, () => trial.models?.challenger === null)
    expect(trial.models).toMatchObject({ champion: second })
    expect(trial.journal().at(-1)).toContain('does not take the place of')
    await cli('models', 'activate', bad, '--reason', 'forced')
    await trial.until('it is forced in', 1, () => trial.models?.champion === bad)
    await trial.until('it is rolled back', 8, () => trial.models?.champion === second)
    expect(trial.journal().at(-1)).toContain('is rolled back to')

    // Whoever folds the log anew says the same: the same rows, by the same models.
    const host = await startLocalHost({ ...options, nodeClasses: [...base.nodeClasses.values()] })
    const fold = await host.createFold(0)
    const said: string[] = []
    for (const folded of await partition(bus, `${prefix}node-log`, 0)) {
      for (const { topic, value } of await fold.fold(folded)) {
        if (topic === `${prefix}predictions`) said.push(textOf(value))
      }
    }
    await host.close()
    const sent = await partition(bus, `${prefix}predictions`, 0)
    expect(said.length).toBeGreaterThan(NODES * 60)
    expect(said).toEqual(sent.map(({ value }) => toText(value!)))
    const versions = new Set(said.map((text) => (JSON.parse(text) as ModelRef).modelVersion))
    expect(versions.size).toBe(3)
  },
  600_000,
)

interface ModelRef {
  readonly modelVersion: string
}

/** Offsets of transactions' ends count as well, so the end is where nothing more comes. */
async function partition(bus: Bus, topic: string, number: number): Promise<readonly LogRecord[]> {
  const reader = await bus.read({ topic, partitions: [number], from: 'start' })
  const records: LogRecord[] = []
  for (let more = await reader.take(5_000); more.length > 0;) {
    records.push(...more)
    more = await reader.take(2_000)
  }
  await reader.close()
  return records
}

/** The failures go to other nodes that failed: as many, at the same times, of which nothing can be learned. */
function shuffled(history: Manifest): Manifest {
  const events = `
    WITH e AS (${history.sql.events}),
    f AS (SELECT *, row_number() OVER (ORDER BY hash(node), "at") AS r FROM e WHERE kind = 'failure'),
    o AS (SELECT node AS other, row_number() OVER (ORDER BY hash("at"), node) AS r FROM f)
    SELECT * EXCLUDE (r, other) REPLACE (other AS node) FROM f JOIN o USING (r)
    UNION ALL BY NAME SELECT * FROM e WHERE kind <> 'failure'`
  return { ...history, sql: { ...history.sql, events } }
}
