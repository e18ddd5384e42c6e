// Goal: a plan goes in the order that its workloads ask for, ends, says how, and leaves nothing behind.
import { describe, expect, test } from 'vitest'
import type { Command, JournalEntry } from '../../../src/core/command.ts'
import type { NodeId, WorkloadId } from '../../../src/core/ids.ts'
import type { Placement } from '../../../src/core/workload.ts'
import { asText, CoordinatorWorld, type WorldOptions } from '../../support/coordinator-world.ts'

type Workloads = Readonly<Record<string, Partial<Placement>>>

function on(workloads: Workloads, options?: WorldOptions): CoordinatorWorld {
  const world = new CoordinatorWorld(options)
  world.joinMany(6)
  for (const [workload, more] of Object.entries(workloads)) world.place(workload, 'n0', more)
  return world
}

const needs = (...workloads: string[]) => ({ dependsOn: workloads as WorkloadId[] })
const started = (world: CoordinatorWorld, action: Command['action'] = 'recover') =>
  world.commands(action).map(({ workload }) => workload)

function fenced(workloads: Workloads, options?: WorldOptions): CoordinatorWorld {
  const world = on(workloads, options)
  world.fail('n0')
  world.carryOut(world.commands('fence')[0])
  return world
}

/** Carries out what was sent last for each workload and not answered yet, until nothing more comes. */
function carryOutAll(world: CoordinatorWorld): void {
  for (let at = 0; at < world.commands().length; at++) world.carryOut(world.commands()[at])
}

const said = (entry: JournalEntry | undefined, name: string) =>
  entry?.evidence.find(({ what }) => what === name)?.value
const ends = (world: CoordinatorWorld) =>
  world.journal('plan').filter((entry) => said(entry, 'plan') === 'ended')
const outcomes = (world: CoordinatorWorld) =>
  ends(world).map((entry) => `${said(entry, 'strategy')} ${said(entry, 'outcome')}`)

describe('what depends on others', () => {
  const CHAIN: Workloads = {
    web: { ...needs('api'), priority: 'CRITICAL' },
    api: { ...needs('db'), priority: 'HIGH' },
    db: { priority: 'LOW' },
    batch: { priority: 'NORMAL' },
  }

  test('starts after them, each once the one before is verified; what is free goes at once', () => {
    const world = fenced(CHAIN)
    expect(started(world)).toEqual(['batch', 'db'])
    const [, db] = world.commands('recover')
    world.result(db, 'started')
    world.place('db', db.target, { priority: 'LOW' })
    world.result(db, 'succeeded')
    expect(started(world)).toEqual(['batch', 'db'])
    world.result(db, 'verified')
    expect(started(world)).toEqual(['batch', 'db', 'api'])
    carryOutAll(world)
    expect(started(world)).toEqual(['batch', 'db', 'api', 'web'])
    expect(outcomes(world)).toEqual(['fail-over done'])
  })

  test('moves after them before a failure as well', () => {
    const world = on({ web: needs('db'), db: {} })
    world.risky('n0')
    expect(world.commands().map(({ stepId }) => stepId)).toEqual(['cordon', 'migrate:db'])
    carryOutAll(world)
    expect(started(world, 'migrate')).toEqual(['db', 'web'])
    expect(outcomes(world)).toEqual(['migrate done'])
  })

  test('does not wait for what runs elsewhere', () => {
    const world = on({ web: needs('db') })
    world.place('db', 'n1')
    world.fail('n0')
    world.carryOut(world.commands('fence')[0])
    expect(started(world)).toEqual(['web'])
  })

  test('is not held up for ever: by what is given up, or takes too long', () => {
    const givenUp = fenced({ web: needs('db'), db: {} }, { policy: { attemptsMax: 1 } })
    expect(started(givenUp)).toEqual(['db'])
    givenUp.result(givenUp.commands('recover')[0], 'failed')
    expect(started(givenUp)).toEqual(['db', 'web'])
    const slow = fenced({ web: needs('db'), db: {} }, { policy: { commandTtlMs: 10_000 } })
    const [db] = slow.commands('recover')
    for (let s = 0; s < 29; s++) {
      slow.after(1_000)
      slow.result(db, 'progress')
    }
    expect(started(slow)).toEqual(['db'])
    slow.after(1_000)
    expect(started(slow)).toEqual(['db', 'web'])
  })

  test('in a circle: the least urgent is not waited for, and people are told', () => {
    const world = fenced({
      a: { ...needs('b'), priority: 'CRITICAL' },
      b: { ...needs('c'), priority: 'LOW' },
      c: { ...needs('a'), priority: 'HIGH' },
    })
    carryOutAll(world)
    expect(started(world)).toEqual(['a', 'c', 'b'])
    const told = world.journal('plan').filter((entry) => said(entry, 'plan') === 'circle')
    expect(told.map(({ reasons }) => reasons.join(' '))).toEqual([
      'Workloads depend on each other in a circle: a → b → c → a. a does not wait for b, the least urgent of them.',
    ])
    expect(outcomes(world)).toEqual(['fail-over done'])
  })
})

