/** Brokers of a test's own, of a kind that the shared one is not: several, or secured. */
import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { kafkaBrokers, missing } from './kafka.ts'

const SCRIPT = join(import.meta.dirname, '../../scripts/kafka.mjs')

export interface OwnBrokers {
  readonly brokers: readonly string[]
  readonly pids: readonly number[]
  /** Of secured ones: the directory with `ca.pem` and the passwords. */
  readonly secrets?: string
}

/** Whether this machine can run brokers; where it cannot, that is said loudly, or fails under CI. */
export async function canRunBrokers(): Promise<boolean> {
  if (!process.env['FORESHOCK_TEST_BROKERS']) return (await kafkaBrokers()) !== null
  if (spawnSync('java', ['-version'], { stdio: 'ignore' }).status === 0) return true
  return missing('brokers of a test of its own need Java 17 and Maven') !== null
}

/** `up --brokers 3`, `down`, …, on a port that belongs to one test file. */
export async function ownBrokers(port: number, ...words: readonly string[]): Promise<OwnBrokers> {
  const args = [SCRIPT, ...words, '--port', `${port}`, '--json']
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout) as OwnBrokers
}

export function passwordOf({ secrets }: OwnBrokers, user: string): string {
  const text = readFileSync(join(secrets!, 'credentials.json'), 'utf8')
  return (JSON.parse(text) as Record<string, string>)[user]
}
