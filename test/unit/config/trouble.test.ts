// Goal: what the file says of emergencies, split networks and votes, and what does not fit together.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/config.ts'
import { DEFAULT_EMERGENCY } from '../../../src/core/emergency.ts'

test('emergencies: a pool has its own limits, and a policy from before keeps its name', () => {
  const text = `
    [policy]
    cooldown = "1m"
    [pools.web]
    emergency_ratio = 0.1
    emergency_leave_after = "30s"`
  const { policy, pools } = loadConfig({ text, env: {} })
  expect(policy.emergency).toEqual(DEFAULT_EMERGENCY)
  expect(policy.version).toBe('sha256:90be7213fd16')
  const web = pools.get('web')!
  expect(web.emergency).toEqual({
    enterRatio: 0.1,
    leaveRatio: 0.1,
    leaveAfterMs: 30_000,
    nodesMin: 2,
  })
  expect(web.version).not.toBe(policy.version)
  const wrong = '[policy]\nemergency_leave_ratio = 0.5'
  expect(() => loadConfig({ text: wrong, env: {} })).toThrow(
    'emergency_leave_ratio: 0.5 is too much; set it to at most emergency_ratio (0.33)',
  )
})

test('split brain: a pool has a policy of its own, and what does not fit together is refused', () => {
  const text = `
    [policy.split_brain]
    policy = "static-quorum"
    quorum = 5
    stable_after = "30s"
    [pools.web.split_brain]
    policy = "keep-oldest"
    minority = "fence"
    [pools.batch.split_brain]
    policy = "off"
    [pools.large.split_brain]
    quorum = 9`
  const { policy, pools } = loadConfig({ text, env: {} })
  const rules = {
    policy: 'static-quorum',
    quorumNodes: 5,
    stableAfterMs: 30_000,
    leaseWaitMs: 10_000,
    minority: 'pause',
    resumeEveryMs: 10_000,
    merge: 'last-writer',
  }
  expect(policy.splitBrain).toEqual(rules)
  expect(pools.get('large')!.splitBrain).toEqual({ ...rules, quorumNodes: 9 })
  const web = { ...rules, policy: 'keep-oldest', quorumNodes: null, minority: 'fence' }
  expect(pools.get('web')!.splitBrain).toEqual(web)
  expect(pools.get('batch')!.splitBrain).toBeNull()
  expect(pools.get('batch')!.version).toBe('default')
})

test.each([
  { more: 'policy = "static-quorum"', message: 'split_brain.quorum: static-quorum needs it; set' },
  {
    more: 'policy = "down-all"\nquorum = 3',
    message: 'split_brain.quorum: down-all has none; leave',
  },
  {
    more: 'policy = "keep-majority"\n[policy.detectors.network_partition]\nenabled = false',
    message: 'split_brain.policy: nothing says where the network is split; leave',
  },
  { more: 'policy = "majority"', message: 'expected one of "off"|"keep-majority"' },
])('split brain with $more is refused', ({ more, message }) => {
  const text = `[policy.split_brain]\n${more}`
  expect(() => loadConfig({ text, env: {} })).toThrow(message)
})

test('votes: off unless asked for, by pool, and only where nodes have keys', () => {
  const directory = mkdtempSync(join(tmpdir(), 'votes-'))
  const file = join(directory, 'secret')
  writeFileSync(file, 's'.repeat(32))
  const text = `
    [state]
    node_secret_file = "${file}"
    [policy.votes]
    quorum = 0.75
    [pools.web.votes]
    enabled = true
    fence_nodes = 0
    region_failover = false
    age_min = "1d"`
  try {
    const { policy, pools } = loadConfig({ text, env: {} })
    expect(policy.votes).toBeNull()
    expect(policy.version).toBe('default')
    expect(pools.get('web')!.votes).toMatchObject({
      quorumRatio: 0.75,
      fenceNodesMax: 0,
      zoneFailover: true,
      regionFailover: false,
      ageMinMs: 86_400_000,
      deadlineMs: 120_000,
    })
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test.each([
  { more: 'enabled = true', message: 'votes.enabled: votes are signed with keys of nodes; set' },
  { more: 'quorum = 0.5', message: '`policy.votes.quorum`: expected more than half, up to 1' },
  { more: 'deadlines = "1m"', message: 'did you mean `policy.votes.deadline`?' },
])('votes with $more are refused', ({ more, message }) => {
  expect(() => loadConfig({ text: `[policy.votes]\n${more}`, env: {} })).toThrow(message)
})
