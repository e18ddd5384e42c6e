import { expect, test } from 'vitest'
import { Metrics } from '../../../src/http/metrics.ts'
import type { RoleFigures } from '../../../src/http/metrics.ts'
import { command, outputRecord, result, TOPOLOGY } from '../../support/console.ts'

const ROLES: readonly RoleFigures[] = [
  { role: 'watcher', partition: 0, stats: { sampleCount: 40 }, lagRecords: null },
  { role: 'watcher', partition: 1, stats: { sampleCount: 2, nodeCount: 3 }, lagRecords: 5 },
]

function createMetrics(): Metrics {
  return new Metrics({
    topology: TOPOLOGY,
    roles: () => ROLES,
    bus: () => ({ connected: true, reconnectCount: 2, lastError: null, stuckLeaseCount: 0 }),
  })
}

async function lines(metrics: Metrics): Promise<readonly string[]> {
  return (await metrics.text()).split('\n')
}

const sent = (id: string, action: string) =>
  outputRecord('commands.recovery', command(id, { action }), {
    headers: { ce_time: '1970-01-01T00:00:02.000Z' },
  })

test('a verified recovery is counted with its duration from the command to the result', async () => {
  const metrics = createMetrics()
  metrics.fold(sent('c1', 'recover'))
  metrics.fold(outputRecord('results', result('c1', 'started', 3_000)))
  metrics.fold(outputRecord('results', result('c1', 'verified', 5_000)))
  const text = await lines(metrics)
  expect(text).toContain('fault_tolerance_recoveries_total{action="recover"} 1')
  expect(text).toContain('fault_tolerance_recovery_duration_seconds_sum{action="recover"} 3')
})

test('a result read before its command counts the same', async () => {
  const metrics = createMetrics()
  metrics.fold(outputRecord('results', result('c1', 'verified', 5_000)))
  metrics.fold(sent('c1', 'migrate'))
  const text = await lines(metrics)
  expect(text).toContain('fault_tolerance_recoveries_total{action="migrate"} 1')
  expect(text).toContain('fault_tolerance_recovery_duration_seconds_sum{action="migrate"} 3')
})

test.each([
  { state: 'failed', action: 'recover', because: 'the recovery failed' },
  { state: 'verified', action: 'cordon', because: 'a cordon recovers nothing' },
])('nothing is recovered when $because', async ({ state, action }) => {
  const metrics = createMetrics()
  metrics.fold(sent('c1', action))
  metrics.fold(outputRecord('results', result('c1', state, 5_000)))
  const text = (await lines(metrics)).join('\n')
  expect(text).not.toMatch(/fault_tolerance_recoveries_total\{/)
})

test('accuracy is absent before the first failure, then the share that was foreseen', async () => {
  const metrics = createMetrics()
  expect((await metrics.text()).match(/^fault_tolerance_prediction_accuracy /m)).toBeNull()
  const outcome = (value: string) =>
    outputRecord('journal', {
      kind: 'outcome',
      evidence: [{ what: 'outcome', value, limit: null }],
    })
  for (const value of ['foreseen', 'missed', 'foreseen', 'foreseen']) metrics.fold(outcome(value))
  expect(await lines(metrics)).toContain('fault_tolerance_prediction_accuracy 0.75')
})

test('incidents, refusals, dead letters and transactions are counted by what they say', async () => {
  const metrics = createMetrics()
  metrics.fold(outputRecord('journal', { kind: 'incident-opened', evidence: [] }))
  metrics.fold(outputRecord('journal', { kind: 'refusal', rail: 'cooldown', evidence: [] }))
  metrics.fold(outputRecord('dead-letter', {}, { headers: { reason: 'not-json' } }))
  metrics.fold(outputRecord('predictions', { node: 'n1' }))
  metrics.transaction('watcher', 'committed', 12)
  const text = await lines(metrics)
  expect(text).toContain('fault_tolerance_failures_detected_total 1')
  expect(text).toContain('foreshock_refusals_total{rail="cooldown"} 1')
  expect(text).toContain('foreshock_dead_letters_total{reason="not-json"} 1')
  expect(text).toContain('foreshock_predictions_total 1')
  expect(text).toContain('foreshock_transactions_total{role="watcher",outcome="committed"} 1')
})

test('reasons of others cannot make series without end', async () => {
  const metrics = createMetrics()
  for (let i = 0; i < 100; i++) {
    metrics.fold(outputRecord('dead-letter', {}, { headers: { reason: `reason ${i}` } }))
  }
  const series = (await lines(metrics)).filter((line) => line.startsWith('foreshock_dead_letters'))
  expect(series).toHaveLength(65)
  expect(series).toContain('foreshock_dead_letters_total{reason="other"} 36')
})

test('figures of the running roles are read at the scrape, twice the same', async () => {
  const metrics = createMetrics()
  await metrics.text()
  const text = await lines(metrics)
  expect(text).toContain('foreshock_samples_total 42')
  expect(text).toContain('foreshock_bus_reconnects_total 2')
  expect(text).toContain('foreshock_lag_records{role="watcher",partition="1"} 5')
  expect(text).toContain('foreshock_fold{role="watcher",partition="1",figure="nodeCount"} 3')
})

test('names reserved for checkpoints are not exported before there are any', async () => {
  expect(await createMetrics().text()).not.toContain('fault_tolerance_checkpoint')
})