describe('the journal', () => {
  test('has the plan, then each decision, before its command', () => {
    const world = fenced({ web: needs('db'), db: {} })
    carryOutAll(world)
    const seen = new Set<string>()
    for (const { topic, value } of world.outputs) {
      if (topic !== 't.journal' && !topic.startsWith('t.commands.')) continue
      const body = JSON.parse(
        typeof value === 'string' ? value : new TextDecoder().decode(value!),
      ) as JournalEntry | Command
      if ('entryId' in body) {
        if (body.kind === 'plan') seen.add('plan')
        else if (body.kind === 'decision') seen.add(body.commandId!)
      } else {
        expect(seen.has('plan')).toBe(true)
        expect(seen.has(body.commandId), `${body.commandId} is journaled first`).toBe(true)
      }
    }
    expect(world.journal('plan')[0].reasons).toEqual([
      'The plan has 3 steps: fence, recover:db, recover:web.',
      'Step recover:web comes after recover:db.',
    ])
  })

  test('says how a plan ended, after how long, with how many steps', () => {
    const world = on({ w: {} })
    world.risky('n0')
    world.after(12_000)
    carryOutAll(world)
    const [end] = ends(world)
    expect(end.reasons).toEqual([
      'The plan to migrate the work of node n0 is done: 2 of 2 steps in 12s.',
    ])
    const figures = ['durationMs', 'steps', 'stepsDone', 'stepsTakenBack'].map((name) =>
      said(end, name),
    )
    expect(figures).toEqual([12_000, 2, 2, 0])
  })

  test('a dry run is rehearsed, and a plan whose reason goes away is needless', () => {
    const dry = on({ w: {} }, { policy: { dryRun: true } })
    dry.risky('n0')
    for (const command of dry.commands()) dry.result(command, 'accepted')
    expect(outcomes(dry)).toEqual(['migrate rehearsed'])
    const world = on({ w: {} })
    world.risky('n0')
    world.risky('n0', 0.1)
    expect(outcomes(world)).toEqual(['migrate needless'])
  })

  test('a plan gives way to that of the graver cause', () => {
    const world = on({ w: {} })
    world.risky('n0')
    world.silent('n0')
    expect(outcomes(world)).toEqual(['migrate superseded'])
    world.fail('n0')
    world.carryOut(world.commands('fence')[0])
    carryOutAll(world)
    expect(outcomes(world)).toEqual(['migrate superseded', 'fail-over done'])
  })
})

