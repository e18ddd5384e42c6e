/** What the topics hold when all is over, as kcat reads them, against what was sent in. */
import { tableFromIPC } from 'apache-arrow'
import type { Command } from '../../../src/core/command.ts'
import type { CommandId, NodeId, WorkloadId } from '../../../src/core/ids.ts'
import { KIND } from '../../../src/core/log.ts'
import { topicName, type TopicName, type Topology } from '../../../src/core/topics.ts'
import { type CatRecord, readAll } from '../kcat.ts'

export interface Expected {
  readonly samples: ReadonlySet<string>
  readonly failed: ReadonlyMap<NodeId, WorkloadId>
}

export interface Ledger {
  readonly failures: number
  readonly commands: number
  /** Command ids that stand in the topics more than once. */
  readonly commandsTwice: number
  readonly recoveriesLost: number
  /** Recover commands beyond the first of a workload, under whatever id. */
  readonly recoveriesTwice: number
  readonly fencesLost: number
  readonly fencesTwice: number
  /** Commands for nodes that had not failed. */
  readonly uncalledFor: number
  /** Commands whose time was up: the one good reason to send another. */
  readonly expired: number
  readonly samples: number
  readonly samplesLost: number
  readonly samplesTwice: number
  /** Everything that was said of a workload whose commands do not add up. */
  readonly findings: readonly string[]
}

export async function readLedger(
  program: string,
  brokers: readonly string[],
  topology: Topology,
  { samples, failed }: Expected,
): Promise<Ledger> {
  const read = (name: TopicName) => readAll(program, brokers, topicName(topology, name))
  const records = [...(await read('commands.recovery')), ...(await read('commands.migration'))]
  const commands = records.map(({ value }) => JSON.parse(value.toString()) as Command)
  const ids = tally(commands.map(({ commandId }) => commandId))
  const once = [...new Map(commands.map((command) => [command.commandId, command])).values()]
  const recoveries = tally(
    once.flatMap(({ action, workload }) =>
      action === 'recover' && workload !== null ? [workload] : [],
    ),
  )
  const fences = tally(once.flatMap(({ action, node }) => (action === 'fence' ? [node] : [])))
  const rows = tally((await read('node-log')).flatMap(rowsOf))
  const journal = await read('journal')
  const suspects = [...failed]
    .filter(([node, workload]) => fences.get(node) !== 1 || recoveries.get(workload) !== 1)
    .map(([, workload]) => workload)
  return {
    failures: failed.size,
    commands: commands.length,
    commandsTwice: repeats(ids),
    recoveriesLost: [...failed.values()].filter((workload) => !recoveries.has(workload)).length,
    recoveriesTwice: repeats(recoveries),
    fencesLost: [...failed.keys()].filter((node) => !fences.has(node)).length,
    fencesTwice: repeats(fences),
    uncalledFor: once.filter(({ node }) => !failed.has(node)).length,
    expired: journal.filter(({ value }) => value.includes(' expired: ')).length,
    samples: samples.size,
    samplesLost: [...samples].filter((sample) => !rows.has(sample)).length,
    samplesTwice: repeats(rows),
    findings: [
      ...findingsOf(suspects, [
        ...journal,
        ...records,
        ...(await read('pool-log')),
        ...(await read('results')),
      ]),
      ...placesOfRepeats(ids, records, journal),
    ],
  }
}

/** Where commands lie that were read more than once, and the lines of the journal that decided them. */
function placesOfRepeats(
  ids: ReadonlyMap<CommandId, number>,
  records: readonly CatRecord[],
  journal: readonly CatRecord[],
): readonly string[] {
  const placesOf = (id: CommandId, among: readonly CatRecord[]) =>
    among
      .filter(({ value }) => value.includes(`"commandId":"${id}"`))
      .map(({ partition, offset, headers }) => `${partition}@${offset} ${headers['ce_type']}`)
  return [...ids]
    .filter(([, count]) => count > 1)
    .map(([id]) => `${id}: ${[...placesOf(id, records), ...placesOf(id, journal)].join(', ')}`)
}

function findingsOf(
  workloads: readonly WorkloadId[],
  records: readonly CatRecord[],
): readonly string[] {
  return workloads.flatMap((workload) => {
    const number = workload.replace('workload-', '')
    const name = new RegExp(`(?:workload|mortal)-${number}\\b`)
    const texts = records.map(({ partition, offset, headers, value }) => {
      return `${partition}@${offset} ${headers[KIND] ?? headers['ce_type']} ${String(value)}`
    })
    const found = texts.filter((text) => name.test(text))
    const ids = new Set(found.flatMap((text) => /"commandId":"([^"]+)"/.exec(text)?.[1] ?? []))
    const more = texts.filter((text) => [...ids].some((id) => text.includes(`"${id}"`)))
    return [...new Set([...found, ...more])]
  })
}

function rowsOf({ headers, value }: CatRecord): readonly string[] {
  if (headers[KIND] !== 'samples') return []
  const table = tableFromIPC(value)
  const [nodes, times] = [table.getChild('node'), table.getChild('at')]
  return Array.from(
    { length: table.numRows },
    (_, row) => `${String(nodes?.get(row))}@${Number(times?.get(row))}`,
  )
}

function tally<Key>(keys: readonly Key[]): ReadonlyMap<Key, number> {
  const counts = new Map<Key, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return counts
}

function repeats(counts: ReadonlyMap<unknown, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count - 1, 0)
}
