/** The schema of `foreshock.toml`. Its keys are what the environment may override. */
import { z } from 'zod'
import { AlertsTable } from './alerts.ts'
import { DriftTable, HistoryTable, ModelStoreTable, PromotionTable } from './model-life.ts'
import { PROVIDER_CHOICES } from '../core/model.ts'
import { PolicyTable, PoolTable } from './policy.ts'
import { ReloadTable } from './reload.ts'
import { ResilienceTable } from './resilience.ts'
import { duration } from './toml.ts'

const MIB = 1_048_576

/** Below the 8 MiB that the development broker takes, above any batch worth sending. */
const RECORD_BYTES_DEFAULT = 4 * MIB
const RECORD_BYTES_MAX = 64 * MIB

const partitions = z.int().min(1).max(1_024).default(8)

const broker = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^\s:]+):\d{1,5}$/, 'expected host:port, such as "127.0.0.1:19092"')

const loopback = z.string().refine((host) => /^(localhost|::1|127(\.\d{1,3}){3})$/.test(host), {
  message:
    'only loopback addresses are served, because there is no authentication yet; use "127.0.0.1" and put a proxy that authenticates in front',
})

export const Settings = z.strictObject({
  bus: z
    .strictObject({
      kind: z.enum(['kafka', 'embedded']).default('kafka'),
      directory: z.string().min(1).optional(),
    })
    .prefault({}),
  kafka: z
    .strictObject({
      brokers: z.array(broker).min(1).default(['127.0.0.1:19092']),
      client_id: z.string().min(1).default('foreshock'),
      ssl: z.boolean().default(false),
      ssl_ca: z.string().min(1).optional(),
      sasl: z
        .strictObject({
          mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']),
          username: z.string().min(1),
          password: z.string().min(1),
        })
        .optional(),
    })
    .prefault({}),
  topology: z
    .strictObject({
      prefix: z
        .string()
        .regex(/^[a-zA-Z0-9._-]{0,100}$/, 'expected letters, digits, ".", "_" and "-" only')
        .default('foreshock.'),
      node_partitions: partitions,
      pool_partitions: partitions,
      clock: z.enum(['arrival', 'driven']).default('arrival'),
      retention: duration.prefault('7d'),
    })
    .prefault({}),
  state: z
    .strictObject({
      directory: z.string().min(1).default('.foreshock'),
      node_secret_file: z.string().min(1).optional(),
    })
    .prefault({}),
  http: z
    .strictObject({
      host: loopback.default('127.0.0.1'),
      port: z.int().min(0).max(65_535).default(8080),
    })
    .prefault({}),
  ingest: z
    .strictObject({
      telemetry_format: z.enum(['json', 'arrow']).default('json'),
      default_class: z.string().min(1).default('server'),
      record_bytes_max: z.int().min(1_024).max(RECORD_BYTES_MAX).default(RECORD_BYTES_DEFAULT),
    })
    .prefault({}),
  watcher: z
    .strictObject({
      prediction: z.boolean().default(true),
      commit_interval: duration.prefault('100ms'),
      change_gap: duration.prefault('5s'),
      change_deviations: z.number().min(0).max(1_000).default(3),
      nodes_max: z.int().min(1).max(1_048_576).default(131_072),
      threads: z.int().min(1).max(256).optional(),
    })
    .prefault({}),
  inference: z.strictObject({ provider: z.enum(PROVIDER_CHOICES).default('auto') }).prefault({}),
  node_classes: z.strictObject({ directory: z.string().min(1).optional() }).prefault({}),
  models: z.record(z.string(), z.string().min(1)).default({}),
  model_store: ModelStoreTable.prefault({}),
  promotion: PromotionTable.prefault({}),
  drift: DriftTable.prefault({}),
  history: HistoryTable.prefault({}),
  alerts: AlertsTable.prefault({}),
  resilience: ResilienceTable.prefault({}),
  reload: ReloadTable.prefault({}),
  policy: PolicyTable.prefault({}),
  pools: z.record(z.string(), PoolTable).default({}),
})

export type Settings = z.output<typeof Settings>
