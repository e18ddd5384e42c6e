// Goal: from the shadow to the canary pools to the fleet, or back, on outcomes that the watcher has seen.
// Method: a watcher and a coordinator that hear each other; some nodes warm up half an hour before they fail,
// which the challenger sees and the champion does not.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { ModelId, NodeId, PoolId } from '../../../src/core/ids.ts'
import { KIND } from '../../../src/core/log.ts'
import {
  type ClassModels,
  DEFAULT_PROMOTION,
  type ModelAssignment,
  type OutcomeRecord,
} from '../../../src/core/model-life.ts'
import { HOUR_MS } from '../../../src/core/time.ts'
import { startLocalHost } from '../../../src/pipeline/watcher-host.ts'
import type { WatcherFold } from '../../../src/pipeline/watcher.ts'
import { ModelStore } from '../../../src/predict/model-store.ts'
import { DEFAULT_POLICY } from '../../../src/core/policy.ts'
import { CoordinatorWorld } from '../../support/coordinator-world.ts'
import { writeTinyModel } from '../../support/history/tiny-model.ts'
import { foreshockWasm, metric, PROBE } from '../../support/node-class.ts'
import { NodeLog } from '../../support/node-log.ts'
import { textOf } from '../../support/output.ts'

const CLASS = { ...PROBE, metrics: [metric('latency')], attributes: [] }
const NODE_CLASS = { ...CLASS, predictionIntervalMs: 60_000, gridOrigin: 'epoch' } as const
const START_MS = 1_763_600_040_000
const [QUIET, WARM, HOT] = [5, 20, 50]
const POOLS = ['first', 'rest'] as const
const CHAMPION = writeTinyModel(NODE_CLASS, 45)
const CHALLENGER = writeTinyModel(NODE_CLASS, 10)
const RULES = {
  ...DEFAULT_PROMOTION,
  failuresMin: 4,
  canaryPools: ['first' as PoolId],
  canaryMs: 4 * HOUR_MS,
  canaryFailuresMin: 2,
  trialMaxMs: 24 * HOUR_MS,
}

/** Each hour the next node of either pool fails, and comes back a minute later. */
class Trial {
  readonly world = new CoordinatorWorld({ promotion: RULES })
  readonly log: NodeLog
  /** Before a failure in the pool, and otherwise. */
  readonly values = {
    first: { before: WARM, otherwise: QUIET },
    rest: { before: WARM, otherwise: QUIET },
  }
  #minute = 0
  #heard = 0

  constructor(fold: WatcherFold) {
    this.log = new NodeLog(fold, NODE_CLASS, START_MS)
    this.world.nowMs = START_MS
  }

  async join(node: string, pool: string): Promise<void> {
    await this.log.append('node-event', {
      kind: 'join',
      node: node as NodeId,
      atMs: this.log.nowMs,
      class: NODE_CLASS.name,
      pool: pool as PoolId,
      labels: {},
      place: { zone: null, region: null, latitude: null, longitude: null },
      capacity: { cpu: 1, memoryBytes: 1e9, gpu: null },
    })
  }

  challenge(model: ModelId): Promise<void> {
    const said = { by: 'test', reason: 'test', nodeClass: NODE_CLASS.name, pool: null, model }
    this.world.feed('control', { kind: 'model', action: 'challenge', ...said })
    return this.#hear()
  }

  async until(hoursMax: number, isSeen: (models: ClassModels) => boolean): Promise<void> {
    for (let minute = 0; minute < 60 * hoursMax; minute++) {
      await this.#nextMinute()
      const models = this.models()
      if (models !== undefined && isSeen(models)) return
    }
    expect.unreachable(`not within ${hoursMax} h: ${JSON.stringify(this.models())}`)
  }

  models(): ClassModels | undefined {
    const said = this.world.outputs.findLast(({ topic }) => topic === 't.models')
    return said && (JSON.parse(textOf(said.value)) as ClassModels)
  }

