// Goal: what a report counts is what happened, in whatever order it was told, and by one rule for all.
import { describe, expect, test } from 'vitest'
import type { Command, JournalEntry } from '../../../src/core/command.ts'
import type { IncidentId, NodeId, PoolId, WorkloadId } from '../../../src/core/ids.ts'
import type { NodeEvent } from '../../../src/core/node.ts'
import { DAY_MS, HOUR_MS } from '../../../src/core/time.ts'
import { type Alarm, judgeAlarms } from '../../../src/store/report/alarms.ts'
import { Deeds } from '../../../src/store/report/deeds.ts'
import { type Failure, NodeLives } from '../../../src/store/report/node-lives.ts'
import { Outages } from '../../../src/store/report/outages.ts'
import { type ReportFacts, reportOf } from '../../../src/store/report/report.ts'
import { ThresholdRule } from '../../../src/store/report/threshold-rule.ts'

const WEB = 'web' as PoolId
const DB = 'db' as PoolId
const N1 = 'n1' as NodeId
const WINDOW = { fromMs: 10 * DAY_MS, toMs: 20 * DAY_MS }

function join(node: NodeId, day: number, pool = WEB): NodeEvent {
  const place = { zone: null, region: null, latitude: null, longitude: null }
  const capacity = { cpu: 1, memoryBytes: 1, gpu: null }
  return {
    kind: 'join',
    node,
    atMs: day * DAY_MS,
    class: 'server',
    pool,
    labels: {},
    place,
    capacity,
  }
}

function failure(node: NodeId, day: number): NodeEvent {
  return { kind: 'failure', node, atMs: day * DAY_MS, failureKind: 'disk' }
}

function livesOf(events: readonly NodeEvent[]) {
  const lives = new NodeLives()
  for (const event of events) lives.take(event)
  return lives.lives(WINDOW)
}

describe('lives of nodes', () => {
  test.each([
    { because: 'it was there all the time', events: [join(N1, 1)], days: 10 },
    { because: 'it joined within', events: [join(N1, 18)], days: 2 },
    {
      because: 'it left within',
      events: [join(N1, 1), { kind: 'leave' as const, node: N1, atMs: 13 * DAY_MS }],
      days: 3,
    },
    {
      because: 'it failed and came back',
      events: [join(N1, 1), failure(N1, 12), join(N1, 15)],
      days: 7,
    },
    { because: 'it failed before', events: [join(N1, 1), failure(N1, 5)], days: 0 },
  ])('a node has $days days when $because, in any order', ({ events, days }) => {
    for (const told of [events, events.toReversed()]) {
      expect(livesOf(told).exposure.get(WEB)?.nodeMs ?? 0).toBe(days * DAY_MS)
    }
  })

  test('a node that changes its pool has days in both', () => {
    const labels = { pool: 'db' }
    const moved: NodeEvent = { kind: 'labels', node: N1, atMs: 16 * DAY_MS, labels }
    const { exposure } = livesOf([join(N1, 1), moved])
    expect(exposure.get(WEB)).toEqual({ nodes: 1, nodeMs: 6 * DAY_MS })
    expect(exposure.get(DB)).toEqual({ nodes: 1, nodeMs: 4 * DAY_MS })
  })

  test('a failure that is said twice is one, and one before the window is none', () => {
    const again = { ...failure(N1, 12), atMs: 12 * DAY_MS + 1_000 }
    const { failures } = livesOf([join(N1, 1), failure(N1, 5), join(N1, 6), failure(N1, 12), again])
    expect(failures.get(N1)).toEqual([
      { node: N1, pool: WEB, kind: 'disk', atMs: 12 * DAY_MS, backAtMs: null },
    ])
  })

  test('a node without a join is there from when it was first seen; one never seen is a stranger', () => {
    const lives = new NodeLives()
    lives.see(N1, WEB, 14 * DAY_MS)
    lives.take(failure(N1, 15))
    lives.take(failure('who' as NodeId, 15))
    const { exposure, failures, strangerFailureCount } = lives.lives(WINDOW)
    expect(exposure.get(WEB)).toEqual({ nodes: 1, nodeMs: DAY_MS })
    expect([...failures.keys()]).toEqual([N1])
    expect(strangerFailureCount).toBe(1)
  })
})

