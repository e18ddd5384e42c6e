import { describe, expect, test } from 'vitest'
import { Executor } from '../../../src/agent/executor.ts'
import type { Command, CommandAction, Precondition, Result } from '../../../src/core/command.ts'
import type { ActionStart, ActionState, ExecutorHooks } from '../../../src/core/executor.ts'
import type { IncidentId, NodeId, PoolId, WorkloadId } from '../../../src/core/ids.ts'
import type { Placement } from '../../../src/core/workload.ts'
import {
  bodies,
  commandRecord,
  createCommand,
  START_MS,
  TOPOLOGY,
} from '../../support/fleet-world.ts'

const NOW_MS = START_MS
const PLACEMENT: Placement = {
  workload: 'w1' as WorkloadId,
  node: 'n2' as NodeId,
  pool: 'europe' as PoolId,
  priority: 'NORMAL',
  needs: { cpu: 1, memoryBytes: 1, gpu: null },
  stateBytes: 1,
  dependsOn: [],
}

/** Records what was begun; each action takes its states one poll at a time. */
class ScriptedHooks implements ExecutorHooks {
  readonly begun: string[] = []
  script: ActionState[] = []
  refusal: string | null = null
  unmetDetail: string | null = null
  withdrawable = true

  migrate(command: Command): ActionStart {
    return this.begin(command)
  }
  recover(command: Command): ActionStart {
    return this.begin(command)
  }
  promote(command: Command): ActionStart {
    return this.begin(command)
  }
  fence(command: Command): ActionStart {
    return this.begin(command)
  }
  restart(command: Command): ActionStart {
    return this.begin(command)
  }
  replicate(command: Command): ActionStart {
    return this.begin(command)
  }
  cordon(command: Command): ActionStart {
    return this.begin(command)
  }
  uncordon(command: Command): ActionStart {
    return this.begin(command)
  }
  unmet(_precondition: Precondition): string | null {
    return this.unmetDetail
  }

  private begin(command: Command): ActionStart {
    this.begun.push(`${command.action} ${command.commandId}`)
    if (this.refusal !== null) return { ok: false, refused: this.refusal }
    const script = [...this.script]
    return {
      ok: true,
      action: {
        poll: () => script.shift() ?? { kind: 'running' },
        withdraw: () => this.withdrawable,
      },
    }
  }
}

function createExecutor(hooks: ExecutorHooks, commandsMax?: number): Executor {
  return new Executor({
    topology: TOPOLOGY,
    source: '/test',
    verify: (_bytes, signature) => signature === 'good',
    hooks,
    ...(commandsMax === undefined ? {} : { commandsMax }),
  })
}

function migrate(commandId: string, fields: Partial<Command> = {}): Command {
  const workload = 'w1' as WorkloadId
  return createCommand('migrate', commandId, { workload, target: 'n2' as NodeId, ...fields })
}

function results(outputs: Parameters<typeof bodies>[0]): readonly string[] {
  return bodies<Result>(outputs, 'results').map(({ state, detail }) =>
    detail === null ? state : `${state}: ${detail}`,
  )
}

