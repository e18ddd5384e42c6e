/** Sentences of the journal about changes of a pool's map, and about those that are held back. */
import { never } from '../core/errors.ts'
import type { ShardReason } from '../core/shard.ts'
import type { MapChange, NodeChange } from './shard-map.ts'

/** Nodes named in one sentence; the rest is counted. */
const NAMES_MAX = 5

export function changeReasons(
  changes: readonly NodeChange[],
  { changed, moves, deferred, unplaced }: MapChange,
  shardCount: number,
): readonly string[] {
  const sentences = [`${changed.size} of ${shardCount} shards have other nodes now.`]
  for (const [reason, count] of moves) sentences.push(`${replicas(count)} ${because(reason)}.`)
  sentences.push(...nodeSentences(changes))
  if (deferred > 0) sentences.push(`${replicas(deferred)} wait for the budget of moves.`)
  if (unplaced > 0) sentences.push(`${replicas(unplaced)} fit on no node.`)
  return sentences
}

export function refusalReasons(why: string, changes: readonly NodeChange[]): readonly string[] {
  const sentences = nodeSentences(changes)
  const would = sentences.length === 0 ? ['The map follows its new rules.'] : sentences
  return [`Not done: ${why}.`, ...would.map((sentence) => `It would be: ${sentence}`)]
}

function replicas(count: number): string {
  return count === 1 ? '1 replica' : `${count} replicas`
}

function because(reason: ShardReason): string {
  switch (reason) {
    case 'first-placement':
      return 'placed for the first time'
    case 'node-failed':
      return 'moved: their node has failed'
    case 'node-fenced':
      return 'moved: their node was silent and is fenced'
    case 'node-left':
      return 'moved: their node has left'
    case 'node-joined':
      return 'moved: a node has joined and takes its share'
    case 'node-changed':
      return 'moved: a node takes another share than before'
    case 'load-bound':
      return 'moved: their node was over its bound'
    default:
      return never(reason)
  }
}

function nodeSentences(changes: readonly NodeChange[]): readonly string[] {
  const out = changes.filter(({ member }) => member === null)
  const idle = changes.filter(({ member }) => member?.weight === 0)
  const taking = changes.filter(({ member }) => member !== null && member.weight > 0)
  return [
    ...sentence(out, 'holds shards no longer', 'hold shards no longer'),
    ...sentence(idle, 'takes no other shards', 'take no other shards'),
    ...sentence(taking, 'takes its share of shards', 'take their share of shards'),
  ]
}

function sentence(changes: readonly NodeChange[], one: string, many: string): readonly string[] {
  if (changes.length === 0) return []
  const names = changes.slice(0, NAMES_MAX).map(({ node }) => node)
  const more = changes.length > NAMES_MAX ? ` and ${changes.length - NAMES_MAX} others` : ''
  const subject = changes.length === 1 ? `Node ${names[0]}` : `Nodes ${names.join(', ')}${more}`
  return [`${subject} ${changes.length === 1 ? one : many}.`]
}
