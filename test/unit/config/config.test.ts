import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig, policyFor } from '../../../src/config/config.ts'
import type { PoolId } from '../../../src/core/ids.ts'
import { DEFAULT_DRIFT, DEFAULT_PROMOTION } from '../../../src/core/model-life.ts'
import { DEFAULT_WATCH } from '../../../src/core/runtime-config.ts'
import { DEFAULT_POLICY } from '../../../src/core/policy.ts'

test('an empty file has every default filled in', () => {
  expect(loadConfig({ text: '', env: {} })).toEqual({
    bus: { kind: 'kafka', directory: '.foreshock/bus' },
    alerts: {
      rules: {
        severityMin: 'warning',
        repeatMs: 14_400_000,
        escalateMs: 900_000,
        pagesPerMinute: 10,
      },
      alertmanager: null,
      webhook: null,
    },
    kafka: {
      brokers: ['127.0.0.1:19092'],
      clientId: 'foreshock',
      ssl: false,
      ca: null,
      sasl: null,
    },
    topology: {
      prefix: 'foreshock.',
      nodePartitions: 8,
      poolPartitions: 8,
      clock: 'arrival',
      retentionMs: 604_800_000,
    },
    state: { directory: '.foreshock', nodeSecret: null },
    http: { host: '127.0.0.1', port: 8080 },
    inference: { provider: 'auto' },
    ingest: { telemetryFormat: 'json', defaultClass: 'server', recordBytesMax: 4_194_304 },
    watcher: {
      prediction: true,
      commitIntervalMs: 100,
      changeGapMs: 5_000,
      changeDeviations: 3,
      nodesMax: 131_072,
      threads: null,
    },
    nodeClasses: { directory: null },
    models: {},
    modelStore: { directory: '.foreshock/models', peers: [], waitMs: 60_000 },
    promotion: DEFAULT_PROMOTION,
    reload: DEFAULT_WATCH,
    degraded: { commitSlowMs: 1_000, recorderBehindMs: 300_000 },
    resilience: {
      failuresMax: 5,
      openMs: 60_000,
      probes: 3,
      concurrencyMax: 8,
      queueMax: 64,
      attemptsMax: 4,
      timeoutMs: { critical: 5_000, normal: 15_000, low: 60_000 },
    },
    drift: DEFAULT_DRIFT,
    history: { directory: null, retentionMs: 7_776_000_000, flushMs: 300_000 },
    policy: DEFAULT_POLICY,
    pools: new Map(),
  })
})

test('the file is overridden by the environment, key by key', () => {
  const text = `
    [kafka]
    brokers = ["a:1"]
    client_id = "mine"
    [http]
    port = 9000
    [models]
    drive = "m/drive"`
  const env = {
    FORESHOCK_KAFKA_BROKERS: 'b:2, c:3',
    FORESHOCK_KAFKA_SASL_MECHANISM: 'scram-sha-512',
    FORESHOCK_KAFKA_SASL_USERNAME: 'u',
    FORESHOCK_KAFKA_SASL_PASSWORD: '1234',
    FORESHOCK_KAFKA_SSL: 'true',
    FORESHOCK_WATCHER_CHANGE_GAP: '30s',
    FORESHOCK_MODELS_SERVER: 'm/server',
    FORESHOCK_NODE_CLASSES_DIRECTORY: 'classes',
    FORESHOCK_HTTP_PORT: '',
    FORESHOCK_DATA: '/elsewhere',
    FORESHOCK_TEST_BROKERS: 'x:1',
  }
  expect(loadConfig({ text, env })).toMatchObject({
    kafka: {
      brokers: ['b:2', 'c:3'],
      clientId: 'mine',
      ssl: true,
      sasl: { mechanism: 'scram-sha-512', username: 'u', password: '1234' },
    },
    http: { port: 9000 },
    watcher: { changeGapMs: 30_000 },
    nodeClasses: { directory: 'classes' },
    models: { drive: 'm/drive', server: 'm/server' },
  })
})

test('how nodes return is a policy like any other, and as it always was it changes no name', () => {
  const text = `
    [pools.same]
    return_ratio = 0.25
    return_watch = "10m"
    [pools.whole]
    return_ratio = 1`
  const config = loadConfig({ text, env: {} })
  const [same, whole] = ['same', 'whole'].map((pool) => policyFor(config, pool))
  expect(same).toMatchObject({ version: 'default', returnRatio: 0.25, returnWatchMs: 600_000 })
  expect(whole.returnRatio).toBe(1)
  expect(whole.version).toMatch(/^sha256:/)
})