describe('alarms', () => {
  const at = (hour: number) => WINDOW.fromMs + hour * HOUR_MS
  const failed: Failure = { node: N1, pool: WEB, kind: 'disk', atMs: at(10), backAtMs: null }
  const failures = new Map([[N1, [failed]]])
  const alarm = (began: number, ended: number | null): Alarm => ({
    node: N1,
    pool: WEB,
    beganAtMs: at(began),
    endedAtMs: ended === null ? null : at(ended),
  })

  test.each([
    { alarms: [alarm(9, null)], verdict: 'trueAlarms', because: 'it stands until the failure' },
    {
      alarms: [alarm(1, 11)],
      verdict: 'trueAlarms',
      because: 'it is older than the horizon but stands',
    },
    { alarms: [alarm(9, 9.5)], verdict: 'trueAlarms', because: 'the horizon reaches the failure' },
    { alarms: [alarm(7, 7.5)], verdict: 'falseAlarms', because: 'it was taken back long before' },
    { alarms: [alarm(10, 10.5)], verdict: 'falseAlarms', because: 'it came with the failure' },
    { alarms: [alarm(19, null)], verdict: 'pendingAlarms', because: 'its horizon is not over' },
  ])('an alarm is one of $verdict when $because', ({ alarms, verdict }) => {
    const judged = judgeAlarms(alarms, failures, 2 * HOUR_MS, at(20))
    expect(judged).toMatchObject({ trueAlarms: 0, falseAlarms: 0, pendingAlarms: 0, [verdict]: 1 })
  })

  test('the first alarm of a failure says how early it was foreseen', () => {
    const { leadMs } = judgeAlarms([alarm(9.5, null), alarm(9, 9.2)], failures, 2 * HOUR_MS, at(20))
    expect([...leadMs]).toEqual([[failed, HOUR_MS]])
  })

  test('the rule begins at .8 and ends below .64', () => {
    const rule = new ThresholdRule()
    const said = [0.5, 0.79, 0.8, 0.7, 0.65, 0.6, 0.9]
    for (const [hour, probability] of said.entries()) rule.take(N1, WEB, at(hour), probability)
    expect([...rule.alarms()]).toEqual([alarm(2, 5), alarm(6, null)])
  })
})

describe('what was done', () => {
  const line = (kind: JournalEntry['kind'], more: Partial<JournalEntry> = {}): JournalEntry => ({
    entryId: '1',
    atMs: 5,
    pool: WEB,
    kind,
    incidentId: 'i1' as IncidentId,
    commandId: null,
    node: N1,
    workload: null,
    rail: null,
    reasons: [],
    evidence: kind === 'incident-opened' ? [{ what: 'probability', value: 0.9, limit: 0.8 }] : [],
    ...more,
  })
  const command = (action: Command['action'], dryRun = false) =>
    ({ commandId: 'c1', action, dryRun }) as Command
  const decision = line('decision', { commandId: 'c1' as never, atMs: 7 })

  test.each([
    { because: 'its command was sent', orders: [command('cordon')], acted: 7, held: null },
    { because: 'it was a dry run', orders: [command('cordon', true)], acted: null, held: 7 },
    { because: 'it was kept back at the last moment', orders: [], acted: null, held: null },
  ])('acted at $acted, held at $held when $because', ({ orders, acted, held }) => {
    const deeds = new Deeds()
    for (const order of orders) deeds.takeCommand(order)
    for (const entry of [line('incident-opened'), decision]) deeds.takeJournal(entry)
    expect([...deeds.all()]).toMatchObject([{ actedAtMs: acted, heldAtMs: held }])
  })

  test('only a refusal by mode of what was foretold would have been done', () => {
    const deeds = new Deeds()
    deeds.takeJournal(line('incident-opened'))
    deeds.takeJournal(line('refusal', { rail: 'veto', atMs: 6 }))
    deeds.takeJournal(line('refusal', { rail: 'mode', atMs: 8 }))
    deeds.takeJournal(line('incident-opened', { evidence: [], incidentId: 'i2' as IncidentId }))
    deeds.takeJournal(line('refusal', { rail: 'mode', incidentId: 'i2' as IncidentId }))
    expect([...deeds.all()]).toMatchObject([{ actedAtMs: null, heldAtMs: 8 }])
    expect(deeds.refusals.get(WEB)).toEqual(
      new Map([
        ['veto', 1],
        ['mode', 2],
      ]),
    )
  })
})

