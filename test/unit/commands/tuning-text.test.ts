// Goal: what is told of a tuning is what was measured, and the file of what was adopted is a configuration.
// Method: costs of worlds by a formula in place of simulated ones.
import { expect, test } from 'vitest'
import { tuningReport, tuningText } from '../../../src/commands/tuning-text.ts'
import { loadConfig } from '../../../src/config/config.ts'
import { KNOBS, type Values } from '../../../src/simulate/tuning/knobs.ts'
import { tunePolicy, type TuneOptions } from '../../../src/simulate/tuning/tune.ts'

const KEY = 'policy.detectors.peer_sight.misses_min'
const FREE = { actions: 0, harm: 0, falseAlarms: 0, misses: 0 }
const COMMAND = 'foreshock tune-policy --seed 3'

function options(costOf: (values: Values) => number, brokenAt?: 'search' | 'judgement') {
  const knob = KNOBS.find(({ key }) => key === KEY)!
  const live: TuneOptions['live'] = (part) => async (trials) =>
    trials.map(({ candidate: { id, values } }) => ({
      price: { ...FREE, downtime: 100 * costOf(values) },
      broken: part === brokenAt && id > 0 ? 'a node is lost' : null,
    }))
  const sizes = { worldsMax: 30, judgedCount: 6, seed: 3 }
  return { table: {}, knobs: [{ ...knob, low: 2, high: 3 }], scenarios: ['storm'], ...sizes, live }
}

async function told(...of: Parameters<typeof options>) {
  const asked = options(...of)
  return tuningReport(await tunePolicy(asked), asked, COMMAND)
}

const saving = (saved: number) => (values: Values) => (KEY in values ? 1 - saved : 1)

test('what saves enough is a file of the changed keys, with seeds, gain and interval at its head', async () => {
  const report = await told(saving(0.25))
  expect(report).toMatchObject({
    adopted: true,
    changes: [{ key: KEY, from: '2', to: '3' }],
    cost: { unchanged: { total: 600 }, tuned: { total: 450 } },
    judgedSeeds: [70_000, 70_005],
    refused: [],
  })
  const toml = report.toml!
  expect(loadConfig({ text: toml, env: {} }).policy.detectors).toEqual({
    'peer-sight': { missesMin: 3 },
  })
  expect(toml.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([
    '[policy.detectors.peer_sight]',
    'misses_min = 3',
  ])
  for (const part of [
    '25.0 % less',
    '25.0 % to 25.0 %',
    '70000 to 70005',
    '60000 to 60008',
    COMMAND,
  ]) {
    expect(toml).toContain(part)
  }
  expect(tuningText(report, undefined)).toContain(toml.trimEnd())
  expect(tuningText(report, 'tuned.toml')).toMatch(
    /^adopted: 25.0 % less cost[^]*\nwritten to tuned.toml\n$/,
  )
})

test('what saves too little stays out, and its gain is told', async () => {
  const report = await told(saving(0.19))
  expect(report).toMatchObject({
    adopted: false,
    toml: null,
    gainRatio: expect.closeTo(0.19) as number,
  })
  const text = tuningText(report, 'tuned.toml')
  expect(text).toMatch(/^defaults stay: 20.0 % is asked for; 1 changed keys gave 19.0 % less cost/)
  expect(text).toContain(`${KEY}: 2 → 3`)
  expect(text).not.toContain('written')
})

test('where nothing is better that is told', async () => {
  const report = await told(saving(-1))
  expect(report).toMatchObject({ adopted: false, gainRatio: null, changes: [], cost: null })
  expect(tuningText(report, undefined)).toMatch(/^defaults stay: none did better in the search/)
})

test.each(['search', 'judgement'] as const)(
  'a promise that is broken in the %s is told',
  async (part) => {
    const report = await told(saving(0.5), part)
    expect(report.adopted).toBe(false)
    expect(report.refused[0]).toMatchObject({
      changes: [{ key: KEY }],
      scenario: 'storm',
      what: 'a node is lost',
    })
    expect(tuningText(report, undefined)).toMatch(
      /\nrefused: .*misses_min = 3: a node is lost \(storm, seed \d+\)\n/,
    )
  },
)