test('a pool takes the default policy, and what differs in it', () => {
  const text = `
    [policy]
    acting_point = "card"
    cooldown = "1h"
    [pools.gpu]
    mode = "enforce"
    acting_point = { alert_budget = 5 }
    [pools.web]
    acting_point = 0.5
    version = "v7"
    [pools.batch]
    acting_point = { action_cost = 1, failure_cost = 40 }`
  const config = loadConfig({ text, env: { FORESHOCK_POLICY_MODE: 'approve' } })
  const [any, gpu, web, batch] = ['any', 'gpu', 'web', 'batch'].map((pool) =>
    policyFor(config, pool),
  )
  expect(any).toMatchObject({
    mode: 'approve',
    actingPoint: { kind: 'card' },
    cooldownMs: 3_600_000,
  })
  expect(gpu).toMatchObject({
    mode: 'enforce',
    actingPoint: { kind: 'alert-budget', falseAlarmsPer1000NodeMonths: 5 },
    cooldownMs: 3_600_000,
  })
  expect(web).toMatchObject({
    version: 'v7',
    mode: 'approve',
    actingPoint: { kind: 'threshold', probability: 0.5 },
  })
  expect(batch.actingPoint).toEqual({ kind: 'cost', action: 1, failure: 40 })
  expect(any.version).toMatch(/^sha256:[0-9a-f]{12}$/)
  expect(gpu.version).not.toBe(any.version)
})

test('a pool that learns says how much it tries out, and a fixed one keeps the name it had', () => {
  const text = '[policy]\ncooldown = "1s"\n[pools.web]\nchooser = "learn"\nexplore_ratio = 0.005'
  const config = loadConfig({ text, env: {} })
  const [fixed, web] = ['any', 'web'].map((pool) => policyFor(config, pool as PoolId))
  expect(fixed.chooser).toBeNull()
  expect(fixed.version).toBe('sha256:3d964f2b350b')
  expect(web.chooser).toEqual({ exploreMinRatio: 0.005, exploreMaxRatio: 0.005 })
  expect(web.version).not.toBe(fixed.version)
  const wrong = '[policy]\nchooser = "learn"\nexplore_min = 0.5'
  expect(() => loadConfig({ text: wrong, env: {} })).toThrow(/explore_min: 0.5 is too much; set it/)
})

test('a pool says how its shards are placed, and the others have none', () => {
  const text = `
    [pools.web]
    shards = 1024
    [pools.db]
    shards = 64
    replication_factor = 3
    load_bound = 1.1
    moves_max = 10
    [pools.bare]
    mode = "enforce"`
  const config = loadConfig({ text, env: {} })
  const shards = (pool: string) => policyFor(config, pool).shards
  const plain = { shardCount: 1024, replicaCount: 1, boundRatio: 1.25, movesMax: null }
  expect(shards('web')).toEqual(plain)
  expect(shards('db')).toEqual({ shardCount: 64, replicaCount: 3, boundRatio: 1.1, movesMax: 10 })
  expect([shards('bare'), shards('any')]).toEqual([null, null])
  expect(policyFor(config, 'web').version).toBe('default')
})