describe('the whole', () => {
  const hour = (count: number) => WINDOW.fromMs + count * HOUR_MS
  const failed = (node: string, atMs: number, pool = WEB): Failure => ({
    node: node as NodeId,
    pool,
    kind: 'disk',
    atMs,
    backAtMs: null,
  })
  const deed = (node: string, times: { acted?: number; held?: number }, moved: number[] = []) => ({
    node: node as NodeId,
    pool: WEB,
    openedAtMs: times.acted ?? times.held!,
    actedAtMs: times.acted ?? null,
    heldAtMs: times.held ?? null,
    closedAtMs: null,
    movedAtMs: moved,
    rails: new Set<never>(),
  })
  const [a, b, c] = [failed('a', hour(10)), failed('b', hour(20)), failed('c', hour(30), DB)]
  const outages = new Outages()
  // Of b one workload is back after 10 minutes, another after 30; a was emptied in time.
  for (const [workload, minutes] of [
    ['w1', 10],
    ['w2', 30],
  ] as const) {
    outages.take(workload as WorkloadId, b.node, hour(1))
    outages.take(workload as WorkloadId, 'other' as NodeId, b.atMs + minutes * 60_000)
  }
  const failures = new Map([a, b, c].map((each) => [each.node, [each]] as const))
  const facts: ReportFacts = {
    window: WINDOW,
    lives: {
      failures,
      exposure: new Map([
        [WEB, { nodes: 50, nodeMs: 500 * DAY_MS }],
        [DB, { nodes: 10, nodeMs: 100 * DAY_MS }],
      ]),
      strangerFailureCount: 0,
    },
    deeds: [
      deed('a', { acted: hour(9.5) }, [hour(9.6), hour(9.7)]),
      deed('b', { held: hour(19) }),
      deed('well', { acted: hour(40) }, [hour(40.1)]),
    ],
    refusals: new Map(),
    ruleAlarms: [],
    outages: outages.byFailure(failures),
    horizonsMs: new Map([[WEB, HOUR_MS]]),
    policyOf: () => ({ mode: 'enforce', costs: { action: 2, failure: 10 } }),
  }
  const report = reportOf(facts)

  test('what was done, what was held back and what nobody saw are told apart', () => {
    const { nothing, asItRan, enforced } = report.whole.approaches
    expect([nothing.foreseen, asItRan.foreseen, enforced.foreseen]).toEqual([0, 1, 2])
    expect(asItRan).toMatchObject({ migrations: 2, falseMigrations: 1, missed: 2 })
    expect(asItRan.falsePer1000NodeDays.value).toBeCloseTo(1_000 / 600, 9)
    expect(report.whole).toMatchObject({
      failures: 3,
      isEnough: false,
      actedNodes: 2,
      heldNodes: 1,
    })
  })

  test('outages are counted by what interrupted workloads took to run again', () => {
    const { nothing, asItRan, enforced, threshold } = report.whole.approaches
    // Two that were moved would have taken 20 minutes each, as those of b did on average.
    expect(nothing.outageMinutes).toBe(10 + 30 + 2 * 20)
    expect(threshold.outageMinutes).toBe(80)
    expect(asItRan.outageMinutes).toBe(40)
    expect(enforced.outageMinutes).toBe(0)
    expect(report.whole.workloads).toMatchObject({ movedInTime: 2, movedInVain: 1, interrupted: 2 })
  })

  test('costs are those of what was done and of what was missed', () => {
    const { nothing, asItRan, enforced } = report.whole.approaches
    expect([nothing.cost, asItRan.cost, enforced.cost]).toEqual([30, 2 * 2 + 2 * 10, 3 * 2 + 10])
    expect(asItRan.saved).toBe(6)
  })

  test('a pool without costs leaves the whole without any', () => {
    const policyOf = (pool: PoolId) => ({
      mode: 'enforce' as const,
      costs: pool === WEB ? { action: 2, failure: 10 } : null,
    })
    const { whole, pools } = reportOf({ ...facts, policyOf })
    expect(whole.approaches.asItRan.cost).toBeNull()
    expect(pools.map(({ pool, approaches }) => [pool, approaches.nothing.cost])).toEqual([
      [DB, null],
      [WEB, 20],
    ])
  })
})
