/** The configuration and the bus that a command line asks for. */
import { existsSync } from 'node:fs'
import type { Config, ConfigSource } from '../config/config.ts'
import { loadConfig } from '../config/config.ts'
import type { KafkaBusOptions } from '../bus/kafka/client.ts'
import type { Bus } from '../core/bus.ts'
import type { Arguments, Io } from './command.ts'

type KafkaLog = NonNullable<KafkaBusOptions['log']>

const CONFIG_FILE = 'foreshock.toml'

/** `--config FILE`, else `foreshock.toml` where there is one, else the defaults; environment on top. */
export function configSource(args: Arguments, io: Io): ConfigSource {
  const file = args.text('config') ?? (existsSync(CONFIG_FILE) ? CONFIG_FILE : undefined)
  return file === undefined ? { env: io.env } : { file, env: io.env }
}

export function loadedConfig(args: Arguments, io: Io): Config {
  return loadConfig(configSource(args, io))
}

/**
 * Loads only the client that is asked for. Tries to connect are told on stderr, because they take
 * seconds; what comes later goes to `log`.
 */
export async function openBus(config: Config, io: Io, log?: KafkaLog): Promise<Bus> {
  if (config.bus.kind === 'embedded') {
    const { openEmbeddedBus } = await import('../bus/embedded/embedded-bus.ts')
    return openEmbeddedBus({ directory: config.bus.directory })
  }
  const { openKafkaBus } = await import('../bus/kafka/bus.ts')
  const { brokers } = config.kafka
  let opened = false
  const bus = await openKafkaBus({
    ...kafkaOptions(config),
    log: (message, detail) => {
      if (opened) log?.(message, detail)
      else io.stderr(`foreshock: ${message}: ${brokers.join(', ')}${tries(detail)}\n`)
    },
  })
  opened = true
  return bus
}

/** Of topics that this process made for itself; those of the embedded bus go with their directory. */
export async function dropTopics(config: Config, topics: readonly string[]): Promise<void> {
  if (config.bus.kind === 'embedded') return
  const { deleteTopics } = await import('../bus/kafka/delete-topics.ts')
  await deleteTopics(kafkaOptions(config), topics)
}

export function kafkaOptions({ kafka, topology }: Config): KafkaBusOptions {
  const { brokers, clientId, ssl, ca, sasl } = kafka
  return {
    brokers,
    clientId,
    ssl: ca === null ? ssl : { ca: [ca] },
    prefix: topology.prefix,
    ...(sasl === null ? {} : { sasl }),
  }
}

function tries({ attempt, attemptsMax }: Readonly<Record<string, unknown>>): string {
  return typeof attempt === 'number' ? ` (try ${attempt} of ${String(attemptsMax)})` : ''
}
