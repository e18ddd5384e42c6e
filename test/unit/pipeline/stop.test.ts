import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Output } from '../../../src/core/bus.ts'
import { cloudEventOutput } from '../../../src/core/cloudevent.ts'
import { type CommandAction, commandTopic } from '../../../src/core/command.ts'
import type { Topology } from '../../../src/core/topics.ts'
import { STOP_FILE, StopSwitch } from '../../../src/pipeline/stop.ts'
import { textOf } from '../../support/output.ts'

const topology: Topology = {
  prefix: 'x.',
  nodePartitions: 4,
  poolPartitions: 2,
  clock: 'arrival',
  retentionMs: 1e9,
}

const command = (action: CommandAction): Output =>
  cloudEventOutput(
    `x.${commandTopic(action)}`,
    1,
    {
      type: `foreshock.command.${action}`,
      source: 's',
      id: `id-${action}`,
      subject: 'n1',
      atMs: 0,
    },
    {},
  )
const journal: Output = { topic: 'x.journal', partition: 0, key: null, value: 'why' }

describe('the out-of-band stop', () => {
  let directory = ''
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'stop-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  test('lets everything pass while nothing says stop', () => {
    const outputs = [command('migrate'), journal]
    expect(new StopSwitch(topology, directory).guard(1, outputs)).toBe(outputs)
  })

  test('the file holds commands back, and the pool-log is told which and why', () => {
    writeFileSync(join(directory, STOP_FILE), '')
    const kept = new StopSwitch(topology, directory).guard(1, [
      command('migrate'),
      journal,
      command('recover'),
      command('fence'),
    ])
    expect(kept.slice(0, -1)).toEqual([journal])
    const told = kept.at(-1)!
    expect([told.topic, told.partition, told.headers]).toEqual([
      'x.pool-log',
      1,
      { kind: 'withheld' },
    ])
    expect(JSON.parse(textOf(told.value))).toEqual({
      commandIds: ['id-migrate', 'id-recover', 'id-fence'],
      reason: 'the file STOP is in the state directory',
    })
  })

  test('what only undoes passes: recovery works while everything is stopped', () => {
    writeFileSync(join(directory, STOP_FILE), '')
    const outputs = [command('uncordon'), command('cancel'), journal]
    expect(new StopSwitch(topology, directory).guard(0, outputs)).toBe(outputs)
  })
})
