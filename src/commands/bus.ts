/** The configuration and the bus that a command line asks for. */
import { existsSync } from 'node:fs'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/config.ts'
import type { Arguments, Io } from './command.ts'

const CONFIG_FILE = 'foreshock.toml'

/** `--config FILE`, else `foreshock.toml` where there is one, else the defaults; environment on top. */
export function loadedConfig(args: Arguments, io: Io): Config {
  const file = args.text('config') ?? (existsSync(CONFIG_FILE) ? CONFIG_FILE : undefined)
  return loadConfig(file === undefined ? { env: io.env } : { file, env: io.env })
}
