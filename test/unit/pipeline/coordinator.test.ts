// Goal: each thing that can happen to a pool leads to the right commands, in the right order.
import { expect, test } from 'vitest'
import {
  asText,
  bodies,
  CoordinatorWorld,
  POOL,
  START_MS,
} from '../../support/coordinator-world.ts'
import { type ClockRecord, KIND } from '../../../src/core/log.ts'
import type { Intervention } from '../../../src/core/node.ts'
import type { NodeId } from '../../../src/core/ids.ts'
import { partitionOf } from '../../../src/core/partition.ts'
import { textOf } from '../../support/output.ts'

function fleet(options?: ConstructorParameters<typeof CoordinatorWorld>[0]): CoordinatorWorld {
  const world = new CoordinatorWorld(options)
  world.joinMany(6)
  world.place('w-low', 'n0', { priority: 'LOW' })
  world.place('w-critical', 'n0', { priority: 'CRITICAL' })
  return world
}

test('a silent node is fenced first, then its workloads start elsewhere, the critical one first', () => {
  const world = fleet()
  world.silent('n0')
  expect(world.commands().map(({ action }) => action)).toEqual(['fence'])
  world.result(world.commands('fence')[0], 'succeeded')
  const recovered = world.commands('recover')
  expect(recovered.map(({ workload }) => workload)).toEqual(['w-critical', 'w-low'])
  expect(recovered.every(({ target }) => target !== 'n0' && target !== null)).toBe(true)
  expect(recovered[0].precondition).toEqual({ kind: 'fenced', node: 'n0' })
})

test('a command says all that an executor needs to trust it', () => {
  const world = fleet()
  world.silent('n0')
  const [command] = world.commands('fence')
  expect(command).toMatchObject({
    pool: POOL,
    epoch: 0,
    node: 'n0',
    expiresAtMs: START_MS + world.policy.commandTtlMs,
    policyVersion: 'default',
    dryRun: false,
  })
  const output = world.outputs.find(({ topic }) => topic === 't.commands.recovery')!
  const bytes = output.value as Uint8Array
  expect(output.headers).toMatchObject({
    ce_type: 'foreshock.command.fence',
    ce_id: command.commandId,
    ce_subject: 'n0',
    signature: `signed-${bytes.length}`,
  })
  expect(output.partition).toBe(partitionOf('n0', 4))
})

test('an unknown node is left alone, and a late watcher makes its nodes unknown', () => {
  const world = fleet()
  world.assess('n0', { liveness: 'unknown' })
  expect(world.commands()).toEqual([])
  world.assess('n1', { liveness: 'live' }, { late: true, rows: [] })
  expect(world.node('n1')!.liveness).toBe('unknown')
  world.assess('n1', {}, { late: false, rows: [] })
  expect(world.node('n1')!.liveness).toBe('live')
})

test('a node over the acting point is cordoned and its workloads migrate', () => {
  const world = fleet()
  world.risky('n0', 0.79)
  expect(world.commands()).toEqual([])
  world.risky('n0', 0.85)
  expect(world.commands().map(({ action }) => action)).toEqual(['cordon', 'migrate', 'migrate'])
  expect(world.commands('migrate')[0].reasons.join(' ')).toContain('85 %')
})

test('a placement, and nothing else, moves a workload in our view', () => {
  const world = fleet()
  world.risky('n0')
  const [first, second] = world.commands('migrate')
  world.result(first, 'verified')
  world.carryOut(second)
  world.silent('n0')
  world.result(world.commands('fence')[0], 'verified')
  expect(world.commands('recover').map(({ workload }) => workload)).toEqual([first.workload])
})

test('below the hysteresis the incident ends: uncordon, and what has not begun is cancelled', () => {
  const world = fleet()
  world.risky('n0')
  const [cordon] = world.commands('cordon')
  const [begun, waiting] = world.commands('migrate')
  world.result(cordon, 'succeeded')
  world.result(begun, 'started')
  world.risky('n0', 0.7)
  expect(world.commands('uncordon')).toEqual([])
  world.risky('n0', 0.1)
  expect(world.commands('cancel').map(({ workload }) => workload)).toEqual([waiting.workload])
  expect(world.commands('uncordon')).toHaveLength(1)
  expect(world.journal('incident-closed')).toHaveLength(1)
  expect(world.node('n0')).toMatchObject({ cordoned: true, incident: null })
  world.carryOut(world.commands('uncordon')[0])
  expect(world.node('n0')).toMatchObject({ cordoned: false })
  expect(world.stats()['openIncidentCount']).toBe(0)
})

