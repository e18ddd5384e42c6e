// Goal: a file is taken whole or not at all, what needs a restart is named, and what the log takes is what
// ingest makes of it.
import { beforeEach, describe, expect, test } from 'vitest'
import { ConfigReload } from '../../../src/commands/config-reload.ts'
import { loadKeyedConfig } from '../../../src/config/runtime.ts'
import type { Output } from '../../../src/core/bus.ts'
import { toBytes } from '../../../src/core/bytes.ts'
import type { ConfigControl, ConfigFigures } from '../../../src/core/runtime-config.ts'
import { decodeControl } from '../../../src/ingest/controls.ts'
import { TOPOLOGY } from '../../support/console.ts'
import { textOf } from '../../support/output.ts'

let file = ''
let said: ConfigFigures['said'] = null
let produced: Output[] = []

beforeEach(() => {
  file = '[policy]\nbudget = 0.1'
  said = null
  produced = []
})

const load = () => loadKeyedConfig({ text: file, file: 'foreshock.toml', env: {} })

function reloadOf(): ConfigReload {
  return new ConfigReload({
    topology: TOPOLOGY,
    load,
    started: load(),
    said: () => said,
    produce: async (outputs) => {
      produced.push(...outputs)
      said = JSON.parse(textOf(outputs[0].value)) as ConfigControl
    },
  })
}

describe('a file', () => {
  test('that changes what may change becomes a control, which ingest takes as it is', async () => {
    const reload = reloadOf()
    file =
      '[policy]\nbudget = 0.3\n[pools.web]\nmode = "enforce"\ndetectors.threshold.enabled = false'
    const { version, changes } = await reload.reload('ada', 'more room')
    expect(changes).toEqual([
      { key: 'policy.budget', from: '0.1', to: '0.3' },
      { key: 'pools.web.detectors.threshold.enabled', from: null, to: 'false' },
      { key: 'pools.web.mode', from: null, to: '"enforce"' },
    ])
    const [{ topic, partition, value }] = produced
    expect({ topic, partition }).toEqual({ topic: 'test.controls', partition: 0 })
    const sent = JSON.parse(textOf(value)) as ConfigControl
    expect(decodeControl(toBytes(textOf(value)))).toEqual({ ok: true, value: sent })
    expect(sent).toMatchObject({ version, by: 'ada', reason: 'more room' })
    expect(sent.settings.policy.budgetRatio).toBe(0.3)
    expect(reload.keys()).toMatchObject({ 'policy.budget': '0.3', 'http.port': '8080' })
  })

  test('that says what is in force says nothing, and one that goes back is a change again', async () => {
    const reload = reloadOf()
    expect(await reload.reload('ada', 'r')).toMatchObject({ changes: [] })
    file = '[policy]\nbudget = 0.3'
    await reload.reload('ada', 'r')
    // The log is ahead of what this process was started with because it was asked to.
    expect(reload.differs()).toBe(false)
    expect((await reload.reload('ada', 'r')).changes).toEqual([])
    file = '[policy]\nbudget = 0.1'
    expect(reloadOf().differs(), 'started with another file than the log has').toBe(true)
    expect((await reload.reload('ada', 'r')).changes).toEqual([
      { key: 'policy.budget', from: '0.3', to: '0.1' },
    ])
    expect(produced).toHaveLength(2)
    expect(reload.differs()).toBe(false)
  })

  test('names what of it is not taken back by itself, and why, whatever table it is of', async () => {
    const reload = reloadOf()
    file = `[policy]
budget = 0.3
[promotion]
automatic = false
hold_out_ratio = 0.01
[drift]
stability_max = 0.5
[alerts]
repeat = "3h"
[reload]
worse_min = 3
`
    const { changes, unwatched } = await reload.reload('ada', 'r')
    const named = changes.map(({ key }) => key).filter((key) => key !== 'policy.budget')
    expect(named).toHaveLength(5)
    // Each of them for a reason of its own.
    expect(new Set(unwatched.map(({ because }) => because)).size).toBe(5)
    expect(unwatched.map(({ key }) => key)).toEqual(named)
    for (const { because } of unwatched) expect(because).not.toBe('')
    expect((await reload.reload('ada', 'r')).unwatched).toEqual([])
  })

  test.each([
    { text: '[policy]\nbudget = 2', told: 'foreshock.toml: `policy.budget`' },
    { text: '[policy]\nbudgett = 0.2', told: 'did you mean `policy.budget`?' },
    { text: '[policy', told: 'foreshock.toml: line 1' },
    {
      text: '[policy]\nbudget = 0.2\n[http]\nport = 1',
      told: '`http.port`: needs a restart; nothing was changed',
    },
    {
      text: '[drift]\nwindow = "12h"\n[promotion]\nmoved_labels = "down-weight"',
      told: '`drift.window`, `promotion.moved_labels`: needs a restart',
    },
  ])('with $told changes nothing', async ({ text, told }) => {
    const reload = reloadOf()
    file = text
    await expect(reload.reload('ada', 'r')).rejects.toThrow(told)
    expect(produced).toEqual([])
    file = '[policy]\nbudget = 0.2'
    await expect(reload.reload('ada', 'r')).resolves.toMatchObject({ changes: [{ to: '0.2' }] })
  })
})

test.each([
  { what: 'version', with: '' },
  { what: 'settings.policy.mode', with: 'reckless' },
  { what: 'settings.policy.budgetRatio', with: 2 },
  { what: 'settings.alerts.pagesPerMinute', with: 0 },
  { what: 'reason', with: ' ' },
])('a control whose $what is $with becomes a dead letter that names it', async (wrong) => {
  const reload = reloadOf()
  file = '[policy]\nbudget = 0.3'
  await reload.reload('ada', 'r')
  const body = JSON.parse(textOf(produced[0].value)) as Record<string, unknown>
  const path = wrong.what.split('.')
  let at = body
  for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>
  at[path.at(-1)!] = wrong.with
  const decoded = decodeControl(toBytes(JSON.stringify(body)))
  expect(decoded).toMatchObject({ ok: false, detail: expect.stringContaining(wrong.what) })
})