const f = 'foreshock.toml'
test.each([
  {
    text: '[kafka]\nbroker = ["a:1"]',
    message: `${f}: unknown key \`kafka.broker\`; did you mean \`kafka.brokers\`?`,
  },
  {
    text: '[kafkas]',
    message: `${f}: unknown key \`kafkas\`; did you mean \`kafka\`?`,
  },
  {
    text: '[http]\ncolour = 1',
    message: `${f}: unknown key \`http.colour\`; known here: host, port`,
  },
  {
    text: '[pools.gpu]\nmod = "enforce"',
    message: `${f}: unknown key \`pools.gpu.mod\`; did you mean \`pools.gpu.mode\`?`,
  },
  {
    text: '[kafka]\nbrokers = ["a"]',
    message: `${f}: \`kafka.brokers.0\`: expected host:port, such as "127.0.0.1:19092"`,
  },
  {
    text: '[http]\nhost = "0.0.0.0"',
    message: `${f}: \`http.host\`: only loopback addresses are served, because there is no authentication yet; use "127.0.0.1" and put a proxy that authenticates in front`,
  },
  {
    text: '[http]\nport = 70000',
    message: `${f}: \`http.port\`: Too big: expected number to be <=65535`,
  },
  {
    text: '[promotion]\ncanary_time = "60d"',
    message: `${f}: \`promotion.canary_time\`: longer than promotion.trial_max: give less, or raise that`,
  },
  {
    text: '[promotion]\nhold_out_ratio = 0.5',
    message: `${f}: \`promotion.hold_out_ratio\`: Too big: expected number to be <=0.2`,
  },
  {
    text: '[promotion]\nmoved_labels_weight = 0',
    message: `${f}: \`promotion.moved_labels_weight\`: Too small: expected number to be >0`,
  },
  {
    text: '[policy]\ncooldown = 5',
    message: `${f}: \`policy.cooldown\`: expected a duration in quotes such as "90s"`,
  },
  {
    text: '[policy]\ncooldown = "5 moons"',
    message: `${f}: \`policy.cooldown\`: "5 moons" is no duration; write a number over 0 and ms, s, m, h, d or w, such as "90s"`,
  },
  {
    text: '[policy]\nacting_point = "often"',
    message: `${f}: \`policy.acting_point\`: expected a probability over 0 and up to 1, "card", { alert_budget = false alarms per 1,000 node-months }, or { action_cost = of one move, failure_cost = of one failure it averts }`,
  },
  {
    text: '[policy]\nacting_point = 80',
    message: `${f}: \`policy.acting_point\`: Too big: expected number to be <=1`,
  },
  {
    text: '[bus]\nkind = "nats"',
    message: `${f}: \`bus.kind\`: Invalid option: expected one of "kafka"|"embedded"`,
  },
  {
    text: '[policy]\nreturn_ratio = 0',
    message: `${f}: \`policy.return_ratio\`: Too small: expected number to be >0`,
  },
  {
    text: '[policy]\nreturn_watch = "soon"',
    message: `${f}: \`policy.return_watch\`: "soon" is no duration; write a number over 0 and ms, s, m, h, d or w, such as "90s"`,
  },
  {
    text: '[policy]\nshards = 8',
    message: `${f}: unknown key \`policy.shards\`; known here: version, mode, acting_point, hysteresis, persistence, cooldown, attempts_max, budget, shared_cause, shared_cause_nodes_min, emergency_ratio, emergency_leave_ratio, emergency_leave_after, emergency_nodes_min, command_ttl, target_load_max, recovery_load_max, overload, regional_failover, make_room, replicate, dry_run, return_ratio, return_watch, chooser, explore_min, explore_ratio, split_brain, votes, detectors`,
  },
  {
    text: '[pools.web]\nshards = 2000000',
    message: `${f}: \`pools.web.shards\`: Too big: expected number to be <=1048576`,
  },
  {
    text: '[pools.web]\nshards = 8\nload_bound = 0.9',
    message: `${f}: \`pools.web.load_bound\`: Too small: expected number to be >=1`,
  },
  { text: '[policy\n', message: `${f}: line 1, column 8: illegal character in key` },
])('$text is refused with: $message', ({ text, message }) => {
  expect(() => loadConfig({ text, env: {} })).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', message }),
  )
})

test('every mistake of a file is told at once', () => {
  const text = '[http]\nport = "x"\n[bus]\nkind = 1'
  expect(() => loadConfig({ text, env: {} })).toThrow(/`bus.kind`: .*\n.*`http.port`: /)
})

test.each([
  {
    env: { FORESHOCK_HTTP_PORTS: '1' },
    message: 'FORESHOCK_HTTP_PORTS: unknown key `http.ports`; did you mean `http.port`?',
  },
  {
    env: { FORESHOCK_HTTP_PORT: 'x' },
    message: 'FORESHOCK_HTTP_PORT: `http.port`: Invalid input: expected number, received string',
  },
  {
    env: { FORESHOCK_POLICY_COOLDOWN: 'soon' },
    message:
      'FORESHOCK_POLICY_COOLDOWN: `policy.cooldown`: "soon" is no duration; write a number over 0 and ms, s, m, h, d or w, such as "90s"',
  },
])('$env is refused with: $message', ({ env, message }) => {
  expect(() => loadConfig({ text: '', env })).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', message }),
  )
})

