/** Folds a pool-log from a file in a process of its own and prints a digest of what it says. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { LogRecord, Output } from '../../src/core/bus.ts'
import { toBytes, toText } from '../../src/core/bytes.ts'
import type { ShardRules } from '../../src/core/shard.ts'
import { asText, CoordinatorWorld } from './coordinator-world.ts'

interface Stored extends Omit<LogRecord, 'value' | 'key'> {
  readonly value: string
}

/** Records as one line of JSON; their values are texts. */
export function storedLog(records: readonly LogRecord[]): string {
  return JSON.stringify(records.map((each) => ({ ...each, value: toText(each.value!) })))
}

export function digestOf(outputs: readonly Output[]): string {
  return createHash('sha256').update(asText(outputs).join('\n')).digest('hex')
}

const [file, rules] = process.argv.slice(2)
if (import.meta.filename === process.argv[1] && file !== undefined) {
  const shards = JSON.parse(rules) as ShardRules
  const stored = JSON.parse(readFileSync(file, 'utf8')) as readonly Stored[]
  const records = stored.map((each) => ({ ...each, key: null, value: toBytes(each.value) }))
  const world = new CoordinatorWorld({ policy: { shards } })
  process.stdout.write(digestOf(world.replay(records)))
}
