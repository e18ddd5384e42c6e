/**
 * The real broker that tests talk to. Where none can be had the suites are skipped, and say so;
 * under CI a missing broker or client is a failure, because there it was promised.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

/** FORESHOCK_TEST_BROKERS, else the broker of `npm run kafka:up`, started when needed; else null. */
export async function kafkaBrokers(): Promise<string[] | null> {
  const named = process.env['FORESHOCK_TEST_BROKERS']
  if (named) return named.split(',').map((broker) => broker.trim())
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(ROOT, 'scripts/kafka.mjs'), 'up', '--json'],
    { encoding: 'utf8' },
  )
  if (status === 0) return (JSON.parse(stdout) as { brokers: string[] }).brokers
  return missing(`no Kafka broker: ${stderr.trim()}`)
}

/** The path of kcat, a client that shares no code with ours; null where it is not installed. */
export function kcat(): string | null {
  for (const program of ['kcat', 'kafkacat']) {
    if (!spawnSync(program, ['-V'], { stdio: 'ignore' }).error) return program
  }
  return missing('kcat is not installed (Debian: apt-get install kcat)')
}

/** Topics and groups of one test never meet those of another. */
export function uniquePrefix(name: string): string {
  return `test-${name}-${randomBytes(5).toString('hex')}.`
}

export function missing(because: string): null {
  if (process.env['CI'] === 'true') throw new Error(because)
  process.stderr.write(`\n*** SKIPPED: ${because} ***\n\n`)
  return null
}
