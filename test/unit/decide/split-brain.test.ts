import { expect, test } from 'vitest'
import type { NodeId } from '../../../src/core/ids.ts'
import type { SplitBrainPolicy } from '../../../src/core/split-brain.ts'
import { judgeSplit } from '../../../src/decide/split-brain.ts'

interface Case {
  readonly policy: SplitBrainPolicy
  readonly sides: readonly string[]
  readonly nodes: number
  readonly quorum?: number
  readonly holder?: string
  readonly lives: number | null
  readonly because: string
}

const CASES: readonly Case[] = [
  { policy: 'keep-majority', sides: ['abc', 'de'], nodes: 5, lives: 0, because: 'three of five' },
  { policy: 'keep-majority', sides: ['ab', 'cd'], nodes: 4, lives: null, because: 'half is none' },
  {
    policy: 'keep-majority',
    sides: ['abc', 'de'],
    nodes: 6,
    lives: null,
    because: 'a node on no side counts as well',
  },
  {
    policy: 'static-quorum',
    sides: ['ab', 'cde'],
    nodes: 5,
    quorum: 3,
    lives: 1,
    because: 'the second side has it',
  },
  {
    policy: 'static-quorum',
    sides: ['abc', 'def'],
    nodes: 6,
    quorum: 3,
    lives: null,
    because: 'the pool has outgrown it: both would have one',
  },
  {
    policy: 'keep-oldest',
    sides: ['bcde', 'fa'],
    nodes: 6,
    lives: 1,
    because: 'the smaller side has the oldest',
  },
  {
    policy: 'lease-majority',
    sides: ['abc', 'de'],
    nodes: 5,
    holder: 'e',
    lives: 1,
    because: 'it has the lease',
  },
  {
    policy: 'lease-majority',
    sides: ['abc', 'de'],
    nodes: 5,
    lives: null,
    because: 'nobody has the lease yet',
  },
  { policy: 'down-all', sides: ['abcd', 'ef'], nodes: 6, lives: null, because: 'none ever' },
]

test.each(CASES)('$policy of $sides: $lives, $because', (each) => {
  const { policy, sides, nodes, quorum = null, holder = null, lives } = each
  const members = {
    nodeCount: nodes,
    oldest: 'a' as NodeId,
    leaseHolder: holder as NodeId | null,
  }
  const split = sides.map((side) => side.split('') as NodeId[])
  const verdict = judgeSplit({ policy, quorumNodes: quorum }, split, members)
  expect(verdict.lives).toBe(lives)
  expect(verdict.why).toMatch(lives === null ? / and (no|the) / : new RegExp(`goes on .${policy}`))
})
