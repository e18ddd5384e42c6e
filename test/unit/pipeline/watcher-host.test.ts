// Goal: watchers in threads say what watchers in this thread say, however many threads there are.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import type { LogRecord, Output } from '../../../src/core/bus.ts'
import { toBytes } from '../../../src/core/bytes.ts'
import { DEFAULT_GUARD } from '../../../src/core/guard.ts'
import { textOf } from '../../support/output.ts'
import { KIND } from '../../../src/core/log.ts'
import { DEFAULT_POLICY } from '../../../src/core/policy.ts'
import {
  type HostNote,
  startLocalHost,
  startThreadHost,
  type WatcherHost,
  type WatcherSetup,
} from '../../../src/pipeline/watcher-host.ts'
import { featureNames } from '../../../src/state/features.ts'
import { writeTinyModel } from '../../support/history/tiny-model.ts'
import { foreshockWasm, PROBE, samplesIpc } from '../../support/node-class.ts'

const START_MS = 1_763_600_041_000
const PARTITIONS = 3
const setup: WatcherSetup = {
  topology: {
    prefix: 'h.',
    nodePartitions: PARTITIONS,
    poolPartitions: 1,
    clock: 'arrival',
    retentionMs: 1e9,
  },
  kernel: foreshockWasm(),
  nodeClasses: [PROBE],
  models: { [PROBE.name]: writeTinyModel(PROBE) },
  changeGapMs: 1_000,
  policies: [DEFAULT_POLICY],
  nodesMax: 64,
  source: '/test',
}

const hosts: WatcherHost[] = []
afterAll(async () => {
  for (const host of hosts) await host.close()
})

/** Per partition, what follows from a few samples. */
async function told(host: WatcherHost): Promise<readonly (readonly Output[])[]> {
  hosts.push(host)
  const folds = await Promise.all(
    Array.from({ length: PARTITIONS }, (_, partition) => host.createFold(partition)),
  )
  return await Promise.all(
    folds.map(async (fold, partition) => {
      const records = Array.from({ length: 20 }, (_, i): LogRecord => {
        const at = START_MS + 10_000 * i
        const metrics = { temperature: 30 + i, bytes: 10 * i, status: 0, latency: partition }
        return {
          topic: 'h.node-log',
          partition,
          offset: i,
          appendedAtMs: at,
          key: null,
          value: samplesIpc(PROBE, [{ node: `n${partition}`, at, metrics }]),
          headers: { [KIND]: 'samples', class: PROBE.name },
        }
      })
      const outputs = (await fold.foldAll?.(records)) ?? []
      if (outputs.length > 0) return outputs.flat()
      const one: Output[] = []
      for (const record of records) one.push(...(await fold.fold(record)))
      return one
    }),
  )
}

test('one thread or several say the same', async () => {
  const local = await told(await startLocalHost(setup))
  expect(local.flat().length).toBeGreaterThan(3 * PARTITIONS)
  for (const threads of [1, 2]) {
    expect(await told(await startThreadHost(setup, threads)), `${threads} threads`).toEqual(local)
  }
})

test('predictions of a model with covers are explained exactly, and say so', async () => {
  const outputs = (await told(await startLocalHost(setup))).flat()
  const predictions = outputs
    .filter(({ topic }) => topic === 'h.predictions')
    .map(({ value }) => JSON.parse(textOf(value)) as Record<string, unknown>)
  const [feature] = featureNames(PROBE)
  const explained = predictions.filter(({ top }) => (top as unknown[]).length > 0)
  expect(predictions.every(({ explanation }) => explanation === 'tree-shap')).toBe(true)
  // Its one split is at 45; three of four rows of training went below, so the mean is 3 under this leaf.
  expect(explained[0]['top']).toMatchObject([
    { feature, value: 46, contribution: expect.closeTo(3, 12) as number },
  ])
})

test('a model that is not there is said at the start, as without threads', async () => {
  const broken = { ...setup, models: { [PROBE.name]: '/nowhere' } }
  await expect(startThreadHost(broken, 2)).rejects.toMatchObject({ code: 'MODEL_INVALID' })
})

test('a thread tells how its peers answer, and so does a host without threads', async () => {
  const peer = 'http://127.0.0.1:9'
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-peers-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const asking = {
    ...setup,
    modelStore: { directory, peers: [peer], waitMs: 1 },
    resilience: { ...DEFAULT_GUARD, attemptsMax: 1, failuresMax: 1 },
  }
  const assignment = { nodeClass: PROBE.name, champion: 'a'.repeat(64), challenger: null, trial: 1 }
  const record: LogRecord = {
    topic: 'h.node-log',
    partition: 0,
    offset: 0,
    appendedAtMs: START_MS,
    key: null,
    value: Uint8Array.from(toBytes(JSON.stringify(assignment))),
    headers: { [KIND]: 'model' },
  }
  for (const start of [
    (note: (note: HostNote) => void) => startLocalHost(asking, note),
    (note: (note: HostNote) => void) => startThreadHost(asking, 1, note),
  ]) {
    const notes: HostNote[] = []
    const host = await start((note) => notes.push(note))
    hosts.push(host)
    const fold = await host.createFold(0)
    await expect(fold.fold(record)).rejects.toMatchObject({ code: 'MODEL_MISSING' })
    expect(notes).toContainEqual({
      kind: 'guard',
      guard: expect.objectContaining({
        target: `peer ${peer}`,
        state: 'open',
        calls: { failed: 1 },
      }),
    })
  }
})