test('watchers hear when work was moved off a node and when it is let back, and not of a rehearsal', () => {
  const said = (world: CoordinatorWorld) =>
    world.outputs
      .filter(({ headers }) => headers?.[KIND] === 'intervention')
      .map(({ partition, value }) => [partition, JSON.parse(textOf(value)) as Intervention])
  const world = fleet()
  world.risky('n0')
  expect(said(world)).toEqual([])
  for (const command of world.commands()) world.carryOut(command)
  const partition = partitionOf('n0', world.topology.nodePartitions)
  const moved = { kind: 'moved', node: 'n0', atMs: world.nowMs }
  expect(said(world)).toEqual([[partition, moved]])
  world.after(60_000)
  world.risky('n0', 0.1)
  world.carryOut(world.commands('uncordon')[0])
  const returned = { kind: 'returned', node: 'n0', atMs: world.nowMs }
  expect(said(world)).toEqual([
    [partition, moved],
    [partition, returned],
  ])
  const rehearsal = fleet({ policy: { dryRun: true } })
  rehearsal.risky('n0')
  for (const command of rehearsal.commands()) rehearsal.result(command, 'accepted')
  expect(said(rehearsal)).toEqual([])
})

test('a silent node that is heard of again is let in again', () => {
  const world = fleet()
  world.silent('n0')
  world.result(world.commands('fence')[0], 'succeeded')
  world.live('n0')
  expect(world.commands('uncordon')).toHaveLength(1)
  expect(world.commands('cancel')).toHaveLength(2)
})

test('a failed try is repeated as a new command of the same incident, and then a person is called', () => {
  const world = fleet()
  world.place('w-low', 'n1')
  world.risky('n0')
  for (let attempt = 1; attempt <= 3; attempt++) {
    const commands = world.commands('migrate')
    expect(commands).toHaveLength(attempt)
    world.result(commands.at(-1)!, 'failed', 'no route')
  }
  const commands = world.commands('migrate')
  expect(commands).toHaveLength(3)
  expect(new Set(commands.map(({ commandId }) => commandId)).size).toBe(3)
  expect(new Set(commands.map(({ incidentId }) => incidentId)).size).toBe(1)
  expect(world.rails()).toContain('attempts')
  expect(bodies<{ kind: string }>(world.outputs, 't.alerts').at(-1)!.kind).toBe('attempts')
})

test('a target that work came to nothing on is not tried again while another has room, and then is', () => {
  const world = new CoordinatorWorld()
  world.joinMany(3)
  world.place('w', 'n0')
  world.fail('n0')
  world.carryOut(world.commands('fence')[0])
  const targets = () => world.commands('recover').map(({ target }) => target)
  world.result(world.commands('recover')[0], 'rejected', 'no room')
  expect(new Set(targets())).toEqual(new Set(['n1', 'n2']))
  world.result(world.commands('recover')[1], 'failed', 'no room')
  expect(targets()).toHaveLength(3)
  expect(asText(world.refold())).toEqual(asText(world.outputs))
})

test('recovery whose attempts are used up is tried anew after a cooldown, all of it: nothing is down for good', () => {
  const world = fleet({ policy: { attemptsMax: 2, cooldownMs: 60_000 } })
  world.fail('n0')
  world.carryOut(world.commands('fence')[0])
  const tried = () => world.commands('recover').map(({ workload }) => workload)
  const names = new Set(tried())
  expect(names.size).toBeGreaterThan(1)
  for (let i = 0; i < 2 * names.size; i++) world.result(world.commands('recover')[i], 'failed')
  expect(tried()).toHaveLength(2 * names.size)
  expect(world.rails().at(-1)).toBe('attempts')
  world.after(60_000 - 1)
  expect(tried()).toHaveLength(2 * names.size)
  world.after(1)
  expect(new Set(tried().slice(2 * names.size))).toEqual(names)
  for (const command of world.commands('recover').slice(2 * names.size)) world.carryOut(command)
  expect(world.journal('incident-closed').at(-1)?.node).toBe('n0')
})