test.each(['localhost', '::1', '127.8.9.10'])('%s is loopback', (host) => {
  expect(loadConfig({ text: `[http]\nhost = "${host}"`, env: {} }).http.host).toBe(host)
})

test('a file that is not there is named', () => {
  expect(() => loadConfig({ file: 'no/such.toml', env: {} })).toThrow(
    'no/such.toml: cannot read the file; check the path given with --config',
  )
})

test('certificates of an own authority are read at once, and switch TLS on', () => {
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-config-'))
  const file = join(directory, 'ca.pem')
  writeFileSync(file, 'certificates')
  const env = { FORESHOCK_KAFKA_SSL_CA: file }
  expect(loadConfig({ text: '', env }).kafka).toMatchObject({ ssl: true, ca: 'certificates' })
  rmSync(directory, { recursive: true })
  expect(() => loadConfig({ text: '', env })).toThrow(
    `${file}: cannot read the certificates; check \`kafka.ssl_ca\``,
  )
})

test('a detector is set for every pool, and otherwise for one', () => {
  const text = `
    [policy.detectors.threshold]
    network_latency_warning = 50
    network_latency_critical = 100
    [policy.detectors.resource_exhaustion]
    warning_left = "2h"
    [pools.web.detectors.threshold]
    enabled = false
    network_latency_warning = 60
    [pools.web.detectors.sybil]
    enabled = true`
  const config = loadConfig({ text, env: { FORESHOCK_POLICY_DETECTORS_FLOODING_ENABLED: 'true' } })
  const flooding = { enabled: true }
  expect(policyFor(config, 'any').detectors).toEqual({
    threshold: { networkLatencyWarning: 50, networkLatencyCritical: 100 },
    'resource-exhaustion': { warningLeft: 7_200_000 },
    flooding,
  })
  expect(policyFor(config, 'web').detectors).toEqual({
    threshold: { enabled: false, networkLatencyWarning: 60, networkLatencyCritical: 100 },
    'resource-exhaustion': { warningLeft: 7_200_000 },
    flooding,
    sybil: { enabled: true },
  })
  expect(policyFor(config, 'any').version).not.toBe('default')
})

test.each([
  {
    text: '[policy.detectors.treshold]',
    message: /unknown key `policy.detectors.treshold`; did you mean `policy.detectors.threshold`\?/,
  },
  {
    text: '[pools.web.detectors.threshold]\nnetwork_latency_warn = 1',
    message: /did you mean `pools.web.detectors.threshold.network_latency_warning`\?/,
  },
  {
    text: '[policy.detectors.threshold]\nresource_usage_warning = 101',
    message: /`policy.detectors.threshold.resource_usage_warning`: expected a number from 1 to 100/,
  },
  {
    text: '[policy.detectors.threshold]\npersistence = 1.5',
    message: /`policy.detectors.threshold.persistence`: expected a whole number from 1 to 1000/,
  },
  {
    text: '[policy.detectors.challenge_response]\ntimeout = "10ms"',
    message: /`policy.detectors.challenge_response.timeout`: expected 1s to 1d/,
  },
  {
    text: '[policy.detectors.threshold]\nnetwork_latency_warning = 2000',
    message:
      /`policy.detectors.threshold`: network-latency: the critical limit \(1000\) must lie over/,
  },
  {
    text: '[policy.detectors.threshold]\nnode_health_warning = 0.8\n[pools.web.detectors.threshold]\nnode_health_critical = 0.79\nnode_health_warning = 0.7',
    message: /`pools.web.detectors.threshold`: node-health: the critical limit \(0.79\)/,
  },
])('a detector’s setting $text is refused', ({ text, message }) => {
  expect(() => loadConfig({ text, env: {} })).toThrow(message)
})

test('the secret that keys of nodes are made from comes from a file, and a short one is none', () => {
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-secret-'))
  const file = join(directory, 'secret')
  const load = () => loadConfig({ text: `[state]\nnode_secret_file = "${file}"`, env: {} })
  expect(() => load()).toThrow(/cannot read the secret; check `state.node_secret_file`/)
  writeFileSync(file, 'short\n')
  expect(() => load()).toThrow(/has 5 characters; write at least 32 random ones/)
  writeFileSync(file, `${'k'.repeat(32)}\n`)
  expect(load().state.nodeSecret).toBe('k'.repeat(32))
  expect(loadConfig({ text: '', env: {} }).state.nodeSecret).toBeNull()
  rmSync(directory, { recursive: true })
})
