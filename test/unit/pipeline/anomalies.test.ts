// Goal: a watcher tells once of a node that does what it never did, and people hear of it; nothing moves.
// Method: a node's samples, minute by minute, into the fold of a watcher; its assessments into a coordinator's.
import { expect, test } from 'vitest'
import type { Assessment, AssessmentRecord } from '../../../src/core/assessment.ts'
import type { Output } from '../../../src/core/bus.ts'
import { toBytes } from '../../../src/core/bytes.ts'
import { KIND } from '../../../src/core/log.ts'
import type { NodeClass } from '../../../src/core/node.ts'
import { DEFAULT_POLICY } from '../../../src/core/policy.ts'
import type { AlertRecord } from '../../../src/core/alert.ts'
import { WatcherFold } from '../../../src/pipeline/watcher.ts'
import { randomFrom } from '../../../training/boost.ts'
import { instantPredictor } from '../../support/history/simulated-roles.ts'
import { bodies, CoordinatorWorld } from '../../support/coordinator-world.ts'
import { foreshockWasm, metric, PROBE, samplesIpc } from '../../support/node-class.ts'
import { textOf } from '../../support/output.ts'

const CLASS: NodeClass = {
  ...PROBE,
  metrics: [metric('latency'), metric('load', { min: 0, max: 1 })],
  attributes: [],
}
const START_MS = 1_763_600_040_000
const MINUTE_MS = 60_000
/** Beyond warm-up, and some hours more, so that the threshold has settled. */
const QUIET_MINUTES = 600
const kernel = foreshockWasm()

class Watched {
  readonly outputs: Output[] = []
  readonly #fold: WatcherFold
  readonly #random = randomFrom(9)
  #nowMs = START_MS
  #offset = 0

  constructor(predicts: boolean) {
    this.#fold = new WatcherFold({
      partition: 0,
      topology: {
        prefix: 'w.',
        nodePartitions: 1,
        poolPartitions: 1,
        clock: 'arrival',
        retentionMs: 1e9,
      },
      kernel,
      nodeClasses: new Map([[CLASS.name, CLASS]]),
      predictors: new Map(predicts ? [[CLASS.name, instantPredictor(CLASS)]] : []),
      changeGapMs: 1_000,
      policies: [DEFAULT_POLICY],
      nodesMax: 64,
      source: '/test',
    })
  }

  async minutes(count: number, latency = 10): Promise<void> {
    for (let minute = 0; minute < count; minute++) {
      this.#nowMs += MINUTE_MS
      const noise = this.#random() + this.#random() - 1
      const metrics = { latency: latency + noise, load: 0.5 + 0.05 * this.#random() }
      const ipc = samplesIpc(CLASS, [{ node: 'a', at: this.#nowMs, metrics }])
      await this.#append('samples', ipc, { class: CLASS.name })
      await this.#append('watermark', { source: 0, atMs: null, delayMs: 0 })
      await this.#append('tick', { source: 0, atMs: 0, step: 0 })
    }
  }

  async #append(kind: string, value: Uint8Array | object, headers = {}): Promise<void> {
    const outputs = await this.#fold.fold({
      topic: 'w.node-log',
      partition: 0,
      offset: this.#offset++,
      appendedAtMs: this.#nowMs,
      key: null,
      value: value instanceof Uint8Array ? value : toBytes(JSON.stringify(value)),
      headers: { [KIND]: kind, ...headers },
    })
    this.outputs.push(...outputs)
  }

  rows(): readonly Assessment[] {
    return this.outputs
      .filter(({ headers }) => headers?.[KIND] === 'assessment')
      .flatMap(({ value }) => {
        return (JSON.parse(textOf(value)) as AssessmentRecord).rows
      })
  }

  stats() {
    return this.#fold.stats()
  }
}

test.each([
  { predicts: false, who: 'without a model' },
  { predicts: true, who: 'with a model' },
])('a class $who tells once of a jump, with the metric that jumped', async ({ predicts }) => {
  const watched = new Watched(predicts)
  await watched.minutes(30)
  expect(watched.rows().some(({ anomaly }) => anomaly === 'warming-up')).toBe(true)
  await watched.minutes(QUIET_MINUTES)
  const before = watched.rows().length
  const toldBefore = watched.stats()['anomalyCount']
  expect(toldBefore).toBeLessThan(3)
  await watched.minutes(5, 60)
  const told = watched
    .rows()
    .slice(before)
    .flatMap(({ anomaly }) => (anomaly === undefined ? [] : [anomaly]))
  expect(told).toHaveLength(1)
  expect(watched.stats()['anomalyCount']).toBe(toldBefore + 1)
  const [anomaly] = told
  if (anomaly === 'warming-up') throw new Error('it is long warm')
  expect(anomaly.metric).toBe('latency')
  expect(anomaly.value).toBeGreaterThan(50)
  expect(anomaly.expected).toBeLessThan(20)
  expect(anomaly.deviation).toBeGreaterThan(anomaly.threshold)
})

test('people are told of an anomaly and why; nothing moves, and no incident is opened', () => {
  const world = new CoordinatorWorld()
  world.joinMany(6)
  world.place('w', 'n0')
  const anomaly = { metric: 'latency', value: 60, expected: 10, deviation: 50, threshold: 8 }
  world.assess('n0', { anomaly })
  const alerts = bodies<AlertRecord>(world.outputs, 't.alerts')
  expect(alerts).toHaveLength(1)
  expect(alerts[0]).toMatchObject({
    kind: 'anomaly',
    node: 'n0',
    severity: 'warning',
    incidentId: null,
    message:
      'Node n0 does what it never did: latency is 60 where 10 was expected, 50 deviations off.',
    evidence: [
      { what: 'deviation', value: 50, limit: 8 },
      { what: 'latency', value: 60, limit: 10 },
    ],
  })
  expect(world.commands()).toEqual([])
  expect(world.stats()['incidentCount']).toBe(0)
})

test('a node in warm-up, and one that has failed, raise none', () => {
  const world = new CoordinatorWorld()
  world.joinMany(2)
  world.assess('n0', { anomaly: 'warming-up' })
  world.fail('n1')
  const before = bodies<AlertRecord>(world.outputs, 't.alerts').length
  const anomaly = { metric: 'latency', value: 60, expected: 10, deviation: 50, threshold: 8 }
  world.assess('n1', { anomaly, lastSeenAtMs: 0 })
  const alerts = bodies<AlertRecord>(world.outputs, 't.alerts')
  expect(alerts.slice(before)).toEqual([])
})