describe('refusals', () => {
  test.each<{
    because: string
    command: Command
    headers: Readonly<Record<string, string>>
    detail: string
  }>([
    {
      because: 'nobody signed it',
      command: migrate('c1'),
      headers: {},
      detail: 'no signature',
    },
    {
      because: 'somebody else signed it',
      command: migrate('c1'),
      headers: { signature: 'bad' },
      detail: 'the signature does not match',
    },
    {
      because: 'a newer owner of the pool has spoken',
      command: migrate('c1', { epoch: 6 }),
      headers: { signature: 'good' },
      detail: 'stale: epoch 6, the newest in pool europe is 7',
    },
    {
      because: 'it is past its time',
      command: migrate('c1', { epoch: 7, expiresAtMs: NOW_MS - 5 }),
      headers: { signature: 'good' },
      detail: 'expired 5 ms ago',
    },
    {
      because: 'its time ends now',
      command: migrate('c1', { epoch: 7, expiresAtMs: NOW_MS }),
      headers: { signature: 'good' },
      detail: 'expired 0 ms ago',
    },
  ])('a command is rejected when $because', ({ command, headers, detail }) => {
    const hooks = new ScriptedHooks()
    const executor = createExecutor(hooks)
    executor.take(commandRecord(createCommand('cordon', 'c0', { epoch: 7 })), NOW_MS)
    const outputs = executor.take(commandRecord(command, headers), NOW_MS)
    expect(results(outputs)).toEqual([`rejected: ${detail}`])
    expect(hooks.begun).toEqual(['cordon c0'])
  })

  test('an epoch is judged within its pool', () => {
    const hooks = new ScriptedHooks()
    const executor = createExecutor(hooks)
    executor.take(commandRecord(createCommand('cordon', 'c0', { epoch: 7 })), NOW_MS)
    const other = createCommand('cordon', 'c1', { epoch: 1, pool: 'asia' as PoolId })
    expect(results(executor.take(commandRecord(other), NOW_MS))).toEqual(['accepted', 'started'])
  })

  test('an epoch is judged within a partition: others may be read sooner or later', () => {
    const hooks = new ScriptedHooks()
    const executor = createExecutor(hooks)
    executor.take(commandRecord(createCommand('cordon', 'c0', { epoch: 7 })), NOW_MS)
    const former = commandRecord(createCommand('cordon', 'c1', { epoch: 6 }))
    expect(results(executor.take({ ...former, partition: 1 }, NOW_MS))).toEqual([
      'accepted',
      'started',
    ])
    expect(executor.counts()).toMatchObject({ taken: 2, stale: 0 })
  })

  test('an unsigned command of a new epoch makes no signed one stale', () => {
    const hooks = new ScriptedHooks()
    const executor = createExecutor(hooks)
    executor.take(commandRecord(createCommand('cordon', 'c0', { epoch: 99 }), {}), NOW_MS)
    const outputs = executor.take(commandRecord(createCommand('cordon', 'c1')), NOW_MS)
    expect(results(outputs)).toEqual(['accepted', 'started'])
  })

  test('what its precondition or the hook refuses is rejected with that reason', () => {
    const hooks = new ScriptedHooks()
    const executor = createExecutor(hooks)
    hooks.unmetDetail = 'n1 is not fenced'
    const precondition: Precondition = { kind: 'fenced', node: 'n1' as NodeId }
    const unmet = executor.take(commandRecord(migrate('c1', { precondition })), NOW_MS)
    expect(results(unmet)).toEqual(['rejected: n1 is not fenced'])
    expect(hooks.begun).toEqual([])
    hooks.refusal = 'no room'
    const refused = executor.take(commandRecord(migrate('c2')), NOW_MS)
    expect(results(refused)).toEqual(['rejected: no room'])
  })

  test.each<[body: unknown, because: string]>([
    ['{', 'no JSON'],
    ['[]', 'an array'],
    [{ ...migrate('c1'), commandId: '' }, 'an empty id'],
    [{ ...migrate('c1'), action: 'explode' }, 'an unknown action'],
    [{ ...migrate('c1'), epoch: 'new' }, 'an epoch in text'],
    [{ ...migrate('c1'), target: null }, 'a move without a target'],
    [{ ...migrate('c1'), precondition: { kind: 'sunny' } }, 'an unknown precondition'],
    [createCommand('replicate', 'c1'), 'a replication of nothing'],
    [createCommand('replicate', 'c1', { replicas: [] }), 'of no object'],
    [{ ...createCommand('replicate', 'c1'), replicas: [{ object: 'o' }] }, 'from nobody'],
  ])('what cannot be read is counted and not answered: %j', (body) => {
    const hooks = new ScriptedHooks()
    const executor = createExecutor(hooks)
    expect(executor.take(commandRecord(body), NOW_MS)).toEqual([])
    expect(executor.counts().malformed).toBe(1)
    expect(hooks.begun).toEqual([])
  })
})

test('a replication names what is fetched, and from whom', () => {
  const hooks = new ScriptedHooks()
  const replicas = [{ object: 'o', version: '1', root: 'r', sources: ['n2' as NodeId] }]
  const command = createCommand('replicate', 'c1', { replicas })
  const outputs = createExecutor(hooks).take(commandRecord(command), NOW_MS)
  expect(results(outputs)).toEqual(['accepted', 'started'])
  expect(hooks.begun).toEqual(['replicate c1'])
})

