/**
 * A vote is signed with HMAC-SHA-256, with a key that is made from the node's own and used for votes alone: a
 * challenge has the node sign a text that somebody else chose, and that must never be a vote. Such a text
 * always has a dot in it, so no challenge gives away the key of votes either.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { type Vote, voteText } from '../core/vote.ts'

const PURPOSE = 'votes'

/** Hex, from the node's key in hex. */
export function voteMac(nodeKey: string, vote: Parameters<typeof voteText>[0]): string {
  const key = createHmac('sha256', Buffer.from(nodeKey, 'hex')).update(PURPOSE).digest()
  return createHmac('sha256', key).update(voteText(vote)).digest('hex')
}

export function isVoteSigned(nodeKey: string, vote: Vote): boolean {
  const [right, given] = [voteMac(nodeKey, vote), vote.mac].map((mac) => Buffer.from(mac, 'hex'))
  return right.length === given.length && timingSafeEqual(right, given)
}
