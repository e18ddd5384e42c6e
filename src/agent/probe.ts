/**
 * Looks at a service from a node, and says what it saw as evidence. A check never hangs and never
 * throws: what does not answer in time does not answer.
 */
import { connect } from 'node:net'
import type { Output } from '../core/bus.ts'
import { cloudEventOutput } from '../core/cloudevent.ts'
import type { EvidenceRecord } from '../core/evidence.ts'
import { partitionOf } from '../core/partition.ts'
import { partitionCount, topicName } from '../core/topics.ts'
import type { Reporter } from './report.ts'

export interface Seen {
  readonly ok: boolean
  /** HTTP status; null over TCP, and where nothing answered. */
  readonly status: number | null
  readonly latencyMs: number | null
}

export const NO_ANSWER: Seen = { ok: false, status: null, latencyMs: null }

/** Whether somebody takes a connection there, until `signal` ends it. `clockMs` measures how long it took. */
export function probeTcp(
  { host, port }: { readonly host: string; readonly port: number },
  signal: AbortSignal,
  clockMs: () => number,
): Promise<Seen> {
  const beganAtMs = clockMs()
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const giveUp = () => end(NO_ANSWER)
    const end = (seen: Seen) => {
      signal.removeEventListener('abort', giveUp)
      socket.destroy()
      resolve(seen)
    }
    signal.addEventListener('abort', giveUp)
    if (signal.aborted) giveUp()
    socket.once('connect', () => end({ ok: true, status: null, latencyMs: clockMs() - beganAtMs }))
    socket.once('error', () => end(NO_ANSWER))
  })
}

/** Whether the address answers, whatever it says: its status is for the detector to judge. */
export async function probeHttp(
  url: string,
  signal: AbortSignal,
  clockMs: () => number,
): Promise<Seen> {
  const beganAtMs = clockMs()
  try {
    const answer = await fetch(url, { signal, redirect: 'manual' })
    // The body is not wanted, and an unread one holds its connection.
    await answer.body?.cancel()
    return { ok: true, status: answer.status, latencyMs: clockMs() - beganAtMs }
  } catch {
    // No answer is what was asked about.
    return NO_ANSWER
  }
}

/** One observation for topic `evidence`. */
export function evidenceOutput(reporter: Reporter, record: EvidenceRecord): Output {
  const { kind, node, pool, atMs } = record
  const { topology, source } = reporter
  return cloudEventOutput(
    topicName(topology, 'evidence'),
    partitionOf(pool, partitionCount(topology, 'evidence')),
    {
      type: `foreshock.evidence.${kind}`,
      source,
      id: `${node}/${kind}/${atMs}`,
      subject: node,
      atMs,
    },
    record,
  )
}
