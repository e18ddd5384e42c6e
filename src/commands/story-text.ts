/** A story for people: one line each for what happened, with the time since the incident opened. */
import type { JournalEntry } from '../core/command.ts'
import type { Evidence } from '../core/fault.ts'
import { besideText } from '../decide/explain.ts'
import { formatDuration } from '../core/time.ts'
import { formatNumber } from './output.ts'
import type { Story } from './stories.ts'

const TITLES: Readonly<Record<JournalEntry['kind'], string>> = {
  'incident-opened': 'seen',
  'incident-closed': 'closed',
  decision: 'decided',
  plan: 'plan',
  choice: 'chosen',
  trial: 'tried',
  refusal: 'refused',
  waiting: 'room',
  result: 'result',
  control: 'operator',
  outcome: 'outcome',
  assignment: 'shards',
  model: 'model',
  fault: 'fault',
  condition: 'pool',
  ballot: 'ballot',
  merge: 'merged',
  config: 'config',
  page: 'paged',
}
const TIME_WIDTH = 9
const TITLE_WIDTH = 10

export function storyText(story: Story): string {
  const { incidentId, node, pool, openedAtMs, closedAtMs, entries } = story
  const startMs = openedAtMs ?? entries[0].atMs
  const ended = closedAtMs === null ? 'still open' : `closed ${since(startMs, closedAtMs)} later`
  const opened = openedAtMs === null ? 'opened before the journal begins' : timeOf(openedAtMs)
  const lines = [
    `Incident ${incidentId}: node ${node ?? '(none)'} of pool ${pool}`,
    `${opened}, ${ended}`,
    '',
  ]
  for (const entry of entries) lines.push(...entryLines(entry, startMs))
  return `${lines.join('\n')}\n`
}

function timeOf(atMs: number): string {
  return `opened ${new Date(atMs).toISOString()}`
}

function since(startMs: number, atMs: number): string {
  return formatDuration(Math.max(0, atMs - startMs))
}

function entryLines(entry: JournalEntry, startMs: number): readonly string[] {
  const { kind, rail, commandId, reasons, evidence } = entry
  const title = rail === null ? TITLES[kind] : `${TITLES[kind]} by ${rail}`
  const time = `+${since(startMs, entry.atMs)}`.padEnd(TIME_WIDTH)
  const indent = ' '.repeat(TIME_WIDTH + 1)
  const [head = '', ...rest] = reasons
  const lines = [`${time} ${title.padEnd(TITLE_WIDTH)} ${head}`]
  for (const reason of rest) lines.push(`${indent}${' '.repeat(TITLE_WIDTH)} ${reason}`)
  if (kind === 'decision' && commandId !== null) lines.push(`${indent}command ${commandId}`)
  if (kind === 'incident-opened' || kind === 'outcome') {
    for (const each of evidence) lines.push(`${indent}${evidenceText(each)}`)
  }
  return lines
}

function evidenceText({ what, value, limit, ...more }: Evidence): string {
  const shown = typeof value === 'number' ? formatNumber(value) : value
  if (limit === null) return `${what}: ${shown}${besideText(more)}`
  return `${what}: ${shown} (limit ${typeof limit === 'number' ? formatNumber(limit) : limit})`
}
