import { expect, test } from 'vitest'
import type { Metrics } from '../../../src/http/metrics.ts'
import { command, outputRecord, result } from '../../support/console.ts'
import { freshMetrics as createMetrics } from '../../support/metrics.ts'

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
  const choice = [
    { what: 'strategy', value: 'restart', limit: null },
    { what: 'exploring', value: 'yes', limit: null },
  ]
  metrics.fold(outputRecord('journal', { kind: 'choice', rail: null, evidence: choice }))
  metrics.fold(outputRecord('dead-letter', {}, { headers: { reason: 'not-json' } }))
  metrics.fold(outputRecord('predictions', { node: 'n1' }))
  metrics.transaction('watcher', 'committed', 12)
  const text = await lines(metrics)
  expect(text).toContain('fault_tolerance_failures_detected_total 1')
  expect(text).toContain('foreshock_refusals_total{rail="cooldown"} 1')
  expect(text).toContain('foreshock_choices_total{strategy="restart",exploring="yes"} 1')
  expect(text).toContain('foreshock_dead_letters_total{reason="not-json"} 1')
  expect(text).toContain('foreshock_predictions_total 1')
  expect(text).toContain('foreshock_transactions_total{role="watcher",outcome="committed"} 1')
})

test('plans are counted by strategy and outcome once they have ended, with time and steps', async () => {
  const metrics = createMetrics()
  const plan = (figures: Readonly<Record<string, string | number>>) => {
    const evidence = Object.entries(figures).map(([what, value]) => ({ what, value, limit: null }))
    metrics.fold(outputRecord('journal', { kind: 'plan', rail: null, evidence }))
  }
  plan({ plan: 'begun', strategy: 'migrate', steps: 3 })
  const ended = { plan: 'ended', strategy: 'migrate', outcome: 'failed', durationMs: 12_000 }
  plan({ ...ended, steps: 3, stepsDone: 1, stepsTakenBack: 1 })
  const text = await lines(metrics)
  expect(text).toContain('foreshock_plans_total{strategy="migrate",outcome="failed"} 1')
  const seconds = 'foreshock_plan_duration_seconds_sum{strategy="migrate",outcome="failed"} 12'
  expect(text).toContain(seconds)
  expect(text).toContain('foreshock_plan_steps_total{strategy="migrate",end="done"} 1')
  expect(text).toContain('foreshock_plan_steps_total{strategy="migrate",end="not-done"} 2')
  expect(text).toContain('foreshock_plan_steps_total{strategy="migrate",end="taken-back"} 1')
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

test('queues of each partition are shown with their limits', async () => {
  const text = await lines(createMetrics())
  const of = 'role="watcher",partition="1"'
  expect(text).toContain(`foreshock_buffer_bytes{${of}} 1024`)
  expect(text).toContain(`foreshock_buffer_limit_bytes{${of}} 1000`)
  expect(text).toContain(`foreshock_partition_paused{${of}} 1`)
  expect(text).toContain(`foreshock_pending_outputs{${of}} 7`)
  expect(text).toContain('foreshock_partition_paused{role="watcher",partition="0"} 0')
  expect(text.join('\n')).not.toContain('foreshock_lag_records{role="watcher",partition="0"}')
})

test('intake is counted by topic, and twice the same', async () => {
  const metrics = createMetrics()
  await metrics.text()
  const text = await lines(metrics)
  expect(text).toContain('foreshock_ingest_records_total{topic="telemetry"} 3')
  expect(text).toContain('foreshock_ingest_bytes_total{topic="telemetry"} 900')
})

test('the load of shards is shown by pool, and moves by their reason', async () => {
  const metrics = createMetrics()
  await metrics.text()
  const text = await lines(metrics)
  for (const line of [
    'foreshock_shards{pool="web"} 64',
    'foreshock_shards_per_node{pool="web",stat="max"} 20',
    'foreshock_shards_per_node{pool="web",stat="mean"} 16',
    'foreshock_shards_per_node{pool="web",stat="min"} 12',
    'foreshock_shard_load_ratio{pool="web"} 1.25',
    'foreshock_shard_load_bound{pool="web"} 1.25',
    'foreshock_nodes_over_bound{pool="web"} 1',
    'foreshock_shards_without_owner{pool="web"} 2',
    'foreshock_shard_replicas_unplaced{pool="web"} 3',
    'foreshock_shard_moves_deferred{pool="web"} 4',
    'foreshock_shard_nodes_waiting{pool="web"} 5',
    'foreshock_shard_moves_total{pool="web",reason="node-failed"} 16',
  ]) {
    expect(text).toContain(line)
  }
})

test('how full the rails of a pool are is shown beside what they allow', async () => {
  const text = await lines(createMetrics())
  for (const line of [
    'foreshock_rail_refused{pool="web",rail="budget"} 6',
    'foreshock_budget_nodes{pool="web"} 3',
    'foreshock_resync_blocks{pool="web",state="open"} 9',
    'foreshock_resync_blocks{pool="web",state="verified"} 30',
    'foreshock_resync_blocks{pool="web",state="repaired"} 4',
    'foreshock_resync_blocks{pool="web",state="unverified"} 1',
    'foreshock_waiting_workloads{pool="web",priority="NORMAL"} 4',
    'foreshock_waiting_workloads_max{pool="web"} 10000',
    'foreshock_waiting_oldest_seconds{pool="web"} 9',
    'foreshock_waiting_longest_seconds{pool="web"} 30',
    'foreshock_waiting_turns_total{pool="web",outcome="put-off"} 2',
    'foreshock_waiting_seconds_total{pool="web"} 60',
    'foreshock_budget_nodes_max{pool="web"} 4',
    'foreshock_zone_alarming_ratio{pool="web"} 0.25',
    'foreshock_zone_alarming_ratio_max{pool="web"} 0.3',
    'foreshock_commands_in_flight{pool="web"} 7',
    'foreshock_pool_stopped{pool="web"} 1',
  ]) {
    expect(text).toContain(line)
  }
})

test('figures of a detector have a name of their own, beside those of the fold', async () => {
  const text = await lines(createMetrics())
  expect(text).toContain('foreshock_detector{detector="threshold",figure="raised",partition="1"} 2')
  expect(text).toContain('foreshock_fold{role="coordinator",partition="1",figure="poolCount"} 3')
  expect(text.join('\n')).not.toContain('figure="threshold/raised"')
})
