import { expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/config.ts'

const load = (text: string) => loadConfig({ text: `[resilience]\n${text}`, env: {} })

test('the breaker, its proofs, tries and times come from the file', () => {
  const text =
    'failures_max = 2\nopen = "10s"\nprobes = 1\nattempts_max = 1\ntimeout_critical = "2s"'
  expect(load(text).resilience).toMatchObject({
    failuresMax: 2,
    openMs: 10_000,
    probes: 1,
    attemptsMax: 1,
    timeoutMs: { critical: 2_000, normal: 15_000, low: 60_000 },
  })
  expect(load('commit_slow = "250ms"').degraded.commitSlowMs).toBe(250)
})

test.each([
  { line: 'failures_max = 0', told: '`resilience.failures_max`:' },
  { line: 'open = "1ms"', told: '`resilience.open`: expected from 1s to 1h' },
  { line: 'probes = 1.5', told: '`resilience.probes`:' },
  { line: 'concurrency = 0', told: '`resilience.concurrency`:' },
  { line: 'queue = -1', told: '`resilience.queue`:' },
  { line: 'attempts_max = 11', told: '`resilience.attempts_max`:' },
  {
    line: 'timeout_critical = "20s"',
    told: '`resilience.timeout_critical`: longer than resilience.timeout_normal',
  },
  {
    line: 'timeout_low = "10s"',
    told: '`resilience.timeout_normal`: longer than resilience.timeout_low',
  },
  {
    line: 'recorder_behind = "2d"',
    told: '`resilience.recorder_behind`: expected from 1s to 24h',
  },
  { line: 'retries = 3', told: 'unknown key `resilience.retries`' },
])('$line is refused: $told', ({ line, told }) => {
  expect(() => load(line)).toThrow(told)
})
