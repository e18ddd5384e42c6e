// Goal: rules of emergencies, split networks and votes pass through the log as the file has them, and what
// a coordinator could not fold does not get there.
import { expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/config.ts'
import { runtimeSettings } from '../../../src/config/runtime.ts'
import { toBytes } from '../../../src/core/bytes.ts'
import type { Policy } from '../../../src/core/policy.ts'
import { decodeControl } from '../../../src/ingest/controls.ts'
import { SPLIT_BRAIN } from '../../support/split-network.ts'
import { VOTE_RULES } from '../../support/votes.ts'

const { settings, version } = runtimeSettings(loadConfig({ env: {} }))

function decode(more: Record<string, unknown>) {
  const policy = { ...settings.policy, ...more }
  const body = { kind: 'config', version, keys: {}, changes: [], by: 'ada', reason: 'a test' }
  const text = JSON.stringify({ ...body, settings: { ...settings, policy } })
  return decodeControl(toBytes(text))
}

const WHOLE: Partial<Policy> = { splitBrain: SPLIT_BRAIN, votes: VOTE_RULES }

test('rules pass as they are, and those of before there were any', () => {
  expect(decode(WHOLE)).toMatchObject({ ok: true, value: { settings: { policy: WHOLE } } })
  const { emergency: _, splitBrain: __, votes: ___, ...before } = settings.policy
  expect(decode({ ...before, emergency: undefined }).ok).toBe(true)
})

test.each([
  { more: { emergency: null }, field: 'emergency' },
  { more: { emergency: { ...settings.policy.emergency, enterRatio: 0.1 } }, field: 'emergency' },
  { more: { splitBrain: { ...SPLIT_BRAIN, policy: 'majority' } }, field: 'splitBrain.policy' },
  { more: { splitBrain: { ...SPLIT_BRAIN, policy: 'static-quorum' } }, field: 'splitBrain' },
  { more: { votes: { ...VOTE_RULES, quorumRatio: 0.5 } }, field: 'votes.quorumRatio' },
  { more: { votes: { enabled: true } }, field: 'votes.quorumRatio' },
])('$more is refused, naming $field', ({ more, field }) => {
  const decoded = decode(more)
  if (decoded.ok) throw new Error('it was taken')
  expect(decoded.detail).toContain(`settings.policy.${field}`)
})
