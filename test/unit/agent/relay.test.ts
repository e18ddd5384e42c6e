// Goal: an observation that is passed on in a circle dies, and what ingest takes is what is still alive.
import { expect, test } from 'vitest'
import { toBytes } from '../../../src/core/bytes.ts'
import { type Claim, type EvidenceRecord, HOPS_MAX } from '../../../src/core/evidence.ts'
import type { NodeId, PoolId } from '../../../src/core/ids.ts'
import { relayOutput } from '../../../src/agent/relay.ts'
import { decodeEvidence } from '../../../src/ingest/evidence.ts'
import { bytesOf, textOf } from '../../support/output.ts'

const reporter = {
  topology: {
    prefix: 't.',
    nodePartitions: 2,
    poolPartitions: 1,
    clock: 'arrival',
    retentionMs: 1,
  } as const,
  source: '/agents/a',
}
const seen: Claim = {
  kind: 'claim',
  pool: 'p' as PoolId,
  node: 'n' as NodeId,
  atMs: 5,
  about: 'm' as NodeId,
  claim: 'dead',
}

test('each hop leaves one less, and the last is the end of it', () => {
  let record: EvidenceRecord = seen
  const hops: number[] = []
  for (let output = relayOutput(reporter, record); output !== null;) {
    const body = bytesOf(output.value)
    const decoded = decodeEvidence(body!, { nowMs: 5, appendedAtMs: 5 })
    expect(decoded.ok).toBe(true)
    record = JSON.parse(textOf(output.value)) as EvidenceRecord
    hops.push(record.hopsLeft!)
    output = relayOutput(reporter, record)
  }
  expect(hops).toEqual(Array.from({ length: HOPS_MAX }, (_, i) => HOPS_MAX - i))
})

test('what comes with its hops used up all the same is refused', () => {
  const bytes = toBytes(JSON.stringify({ ...seen, hopsLeft: 0 }))
  expect(decodeEvidence(bytes, { nowMs: 5, appendedAtMs: 5 }).ok).toBe(false)
})