test('a command that nobody answers expires, with a grace for a late answer, and is sent anew', () => {
  const world = fleet()
  world.silent('n0')
  world.after(world.policy.commandTtlMs)
  expect(world.commands('fence')).toHaveLength(1)
  world.after(10_000)
  expect(world.commands('fence')).toHaveLength(2)
})

test('work that has begun and is not heard of is cancelled before it is tried again', () => {
  const world = fleet()
  world.risky('n0')
  const [command] = world.commands('migrate')
  world.result(command, 'started')
  world.after(world.policy.commandTtlMs + 10_000)
  const moves = () =>
    world.commands('migrate').filter(({ workload }) => workload === command.workload)
  expect(world.commands('cancel')).toHaveLength(1)
  expect(moves()).toHaveLength(1)
  world.after(world.policy.commandTtlMs + 10_000)
  expect(moves()).toHaveLength(2)
})

test('a failure after a migration is foreseen, with its lead time', () => {
  const world = fleet()
  world.risky('n0')
  world.after(60_000)
  world.fail('n0')
  const [outcome] = world.journal('outcome')
  expect(outcome.evidence).toEqual([
    { what: 'outcome', value: 'foreseen', limit: null },
    { what: 'leadTimeMs', value: 60_000, limit: null },
    { what: 'failureKind', value: 'disk', limit: null },
  ])
})

test('a failure out of the blue is missed, and its workloads are recovered', () => {
  const world = fleet()
  world.fail('n0')
  expect(world.journal('outcome')[0].evidence[0].value).toBe('missed')
  world.result(world.commands('fence')[0], 'verified')
  for (const command of world.commands('recover')) world.carryOut(command)
  expect(world.commands('recover')).toHaveLength(2)
  expect(world.journal('incident-closed')[0].reasons[0]).toContain('Nothing is left')
  world.after(1_000)
  world.join('n0')
  expect(world.commands('uncordon')).toHaveLength(1)
})

test('a failure whose commands were all refused was not foreseen', () => {
  const world = fleet({ policy: { mode: 'observe' } })
  world.risky('n0')
  world.after(60_000)
  world.fail('n0')
  expect(world.journal('outcome')[0].evidence[0].value).toBe('missed')
})

test('an alarm that comes true by silence goes on in the same incident, as a recovery', () => {
  const world = fleet()
  world.risky('n0')
  world.silent('n0')
  expect(world.commands('cancel')).toHaveLength(2)
  const fence = world.commands('fence')[0]
  expect(fence.incidentId).toBe(world.commands('cordon')[0].incidentId)
  world.result(fence, 'succeeded')
  expect(world.rails()).toContain('in-flight')
  for (const command of world.commands('migrate')) world.result(command, 'failed', 'withdrawn')
  expect(world.commands('recover')).toHaveLength(2)
})

test('what the runtime kept back counts as never sent, and is not tried again at once', () => {
  const world = fleet()
  world.risky('n0')
  const ids = world.commands().map(({ commandId }) => commandId)
  world.withhold(ids)
  expect(world.stats()).toMatchObject({ inFlightCount: 0, commandCount: 0 })
  expect(world.rails().filter((rail) => rail === 'stop')).toHaveLength(4)
  world.after(world.policy.cooldownMs - 1)
  expect(world.commands()).toHaveLength(3)
  world.after(1)
  expect(
    world
      .commands()
      .map(({ action }) => action)
      .slice(3),
  ).toEqual(['cordon', 'migrate', 'migrate'])
})

test('a dry run ends when it is accepted', () => {
  const world = fleet({ policy: { dryRun: true } })
  world.silent('n0')
  world.result(world.commands('fence')[0], 'accepted')
  expect(world.commands('recover').every(({ dryRun }) => dryRun)).toBe(true)
  for (const command of world.commands('recover')) world.result(command, 'accepted')
  expect(world.stats()['inFlightCount']).toBe(0)
  expect(world.commands()).toHaveLength(3)
})

test('a node that leaves is forgotten, with a tombstone in nodes', () => {
  const world = fleet()
  world.silent('n0')
  world.fact({ kind: 'leave', node: 'n0' as NodeId, atMs: world.nowMs })
  expect(world.last.find(({ topic }) => topic === 't.nodes')).toMatchObject({
    key: 'n0',
    value: null,
  })
  expect(world.stats()).toMatchObject({ nodeCount: 5, openIncidentCount: 0 })
})

