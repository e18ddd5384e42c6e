/**
 * TOML text, overridden by the environment (`FORESHOCK_<SECTION>_<KEY>`), as one readonly Config with
 * every default filled in. It fails before the first connection is opened.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { GuardRules } from '../core/guard.ts'
import type { DriftRules, PromotionRules } from '../core/model-life.ts'
import type { ProviderChoice } from '../core/model.ts'
import type { Policy } from '../core/policy.ts'
import type { WatchRules } from '../core/runtime-config.ts'
import type { Topology } from '../core/topics.ts'
import { type AlertsConfig, toAlerts } from './alerts.ts'
import { withEnvironment } from './environment.ts'
import { toDrift, toPromotion } from './model-life.ts'
import { toPolicy } from './policy.ts'
import { type DegradedConfig, toDegraded, toResilience } from './resilience.ts'
import { toReload } from './reload.ts'
import { Settings } from './settings.ts'
import { checked, invalid, parseToml } from './toml.ts'

export interface Config {
  readonly bus: {
    readonly kind: 'kafka' | 'embedded'
    /** Of the embedded bus. */
    readonly directory: string
  }
  readonly kafka: {
    readonly brokers: readonly string[]
    readonly clientId: string
    readonly ssl: boolean
    /** PEM of the authorities to trust instead of the public ones; it switches `ssl` on. */
    readonly ca: string | null
    readonly sasl: {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
      readonly username: string
      readonly password: string
    } | null
  }
  readonly topology: Topology
  readonly state: {
    readonly directory: string
    /** Keys of nodes are made from it; without one no challenge can be verified. */
    readonly nodeSecret: string | null
  }
  readonly http: { readonly host: string; readonly port: number }
  readonly ingest: {
    /** Format of telemetry records without a known content type. */
    readonly telemetryFormat: 'json' | 'arrow'
    /** Node class of samples and joins that name none. */
    readonly defaultClass: string
    /** A longer record is dead-lettered unread. */
    readonly recordBytesMax: number
  }
  readonly watcher: {
    /** False: nodes are watched, but no model is run. */
    readonly prediction: boolean
    readonly commitIntervalMs: number
    /** A node that changes is scored at once, but not again within this. */
    readonly changeGapMs: number
    /**
     * In a large fleet it is scored between grid times only when it leaves its past: some metric is this many
     * deviations from what its longest mean foresaw. 0: at every sample.
     */
    readonly changeDeviations: number
    /** Nodes of one class in one partition; at most this many fit in memory. */
    readonly nodesMax: number
    /** `null`: one a core, less one for Kafka and HTTP. */
    readonly threads: number | null
  }
  readonly inference: {
    /** `auto`: CUDA, then WebGPU, where they are there and faster; else the CPU. */
    readonly provider: ProviderChoice
  }
  /** `null`: the node classes that come with the package. */
  readonly nodeClasses: { readonly directory: string | null }
  /** Node class → directory of its model. */
  readonly models: Readonly<Record<string, string>>
  readonly modelStore: {
    readonly directory: string
    /** Addresses of other consoles. */
    readonly peers: readonly string[]
    readonly waitMs: number
  }
  readonly promotion: PromotionRules
  readonly drift: DriftRules
  readonly history: {
    /** `null`: nothing is recorded. */
    readonly directory: string | null
    readonly retentionMs: number
    readonly flushMs: number
  }
  readonly alerts: AlertsConfig
  /** How a change at runtime is watched. */
  readonly reload: WatchRules
  /** How pages, models of peers and files of history are called for. */
  readonly resilience: GuardRules
  /** From when on a part of the service counts as degraded. */
  readonly degraded: DegradedConfig
  /** Of every pool without one of its own. */
  readonly policy: Policy
  readonly pools: ReadonlyMap<string, Policy>
}

export interface ConfigSource {
  /** Path of a TOML file. */
  readonly file?: string
  /** The TOML itself; `file` is then only its name in messages. */
  readonly text?: string
  readonly env: Readonly<Record<string, string | undefined>>
}

