/**
 * `foreshock explain`: the story of an incident from the journal: evidence, refusals, decisions,
 * results and outcome, in the order in which they were written.
 */
import { toText } from '../core/bytes.ts'
import type { JournalEntry } from '../core/command.ts'
import { ServiceError } from '../core/errors.ts'
import { topicName } from '../core/topics.ts'
import { loadedConfig, openBus } from './bus.ts'
import { type Arguments, type Command, CONFIG_OPTIONS, type Io } from './command.ts'
import { nearest } from './nearest.ts'
import { printJson, table } from './output.ts'
import { Stories, type Story } from './stories.ts'
import { storyText } from './story-text.ts'
import { readTopic } from './topic-records.ts'

/** Without --json a list shows so many, the newest. */
const LISTED_MAX = 20

export const command: Command = {
  name: 'explain',
  operands: '[INCIDENT|COMMAND]',
  summary: 'tell why something was done, or not done, from the journal',
  options: {
    ...CONFIG_OPTIONS,
    node: { kind: 'text', value: 'NODE', summary: 'list the incidents of this node only' },
    pool: { kind: 'text', value: 'POOL', summary: 'list the incidents of this pool only' },
  },
  async run(args, io) {
    const [id, ...more] = args.operands
    if (more.length > 0) throw wrongUse('one incident or command at a time')
    if (id !== undefined && (args.text('node') ?? args.text('pool')) !== undefined) {
      throw wrongUse('--node and --pool choose from the list: leave the id out')
    }
    const stories = await readStories(args, io)
    if (id === undefined) return list(stories, args, io)
    const story = stories.find(id)
    if (story === undefined) throw unknown(id, stories)
    if (args.flag('json')) printJson(io, story)
    else io.stdout(storyText(story))
    return 0
  },
}

async function readStories(args: Arguments, io: Io): Promise<Stories> {
  const config = loadedConfig(args, io)
  const bus = await openBus(config, io)
  const stories = new Stories()
  try {
    const topic = topicName(config.topology, 'journal')
    if (!(await bus.describe([topic])).has(topic)) {
      const mend = 'start the service once, or run foreshock topics create'
      throw new ServiceError('TOPIC_MISSING', `explain: there is no topic ${topic}: ${mend}`)
    }
    await readTopic(
      bus,
      topic,
      ({ value }) => {
        if (value !== null) stories.add(JSON.parse(toText(value)) as JournalEntry)
      },
      io.signal,
    )
    if (io.signal.aborted) throw new ServiceError('INTERRUPTED', 'explain was interrupted')
    return stories
  } finally {
    await bus.close()
  }
}

function list(stories: Stories, args: Arguments, io: Io): 0 {
  const [node, pool] = [args.text('node'), args.text('pool')]
  const found = stories.newestFirst().filter((story) => {
    return (node ?? story.node) === story.node && (pool ?? story.pool) === story.pool
  })
  if (args.flag('json')) {
    printJson(io, found.map(headOf))
    return 0
  }
  if (found.length === 0) {
    io.stdout('no incident is in the journal\n')
    return 0
  }
  const rows = found.slice(0, LISTED_MAX).map((story) => {
    return [story.incidentId, story.node ?? '', timeText(story.openedAtMs), stateOf(story)]
  })
  const titles = ['incident', 'node', 'opened', 'state']
  io.stdout(
    table(
      titles.map((title) => ({ title })),
      rows,
    ),
  )
  if (found.length > LISTED_MAX) io.stdout(`and ${found.length - LISTED_MAX} older ones\n`)
  return 0
}

function headOf({ entries, ...head }: Story): Omit<Story, 'entries'> & { entryCount: number } {
  return { ...head, entryCount: entries.length }
}

function timeText(atMs: number | null): string {
  return atMs === null ? 'before the journal begins' : new Date(atMs).toISOString()
}

function stateOf({ closedAtMs, outcome }: Story): string {
  const state = closedAtMs === null ? 'open' : 'closed'
  return outcome === null ? state : `${state}, ${outcome}`
}

function wrongUse(why: string): ServiceError {
  return new ServiceError('USAGE', `explain: ${why} (foreshock explain --help)`)
}

function unknown(id: string, stories: Stories): ServiceError {
  const guess = nearest(id, stories.ids())
  const hint = guess === undefined ? 'foreshock explain lists them' : `did you mean ${guess}?`
  return new ServiceError('INPUT_INVALID', `explain: no incident or command ${id}; ${hint}`)
}