describe('a plan that cannot be finished', () => {
  const fail = (world: CoordinatorWorld) => {
    for (let at = 0; at < world.commands().length; at++) {
      const command = world.commands()[at]
      if (command.action === 'migrate') world.result(command, 'failed', 'no route')
      else world.carryOut(command)
    }
  }

  test('is taken back: the node whose work did not move takes work again, being well', () => {
    const world = on({ w: {} })
    world.risky('n0')
    fail(world)
    expect(world.commands().map(({ action }) => action)).toEqual([
      'cordon',
      ...Array<string>(3).fill('migrate'),
      'uncordon',
    ])
    expect(world.node('n0')).toMatchObject({ cordoned: false, alarming: true })
    expect(outcomes(world)).toEqual(['migrate failed'])
    expect(said(ends(world)[0], 'stepsTakenBack')).toBe(1)
    expect(world.railFigures().budgetNodes).toBe(0)
    world.after(60_000)
    expect(world.commands()).toHaveLength(5)
    // It is let back already, as a whole: it does not return in part when its alarm is cleared.
    world.assess('n0', { probability: 0.01 })
    expect(world.journal('incident-closed')).toHaveLength(1)
    expect(world.commands()).toHaveLength(5)
  })

  test('stays where some of its work has moved', () => {
    const world = on({ v: {}, w: {} })
    world.risky('n0')
    const [cordon, v] = world.commands()
    world.carryOut(cordon)
    world.carryOut(v)
    fail(world)
    expect(world.commands('uncordon')).toEqual([])
    expect(world.node('n0')).toMatchObject({ cordoned: true })
    expect(outcomes(world)).toEqual(['migrate failed'])
  })

  test.each<{ what: string; halt: (world: CoordinatorWorld, on: boolean) => void }>([
    { what: 'a stop', halt: (world, stopped) => world.control({ kind: 'stop', stopped }) },
    {
      what: 'a veto',
      halt: (world, veto) => world.control({ kind: 'veto', node: 'n0' as NodeId, veto }),
    },
    {
      what: 'a mode',
      halt: (world, observe) =>
        world.control({ kind: 'mode', mode: observe ? 'observe' : 'enforce' }),
    },
  ])('by $what is taken back, and goes on when it may', ({ halt }) => {
    const world = on({ w: {} })
    world.risky('n0')
    const [cordon, move] = world.commands()
    world.carryOut(cordon)
    halt(world, true)
    world.carryOut(world.commands('cancel')[0])
    world.result(move, 'failed', 'withdrawn')
    world.carryOut(world.commands('uncordon')[0])
    expect(outcomes(world)).toEqual(['migrate halted'])
    expect(world.node('n0')).toMatchObject({ cordoned: false })
    halt(world, false)
    expect(
      world
        .commands()
        .slice(4)
        .map(({ stepId }) => stepId),
    ).toEqual(['cordon', 'migrate:w'])
    for (const command of world.commands().slice(4)) world.carryOut(command)
    expect(outcomes(world)).toEqual(['migrate halted', 'migrate done'])
  })

  test.each(['started', 'succeeded'] as const)(
    'for its target is gone goes to another: with a move that is %s',
    (state) => {
      const world = fenced({ w: {} })
      const [move] = world.commands('recover')
      world.result(move, state)
      world.fail(move.target!)
      expect(world.commands('cancel')).toHaveLength(state === 'started' ? 1 : 0)
      world.result(move, 'failed', 'its target went down')
      const [, next] = world.commands('recover')
      expect(next.workload).toBe('w')
      expect([next.target === move.target, next.target === 'n0']).toEqual([false, false])
      world.carryOut(next)
      expect(outcomes(world)).toContain('fail-over done')
    },
  )

  test('after a failure leaves the fence: its work may run elsewhere', () => {
    const world = fenced({ w: {} }, { policy: { attemptsMax: 2 } })
    for (const attempt of [0, 1]) world.result(world.commands('recover')[attempt], 'failed')
    expect(outcomes(world)).toEqual(['fail-over failed'])
    expect(world.commands('uncordon')).toEqual([])
  })
})