const SECRET_CHARS_MIN = 32

export function loadConfig(source: ConfigSource): Config {
  return toConfig(loadSettings(source))
}

/** The file and the environment, checked, as the schema has them. */
export function loadSettings({ file, text, env }: ConfigSource): Settings {
  const name = file ?? 'foreshock.toml'
  const toml = text ?? (file === undefined ? '' : readConfig(file))
  const { table, variables } = withEnvironment(parseToml(toml, name), env, Settings)
  return checked(Settings, table, (path) => variables.get(path) ?? name)
}

export function policyFor(config: Config, pool: string): Policy {
  return config.pools.get(pool) ?? config.policy
}

function readConfig(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw invalid(`${file}: cannot read the file; check the path given with --config`, cause)
  }
}

/** What is in the file, without the line end; too short a secret is none. */
function readSecret(file: string | undefined): string | null {
  if (file === undefined) return null
  let secret: string
  try {
    secret = readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw invalid(`${file}: cannot read the secret; check \`state.node_secret_file\``, cause)
  }
  if (secret.length >= SECRET_CHARS_MIN) return secret
  throw invalid(
    `${file}: the secret has ${secret.length} characters; write at least ${SECRET_CHARS_MIN} random ones, such as those of \`openssl rand -hex 32\``,
  )
}

function readAuthority(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw invalid(`${file}: cannot read the certificates; check \`kafka.ssl_ca\``, cause)
  }
}

export function toConfig(settings: Settings): Config {
  const config = configOf(settings)
  const isVoting = [config.policy, ...config.pools.values()].some(({ votes }) => votes !== null)
  if (!isVoting || config.state.nodeSecret !== null) return config
  throw invalid('votes.enabled: votes are signed with keys of nodes; set `state.node_secret_file`')
}

function configOf(settings: Settings): Config {
  const { bus, kafka, topology, state, http, ingest, watcher } = settings
  return {
    bus: { kind: bus.kind, directory: bus.directory ?? join(state.directory, 'bus') },
    kafka: {
      brokers: kafka.brokers,
      clientId: kafka.client_id,
      ssl: kafka.ssl || kafka.ssl_ca !== undefined,
      ca: kafka.ssl_ca === undefined ? null : readAuthority(kafka.ssl_ca),
      sasl: kafka.sasl ?? null,
    },
    topology: {
      prefix: topology.prefix,
      nodePartitions: topology.node_partitions,
      poolPartitions: topology.pool_partitions,
      clock: topology.clock,
      retentionMs: topology.retention,
    },
    state: { directory: state.directory, nodeSecret: readSecret(state.node_secret_file) },
    http,
    ingest: {
      telemetryFormat: ingest.telemetry_format,
      defaultClass: ingest.default_class,
      recordBytesMax: ingest.record_bytes_max,
    },
    watcher: {
      prediction: watcher.prediction,
      commitIntervalMs: watcher.commit_interval,
      changeGapMs: watcher.change_gap,
      changeDeviations: watcher.change_deviations,
      nodesMax: watcher.nodes_max,
      threads: watcher.threads ?? null,
    },
    inference: settings.inference,
    nodeClasses: { directory: settings.node_classes.directory ?? null },
    models: settings.models,
    modelStore: {
      directory: settings.model_store.directory ?? join(state.directory, 'models'),
      peers: settings.model_store.peers,
      waitMs: settings.model_store.wait,
    },
    promotion: toPromotion(settings.promotion),
    drift: toDrift(settings.drift),
    history: {
      directory: settings.history.directory ?? null,
      retentionMs: settings.history.retention,
      flushMs: settings.history.flush,
    },
    alerts: toAlerts(settings.alerts),
    reload: toReload(settings.reload),
    resilience: toResilience(settings.resilience),
    degraded: toDegraded(settings.resilience),
    policy: toPolicy(settings.policy, {}),
    pools: new Map(
      Object.entries(settings.pools).map(([pool, own]) => [pool, toPolicy(settings.policy, own)]),
    ),
  }
}
