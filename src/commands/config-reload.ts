/**
 * Reads the configuration of a running service anew: checked whole, what may change is said to the log, and
 * where anything differs that may not, nothing is.
 */
import { isRuntimeKey, type Keys, type LoadedConfig, runtimeSettings } from '../config/runtime.ts'
import { changesBetween, runtimeKeys } from '../config/runtime.ts'
import type { Output } from '../core/bus.ts'
import { ServiceError } from '../core/errors.ts'
import {
  type ConfigChange,
  type ConfigControl,
  type ConfigFigures,
  type UnwatchedKey,
  unwatchedOf,
} from '../core/runtime-config.ts'
import { topicName, type Topology } from '../core/topics.ts'

export interface ConfigReloadOptions {
  readonly topology: Topology
  /** The file and the environment, as they are now. */
  readonly load: () => LoadedConfig
  /** What this process was started with. */
  readonly started: LoadedConfig
  /** What the log has in force; null: that of the file. */
  readonly said: () => ConfigFigures['said']
  readonly produce: (outputs: readonly Output[]) => Promise<unknown>
}

export interface ConfigReloaded {
  readonly version: string
  /** Empty: nothing was said, because nothing differs. */
  readonly changes: readonly ConfigChange[]
  /** Those of them that stay whatever becomes of the pools. */
  readonly unwatched: readonly UnwatchedKey[]
}

/** Controls of every pool take one partition, so that they keep their order. */
const CONTROL_PARTITION = 0

export class ConfigReload {
  readonly #options: ConfigReloadOptions
  #last: Promise<unknown> = Promise.resolve()
  #asked = false

  constructor(options: ConfigReloadOptions) {
    this.#options = options
  }

  /**
   * One after another. CONFIG_INVALID: the file is wrong, and where. CONFIG_FIXED: it changes what needs a
   * restart, by name. BUS_UNREACHABLE: nothing was said.
   */
  reload(by: string, reason: string): Promise<ConfigReloaded> {
    this.#asked = true
    const next = this.#last.then(() => this.#reload(by, reason))
    this.#last = next.catch(() => undefined)
    return next
  }

  /**
   * True where the log has another configuration than the file that this process was started with; false once
   * it was asked to read its file anew, because the log then has what came after the start.
   */
  differs(): boolean {
    const said = this.#options.said()
    return (
      !this.#asked &&
      said !== null &&
      said.version !== runtimeSettings(this.#options.started.config).version
    )
  }

  /** What is in force: the log's word over that of the file. */
  keys(): Keys {
    const { started, said } = this.#options
    const fixed = Object.entries(started.keys).filter(([key]) => !isRuntimeKey(key))
    return { ...Object.fromEntries(fixed), ...(said()?.keys ?? runtimeKeys(started.keys)) }
  }

  async #reload(by: string, reason: string): Promise<ConfigReloaded> {
    const { topology, load, started, said, produce } = this.#options
    const { config, keys } = load()
    const fixed = changesBetween(started.keys, keys).filter(({ key }) => !isRuntimeKey(key))
    if (fixed.length > 0) {
      const names = fixed.map(({ key }) => `\`${key}\``).join(', ')
      throw new ServiceError(
        'CONFIG_FIXED',
        `${names}: needs a restart; nothing was changed: restart, or put back what was there`,
      )
    }
    const { version, settings } = runtimeSettings(config)
    const own = runtimeKeys(keys)
    const changes = changesBetween(said()?.keys ?? runtimeKeys(started.keys), own)
    const inForce = said()?.version ?? runtimeSettings(started.config).version
    if (version === inForce) return { version, changes: [], unwatched: [] }
    const control: ConfigControl = {
      kind: 'config',
      pool: null,
      version,
      settings,
      keys: own,
      changes,
      by,
      reason,
    }
    await produce([
      {
        topic: topicName(topology, 'controls'),
        partition: CONTROL_PARTITION,
        key: null,
        value: JSON.stringify(control),
        headers: { 'content-type': 'application/json' },
      },
    ])
    return { version, changes, unwatched: unwatchedOf(changes) }
  }
}