test('a promotion is begun before its node is fenced: it waits for that by itself', () => {
  const hooks = new ScriptedHooks()
  hooks.unmetDetail = 'node n1 is not fenced'
  const executor = createExecutor(hooks)
  const more = { workload: 'w1' as WorkloadId, target: 'n2' as NodeId }
  const precondition = { kind: 'fenced', node: 'n1' as NodeId } as const
  for (const action of ['promote', 'recover'] as const) {
    executor.take(commandRecord(createCommand(action, action, { ...more, precondition })), NOW_MS)
  }
  expect(hooks.begun).toEqual(['promote promote'])
})

test('a dry run is accepted and nothing is done', () => {
  const hooks = new ScriptedHooks()
  const executor = createExecutor(hooks)
  const outputs = executor.take(commandRecord(migrate('c1', { dryRun: true })), NOW_MS)
  expect(results(outputs)).toEqual(['accepted: dry run: nothing is done'])
  expect(executor.advance(NOW_MS + 5_000)).toEqual([])
  expect(hooks.begun).toEqual([])
})

test.each<CommandAction>(['migrate', 'recover', 'fence', 'restart', 'cordon', 'uncordon'])(
  '%s runs its own hook through to verified',
  (action) => {
    const hooks = new ScriptedHooks()
    hooks.script = [
      { kind: 'running' },
      { kind: 'succeeded', placement: null },
      { kind: 'verified' },
    ]
    const executor = createExecutor(hooks)
    const command = { ...migrate('c1'), action }
    expect(results(executor.take(commandRecord(command), NOW_MS))).toEqual(['accepted', 'started'])
    expect(results(executor.advance(NOW_MS))).toEqual(['succeeded', 'verified'])
    expect(executor.advance(NOW_MS)).toEqual([])
    expect(hooks.begun).toEqual([`${action} c1`])
  },
)

test('the new placement is published before the command is verified', () => {
  const hooks = new ScriptedHooks()
  hooks.script = [{ kind: 'succeeded', placement: PLACEMENT }, { kind: 'verified' }]
  const outputs = createExecutor(hooks).take(commandRecord(migrate('c1')), NOW_MS)
  const order = outputs.map(({ topic, headers }) => `${topic} ${headers!['ce_type']}`)
  expect(order).toEqual([
    'foreshock.results foreshock.result.accepted',
    'foreshock.results foreshock.result.started',
    'foreshock.placements foreshock.placement.changed',
    'foreshock.results foreshock.result.succeeded',
    'foreshock.results foreshock.result.verified',
  ])
  expect(bodies<Placement>(outputs, 'placements')).toEqual([PLACEMENT])
  expect(outputs.map(({ key }) => key)).toEqual(['europe', 'europe', 'w1', 'europe', 'europe'])
})

test('a failure says why and is the end', () => {
  const hooks = new ScriptedHooks()
  hooks.script = [{ kind: 'failed', detail: 'the transfer broke off' }]
  const executor = createExecutor(hooks)
  const outputs = executor.take(commandRecord(migrate('c1')), NOW_MS)
  expect(results(outputs)).toEqual(['accepted', 'started', 'failed: the transfer broke off'])
  expect(executor.advance(NOW_MS)).toEqual([])
})

describe('repeated commands', () => {
  test('a repeat is answered with the state reached and done once', () => {
    const hooks = new ScriptedHooks()
    const executor = createExecutor(hooks)
    executor.take(commandRecord(migrate('c1')), NOW_MS)
    const repeat = executor.take(commandRecord(migrate('c1')), NOW_MS)
    expect(results(repeat)).toEqual(['started: repeated: carried out once'])
    expect(hooks.begun).toEqual(['migrate c1'])
  })

  test('a forged copy of a command that runs cannot end it', () => {
    const executor = createExecutor(new ScriptedHooks())
    executor.take(commandRecord(migrate('c1')), NOW_MS)
    expect(executor.take(commandRecord(migrate('c1'), {}), NOW_MS)).toEqual([])
    expect(executor.counts().unsigned).toBe(1)
  })

  test('memory is bounded: a new command is refused until an old one has expired', () => {
    const hooks = new ScriptedHooks()
    hooks.script = [{ kind: 'verified' }]
    const executor = createExecutor(hooks, 1)
    executor.take(commandRecord(migrate('c1')), NOW_MS)
    const full = executor.take(commandRecord(migrate('c2')), NOW_MS)
    expect(results(full)[0]).toMatch(/^rejected: the executor remembers 1 unexpired/)
    const laterMs = NOW_MS + 700_000
    const later = migrate('c3', { expiresAtMs: laterMs + 1 })
    expect(results(executor.take(commandRecord(later), laterMs))[0]).toBe('accepted')
  })
})

