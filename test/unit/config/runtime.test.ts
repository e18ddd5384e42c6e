// Goal: which keys may change at runtime, told by name and as people write them.
import { expect, test } from 'vitest'
import {
  changesBetween,
  isRuntimeKey,
  loadKeyedConfig,
  runtimeKeys,
  runtimeSettings,
  shownKeys,
} from '../../../src/config/runtime.ts'
import { CONFIG_POOLS_MAX } from '../../../src/core/runtime-config.ts'

const load = (text: string, env = {}) => loadKeyedConfig({ text, env })

test('a change is told in the words of the file, and the same length of time is none', () => {
  const before = load('[policy]\ncooldown = "300s"\nbudget = 0.1')
  const after = load('[policy]\ncooldown = "5m"\nbudget = 0.2\nacting_point = "card"')
  expect(changesBetween(before.keys, after.keys)).toEqual([
    { key: 'policy.acting_point', from: null, to: '"card"' },
    { key: 'policy.budget', from: '0.1', to: '0.2' },
  ])
  expect(after.keys['policy.cooldown']).toBe('5m')
  expect(after.keys['alerts.repeat']).toBe('4h')
})

test.each([
  { key: 'policy.budget', runtime: true },
  { key: 'policy.detectors.threshold.health_warning', runtime: true },
  { key: 'pools.web.shards', runtime: true },
  { key: 'promotion.margin', runtime: true },
  { key: 'promotion.moved_labels', runtime: false },
  { key: 'drift.stability_max', runtime: true },
  { key: 'drift.window', runtime: false },
  { key: 'alerts.repeat', runtime: true },
  { key: 'alerts.webhook.url', runtime: false },
  { key: 'kafka.brokers', runtime: false },
  { key: 'topology.node_partitions', runtime: false },
  { key: 'resilience.probes', runtime: false },
  { key: 'watcher.threads', runtime: false },
  { key: 'models.server', runtime: false },
])('$key may change at runtime: $runtime', ({ key, runtime }) => {
  expect(isRuntimeKey(key)).toBe(runtime)
})

test('a detector of one pool has its key, from the environment too', () => {
  const { keys } = load('[pools.web.detectors.heartbeat]\nenabled = false')
  expect(keys['pools.web.detectors.heartbeat.enabled']).toBe('false')
  expect(load('', { FORESHOCK_POLICY_BUDGET: '0.3' }).keys['policy.budget']).toBe('0.3')
  expect(Object.keys(runtimeKeys(keys))).not.toContain('http.port')
})

test('secrets are not shown', () => {
  const text = '[alerts.webhook]\nurl = "http://h/x"\nsecret = "sixteen characters"'
  const keys = shownKeys(load(text).keys)
  expect(keys['alerts.webhook.secret']).toBe('(hidden)')
  expect(JSON.stringify(keys)).not.toContain('sixteen')
})

test('the same settings have the same version, whatever else the file says', () => {
  const version = (text: string) => runtimeSettings(load(text).config).version
  expect(version('[http]\nport = 1')).toBe(version(''))
  expect(version('[policy]\nbudget = 0.2')).not.toBe(version(''))
  expect(version('[policy]\ncooldown = "300s"')).toBe(version('[policy]\ncooldown = "5m"'))
})

test('more pools than the log takes are refused', () => {
  const pools = Array.from({ length: CONFIG_POOLS_MAX + 1 }, (_, pool) => `[pools.p${pool}]`)
  expect(() => runtimeSettings(load(pools.join('\n')).config)).toThrow(
    `\`pools\`: ${CONFIG_POOLS_MAX + 1} pools, at most ${CONFIG_POOLS_MAX}`,
  )
})
