// Goal: watchers in several threads share one device in a thread of its own, and when that thread ends in the
// middle of their work not one row stays unscored.
import { afterAll, describe, expect, test } from 'vitest'
import type { LogRecord } from '../../src/core/bus.ts'
import { KIND } from '../../src/core/log.ts'
import { DEFAULT_POLICY } from '../../src/core/policy.ts'
import { startThreadHost, type WatcherHost } from '../../src/pipeline/watcher-host.ts'
import { InferenceClient } from '../../src/predict/inference-client.ts'
import { startInference } from '../../src/predict/inference-host.ts'
import { loadPredictor } from '../../src/predict/session.ts'
import { makeRows } from '../parity/trees/tree-cases.ts'
import { HAS_GPU } from '../support/gpu.ts'
import { writeTinyModel } from '../support/history/tiny-model.ts'
import { foreshockWasm, PROBE, samplesIpc } from '../support/node-class.ts'

const kernel = foreshockWasm()
const START_MS = 1_763_600_041_000
const hosts: WatcherHost[] = []
afterAll(async () => {
  for (const host of hosts) await host.close()
})

describe.skipIf(!HAS_GPU)('two watchers, one device', () => {
  test('each gets what the CPU says of its rows to 1e-5, before and after the thread is gone', async () => {
    const host = startInference('webgpu', kernel)!
    const told: string[] = []
    const options = (client: InferenceClient) => ({
      kernel,
      provider: 'webgpu' as const,
      inference: client,
      onLost: (reason: string) => told.push(reason),
    })
    const watchers = await Promise.all(
      [1, 2].map(() => loadPredictor('models/fleet', options(new InferenceClient(host.connect())))),
    )
    const cpu = await loadPredictor('models/fleet', { provider: 'cpu' })
    const width = cpu.card.features.length
    const scoreAll = async (rowCount: number) => {
      for (const [i, answer] of (
        await Promise.all(
          watchers.map((watcher, i) => watcher.predict(makeRows(rowCount, width, i), rowCount)),
        )
      ).entries()) {
        const expected = await cpu.predict(makeRows(rowCount, width, i), rowCount)
        const gaps = answer.probability.map((p, row) => Math.abs(p - expected.probability[row]))
        expect(gaps).toHaveLength(rowCount)
        expect(Math.max(...gaps)).toBeLessThanOrEqual(1e-5)
      }
    }
    await scoreAll(60)
    expect(watchers.map(({ provider }) => provider)).toEqual(['webgpu', 'webgpu'])
    // The requests are on their way when the thread is ended: at most the run it is in is still answered.
    await Promise.all([scoreAll(300), host.close()])
    expect(watchers.map(({ provider }) => provider)).toContain('wasm')
    await scoreAll(10)
    expect(watchers.map(({ provider }) => provider)).toEqual(['wasm', 'wasm'])
    expect(told).toEqual(
      [1, 2].map(() => 'webgpu was lost (the inference thread has ended); wasm goes on'),
    )
    await cpu.dispose()
  })

  test('and what they say names the device', async () => {
    const host = await startThreadHost(
      {
        topology: {
          prefix: 'g.',
          nodePartitions: 2,
          poolPartitions: 1,
          clock: 'arrival',
          retentionMs: 1e9,
        },
        kernel,
        nodeClasses: [PROBE],
        models: { [PROBE.name]: writeTinyModel(PROBE) },
        changeGapMs: 1_000,
        policies: [DEFAULT_POLICY],
        nodesMax: 64,
        source: '/test',
        provider: 'webgpu',
      },
      2,
    )
    hosts.push(host)
    expect(host.models.map(({ provider }) => provider)).toEqual(['webgpu'])
    for (const partition of [0, 1]) {
      const fold = await host.createFold(partition)
      const outputs = (await fold.foldAll?.(samples(partition)))?.flat() ?? []
      const predictions = outputs.filter(({ topic }) => topic === 'g.predictions')
      expect(predictions.length).toBeGreaterThan(0)
      for (const { value } of predictions) {
        const body = JSON.parse(Buffer.from(value as Uint8Array).toString()) as object
        expect(body).toMatchObject({ provider: 'webgpu' })
      }
    }
  })
})

function samples(partition: number): readonly LogRecord[] {
  return Array.from({ length: 20 }, (_, i) => {
    const at = START_MS + 10_000 * i
    const metrics = { temperature: 30 + i, bytes: 10 * i, status: 0, latency: partition }
    return {
      topic: 'g.node-log',
      partition,
      offset: i,
      appendedAtMs: at,
      key: null,
      value: samplesIpc(PROBE, [{ node: `n${partition}`, at, metrics }]),
      headers: { [KIND]: 'samples', class: PROBE.name },
    }
  })
}