  async #nextMinute(): Promise<void> {
    const minute = this.#minute++ % 60
    const failing = Math.floor(this.#minute / 60) % 4
    const values: Record<string, number> = {}
    for (const pool of POOLS) {
      for (let node = 0; node < 4; node++) {
        const { before, otherwise } = this.values[pool]
        values[`${pool}-${node}`] = node === failing && minute >= 30 ? before : otherwise
      }
    }
    await this.log.minutes(1, values)
    for (const pool of POOLS) {
      const node = `${pool}-${failing}`
      const failure = { kind: 'failure', node, atMs: this.log.nowMs + 1, failureKind: 'test' }
      if (minute === 58) await this.log.append('node-event', failure)
      if (minute === 58) await this.join(node, pool)
    }
    await this.#hear()
  }

  /** What the watcher said goes to the coordinator, and what that assigns comes back. */
  async #hear(): Promise<void> {
    this.world.nowMs = this.log.nowMs
    const told = this.log.bodies<OutcomeRecord>('model-outcomes')
    for (const record of told.slice(this.#heard)) this.world.feed('model-outcomes', record)
    this.#heard = told.length
    const assigned = this.world.outputs.filter(
      ({ headers, partition }) => headers?.[KIND] === 'model' && partition === 0,
    )
    const known = this.log.records.filter(({ headers }) => headers[KIND] === 'model').length
    for (const { value } of assigned.slice(known)) {
      await this.log.append('model', JSON.parse(textOf(value)) as ModelAssignment)
    }
  }
}

async function shadowed(): Promise<{ readonly trial: Trial; readonly id: ModelId }> {
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-models-'))
  const store = new ModelStore(directory)
  await store.add(CHAMPION)
  const { id } = await store.add(CHALLENGER)
  const host = await startLocalHost({
    topology: {
      prefix: 'w.',
      nodePartitions: 1,
      poolPartitions: 1,
      clock: 'arrival',
      retentionMs: 1e9,
    },
    kernel: foreshockWasm(),
    nodeClasses: [NODE_CLASS],
    models: { [NODE_CLASS.name]: CHAMPION },
    changeGapMs: 1_000,
    policies: [DEFAULT_POLICY],
    nodesMax: 64,
    source: '/test',
    modelStore: { directory, peers: [], waitMs: 300 },
  })
  onTestFinished(async () => {
    await host.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const trial = new Trial((await host.createFold(0)) as WatcherFold)
  for (const pool of POOLS) {
    for (let node = 0; node < 4; node++) await trial.join(`${pool}-${node}`, pool)
  }
  // The coordinator hears who serves before there is any outcome.
  await trial.until(1, ({ champion }) => champion !== null)
  await trial.challenge(id)
  await trial.until(8, ({ trial: kind }) => kind === 'canary')
  return { trial, id }
}

test('a challenger that won in the shadow holds in the canary pool and then serves the fleet', async () => {
  const { trial, id } = await shadowed()
  expect(trial.models()).toMatchObject({ challenger: id, canaryPools: ['first'] })
  const beganAtMs = trial.log.nowMs
  await trial.until(10, ({ champion }) => champion === id)
  expect(trial.log.nowMs - beganAtMs).toBeGreaterThanOrEqual(RULES.canaryMs)
  expect(trial.models()).toMatchObject({ trial: 'probation', canaryPools: [] })
  expect(trial.models()?.lastChange).toMatch(/held in the canary pool first and takes the place of/)
})

test('one that alarms for nothing where it serves is taken back, whatever it does elsewhere', async () => {
  const { trial, id } = await shadowed()
  trial.values.first.otherwise = WARM
  trial.values.first.before = HOT
  const { champion } = trial.models()!
  await trial.until(10, ({ challenger }) => challenger === null)
  expect(trial.models()).toMatchObject({ champion, trial: null, canaryPools: [] })
  expect(trial.models()?.lastChange).toContain(
    `Model ${id.slice(0, 12)} is taken back from the canary pool first`,
  )
})