describe('cancel', () => {
  test('withdraws what runs for the incident and nothing else', () => {
    const executor = createExecutor(new ScriptedHooks())
    executor.take(commandRecord(migrate('c1')), NOW_MS)
    executor.take(commandRecord(migrate('c2', { incidentId: 'i2' as IncidentId })), NOW_MS)
    const outputs = executor.take(commandRecord(createCommand('cancel', 'c3')), NOW_MS)
    expect(bodies<Result>(outputs, 'results').map((r) => `${r.commandId} ${r.state}`)).toEqual([
      'c3 accepted',
      'c1 failed',
      'c3 succeeded',
      'c3 verified',
    ])
  })

  test('fails where it comes too late', () => {
    const hooks = new ScriptedHooks()
    hooks.withdrawable = false
    const executor = createExecutor(hooks)
    executor.take(commandRecord(migrate('c1')), NOW_MS)
    const outputs = executor.take(commandRecord(createCommand('cancel', 'c2')), NOW_MS)
    expect(results(outputs).at(-1)).toBe('failed: too late for 1 command(s), which go on')
  })
})

describe('another command for the same step', () => {
  const key = { idempotencyKey: 'i1.plan/migrate:w1/0' }
  const take = (executor: Executor, commandId: string, fields: Partial<Command> = {}) =>
    executor.take(commandRecord(migrate(commandId, { ...key, ...fields })), NOW_MS)
  const states = (outputs: Parameters<typeof bodies>[0]) =>
    bodies<Result>(outputs, 'results').map(({ commandId, state }) => `${commandId} ${state}`)

  test('begins nothing while the first runs: what becomes of it is told of the newer one', () => {
    const hooks = new ScriptedHooks()
    hooks.script = [
      { kind: 'running' },
      { kind: 'succeeded', placement: null },
      { kind: 'verified' },
    ]
    const executor = createExecutor(hooks)
    take(executor, 'c1')
    expect(states(take(executor, 'c2'))).toEqual(['c2 started'])
    expect(states(executor.advance(NOW_MS))).toEqual(['c2 succeeded', 'c2 verified'])
    expect(states(take(executor, 'c3'))).toEqual(['c3 verified'])
    expect(hooks.begun).toEqual(['migrate c1'])
    expect(executor.counts()).toMatchObject({ taken: 1, repeated: 2 })
  })

  test('is carried out where the first has failed, or the step was undone since', () => {
    const hooks = new ScriptedHooks()
    hooks.script = [{ kind: 'failed', detail: 'no route' }]
    const executor = createExecutor(hooks)
    take(executor, 'c1')
    hooks.script = [{ kind: 'succeeded', placement: null }, { kind: 'verified' }]
    take(executor, 'c2')
    take(executor, 'c3', { idempotencyKey: 'i1.plan/migrate:w1/1' })
    expect(hooks.begun).toEqual(['migrate c1', 'migrate c2', 'migrate c3'])
  })

  test('is forgotten with the command it belongs to', () => {
    const hooks = new ScriptedHooks()
    hooks.script = [{ kind: 'succeeded', placement: null }, { kind: 'verified' }]
    const executor = createExecutor(hooks, 1)
    take(executor, 'c1', { expiresAtMs: NOW_MS + 1 })
    const other = migrate('c2', { idempotencyKey: 'other', expiresAtMs: NOW_MS + 3 })
    executor.take(commandRecord(other), NOW_MS + 2)
    executor.take(commandRecord(migrate('c3', key)), NOW_MS + 4)
    expect(hooks.begun).toEqual(['migrate c1', 'migrate c2', 'migrate c3'])
  })
})