test('what is said of a node that has left does not bring it back; a sign of life after that does', () => {
  const world = fleet()
  world.fact({ kind: 'leave', node: 'n0' as NodeId, atMs: world.nowMs })
  const leftAtMs = world.nowMs
  world.risky('n0')
  world.after(1_000)
  world.assess('n0', { lastSeenAtMs: leftAtMs, probability: 0.99 })
  world.silent('n0')
  world.assess('n0', { liveness: 'unknown' })
  expect(world.commands()).toEqual([])
  expect(world.stats()).toMatchObject({ nodeCount: 5, openIncidentCount: 0 })
  world.live('n0')
  world.silent('n0')
  expect(world.stats()).toMatchObject({ nodeCount: 6, openIncidentCount: 1 })
})

test('a node that joins again is known at once', () => {
  const world = fleet()
  world.fact({ kind: 'leave', node: 'n0' as NodeId, atMs: world.nowMs })
  world.join('n0')
  world.silent('n0')
  expect(world.stats()).toMatchObject({ nodeCount: 6, openIncidentCount: 1 })
})

test('a node that is labelled into a pool of another coordinator is handed over', () => {
  const world = new CoordinatorWorld({ poolPartitions: 2 })
  const pools = ['a', 'b', 'c', 'd', 'e'].map((pool) => [pool, partitionOf(pool, 2)] as const)
  world.join('n0')
  const [mine, other] = [0, 1].map((p) => pools.find(([, partition]) => partition === p)![0])
  world.fact({ kind: 'labels', node: 'n0' as NodeId, atMs: 0, labels: { pool: mine } })
  expect(world.node('n0')!.pool).toBe(mine)
  world.fact({ kind: 'labels', node: 'n0' as NodeId, atMs: 0, labels: { pool: other } })
  expect(world.stats()['nodeCount']).toBe(0)
})

test('the epoch of a command is the offset of the newest claim', () => {
  const world = fleet()
  world.feed('claim', { role: 'coordinator', owner: 'other' })
  const claimedAt = world.records.length - 1
  world.silent('n0')
  expect(world.commands('fence')[0].epoch).toBe(claimedAt)
})

test('a cohort table goes to every node-log partition once all watchers have counted', () => {
  const world = new CoordinatorWorld()
  for (let source = 0; source < 4; source++) {
    const table = { cohort: 'web/server/x', window: 7, metrics: { cpu: [source, 1] } }
    // A watcher without nodes of the cohort reports the window all the same.
    const cohorts = source === 2 ? [] : [table]
    const counts = { source, nodeClass: 'server', window: 7, cohorts }
    world.feed('cohort-counts', counts)
    if (source < 3) expect(world.last).toEqual([])
    if (source < 3) expect(world.feed('cohort-counts', counts)).toEqual([])
  }
  const tables = world.outputs.filter(({ topic }) => topic === 't.node-log')
  expect(tables.map(({ partition }) => partition)).toEqual([0, 1, 2, 3])
  expect(bodies(tables, 't.node-log')[0]).toEqual({
    source: 3,
    nodeClass: 'server',
    window: 7,
    cohorts: [{ cohort: 'web/server/x', window: 7, metrics: { cpu: [4, 3] } }],
  })
})

test('a driven clock moves when every source has ticked, and the step is then done', () => {
  const world = new CoordinatorWorld({ clock: 'driven' })
  const tick = (source: number, step: number) =>
    world.feed('tick', { source, atMs: 1_000_000 + step * 1_000, step })
  for (let source = 0; source < 3; source++) expect(tick(source, 1)).toEqual([])
  world.join('n0')
  world.place('w', 'n0')
  world.join('n1')
  world.silent('n0')
  expect(world.commands()).toEqual([])
  tick(3, 1)
  expect(world.commands('fence')[0].expiresAtMs).toBe(1_001_000 + world.policy.commandTtlMs)
  const done: ClockRecord = { kind: 'done', poolPartition: 0, step: 1, commandCount: 1 }
  expect(bodies(world.last, 't.clock')).toEqual([done])
})

test('the same records give the same bytes', () => {
  const world = fleet()
  world.risky('n0')
  world.after(1_000)
  world.silent('n1')
  world.control({ kind: 'veto', node: 'n2' as NodeId, veto: true })
  for (const command of world.commands()) world.carryOut(command)
  world.fail('n0')
  expect(world.refold()).toEqual(world.outputs)
})