describe('a workload with a standby', () => {
  const warm = { w: { standby: 'n1' as NodeId } }

  test('goes on there: its promotion is sent beside the fence, and takes effect after it', () => {
    const world = on(warm)
    world.fail('n0')
    expect(world.commands().map(({ action }) => action)).toEqual(['fence', 'promote'])
    world.carryOut(world.commands('fence')[0])
    const [promote] = world.commands('promote')
    expect(promote).toMatchObject({ stepId: 'recover:w', workload: 'w', target: 'n1' })
    expect(promote.precondition).toEqual({ kind: 'fenced', node: 'n0' })
    expect(world.commands('recover')).toEqual([])
    world.carryOut(promote)
    expect(outcomes(world)).toEqual(['fail-over done'])
  })

  test.each<{ what: string; spoil: (world: CoordinatorWorld) => void }>([
    { what: 'is silent', spoil: (world) => world.silent('n1') },
    { what: 'is expected to fail', spoil: (world) => world.risky('n1') },
    { what: 'is not known', spoil: (world) => world.place('w', 'n0', { standby: 'x' as NodeId }) },
    { what: 'is there no more', spoil: (world) => world.place('w', 'n0', { standby: null }) },
  ])('is recovered like any other where it $what', ({ spoil }) => {
    const world = on(warm, { policy: { budgetRatio: 1 } })
    spoil(world)
    world.fail('n0')
    world.carryOut(world.commands('fence').find(({ node }) => node === 'n0')!)
    expect(world.commands('promote')).toEqual([])
    expect(started(world)).toContain('w')
  })

  test('is recovered like any other once its standby has failed to take over', () => {
    const world = fenced(warm)
    const [promote] = world.commands('promote')
    world.result(promote, 'rejected', 'it is not warm')
    const [recover] = world.commands('recover')
    expect(recover).toMatchObject({ stepId: 'recover:w', workload: 'w' })
    expect(recover.idempotencyKey).toBe(promote.idempotencyKey)
    world.carryOut(recover)
    expect(outcomes(world)).toEqual(['fail-over done'])
  })

  test('has its room kept: nothing else is moved into it', () => {
    const world = new CoordinatorWorld({ policy: { targetLoadMaxRatio: 1 } })
    world.joinMany(3)
    const large = { needs: { cpu: 10, memoryBytes: 1e9, gpu: null } }
    world.place('w', 'n0', { ...large, standby: 'n1' as NodeId })
    world.place('v', 'n2', large)
    world.fail('n2')
    world.carryOut(world.commands('fence')[0])
    expect(world.commands('recover')).toEqual([])
    expect(world.rails()).toEqual(['capacity'])
    world.place('w', 'n0', large)
    expect(world.commands('recover')[0]).toMatchObject({ workload: 'v', target: 'n1' })
  })
})

test('each try of a step has the same key, and a step that was undone another one', () => {
  const world = on({ w: {} })
  world.risky('n0')
  const keys = () => world.commands('migrate').map(({ idempotencyKey }) => idempotencyKey)
  world.result(world.commands('migrate')[0], 'failed')
  expect(new Set(keys()).size).toBe(1)
  world.carryOut(world.commands('migrate')[1])
  world.place('w', 'n0')
  expect(keys()).toHaveLength(3)
  expect(new Set(keys()).size).toBe(2)
})

test('an owner that folds the log again goes on at the step where the plan was', () => {
  const workloads = { web: needs('db'), db: {} }
  for (let answered = 0; answered < 3; answered++) {
    const world = fenced(workloads)
    for (let at = 1; at <= answered; at++) world.carryOut(world.commands()[at])
    expect(asText(world.refold())).toEqual(asText(world.outputs))
    const next = world.successor({})
    const before = next.commands().length
    for (let at = answered + 1; at < next.commands().length; at++)
      next.carryOut(next.commands()[at])
    expect(next.commands().slice(0, before)).toEqual(world.commands())
    expect(started(next)).toEqual(['db', 'web'])
    expect(outcomes(next)).toEqual(['fail-over done'])
  }
})

test('what waits for people is done in order all the same', () => {
  const world = on({ web: needs('db'), db: {} }, { policy: { mode: 'approve', cooldownMs: 0 } })
  world.risky('n0')
  world.after(10 * world.policy.commandTtlMs)
  const [{ incidentId }] = world.journal('incident-opened')
  world.control({ kind: 'approval', incident: incidentId!, approved: true })
  expect(started(world, 'migrate')).toEqual(['db'])
})

test('a plan that is begun is finished before the like of it takes its place in the budget', () => {
  const world = new CoordinatorWorld()
  world.joinMany(4)
  for (const node of ['n0', 'n1']) world.place(`w-${node}`, node)
  world.risky('n0', 0.1)
  world.risky('n1', 0.3)
  world.silent('n0')
  world.silent('n1')
  expect(world.commands('fence').map(({ node }) => node)).toEqual(['n0'])
  world.carryOut(world.commands('fence')[0])
  expect(world.commands('recover').map(({ workload }) => workload)).toEqual(['w-n0'])
  expect(world.commands('fence')).toHaveLength(1)
  world.carryOut(world.commands('recover')[0])
  expect(world.commands('fence').map(({ node }) => node)).toEqual(['n0', 'n1'])
})
