import { expect, test } from 'vitest'
import {
  loadNodeClass,
  loadNodeClasses,
  nodeClassNamed,
  parseNodeClass,
} from '../../../src/config/node-classes.ts'

const sound = `
name = "toaster"
half_lives = ["1m", "10m", "1h"]
heartbeat_interval = "off"
detection_window = "30s"
prediction_interval = "60s"
grid_origin = "epoch"
[[metrics]]
name = "heat"
unit = "Cel"
kind = "gauge"
[[attributes]]
name = "model"
label = "model"
kind = "category"
values = ["two-slot", "four-slot"]
`

test('a class is read, and what is left out is null', () => {
  expect(parseNodeClass(sound, 'toaster.toml')).toEqual({
    name: 'toaster',
    metrics: [
      {
        name: 'heat',
        unit: 'Cel',
        kind: 'gauge',
        min: null,
        max: null,
        health: null,
        peers: false,
      },
    ],
    attributes: [
      {
        name: 'model',
        label: 'model',
        kind: 'category',
        values: ['two-slot', 'four-slot'],
        error: null,
      },
    ],
    halfLivesMs: [60_000, 600_000, 3_600_000],
    heartbeatIntervalMs: null,
    detectionWindowMs: 30_000,
    predictionIntervalMs: 60_000,
    gridOrigin: 'epoch',
  })
})

test('the classes that come with the package are sound', () => {
  const classes = loadNodeClasses('node-classes')
  expect([...classes.keys()]).toEqual(['drive', 'machine', 'server', 'turbofan'])
  const server = loadNodeClass('node-classes', 'server')
  expect(server).toMatchObject({ heartbeatIntervalMs: 5_000, detectionWindowMs: 30_000 })
  expect(server.metrics).toHaveLength(16)
  expect(new Set(server.metrics.flatMap(({ health }) => health?.part ?? []))).toEqual(
    new Set(['network', 'uptime', 'resources', 'trust']),
  )
  const drive = loadNodeClass('node-classes', 'drive')
  expect(drive).toMatchObject({ heartbeatIntervalMs: null, gridOrigin: 'first-sample' })
  expect(drive.metrics.map(({ name }) => name)).toEqual(
    [5, 10, 12, 187, 188, 189, 196, 197, 198].map((id) => `smart_${id}`),
  )
  const models = drive.attributes.find(({ name }) => name === 'model')?.values ?? []
  expect(new Set(models).size).toBe(models.length)
})

test('an unknown class is refused with those there are', () => {
  const classes = loadNodeClasses('node-classes')
  expect(() => nodeClassNamed(classes, 'drives')).toThrow(
    expect.objectContaining({
      code: 'NODE_CLASS_UNKNOWN',
      message:
        'unknown node class "drives"; did you mean "drive"? (known: drive, machine, server, turbofan)',
    }),
  )
})

const f = 'toaster.toml'
test.each([
  {
    from: 'kind = "gauge"',
    to: 'kind = "gage"',
    message: `${f}: \`metrics.0.kind\`: Invalid option: expected one of "gauge"|"counter"|"code"|"signal"`,
  },
  {
    from: 'unit = "Cel"',
    to: 'unit = "Cel"\nunits = "Cel"',
    message: `${f}: unknown key \`metrics.0.units\`; did you mean \`metrics.0.unit\`?`,
  },
  {
    from: '"heat"',
    to: '"at"',
    message: `${f}: metric "at": the name is that of a column of every sample`,
  },
  {
    from: '"heat"',
    to: '"Heat!"',
    message: `${f}: \`metrics.0.name\`: expected 1 to 64 of a-z, 0-9, _ and -, beginning with a letter`,
  },
  {
    from: 'kind = "gauge"',
    to: 'kind = "gauge"\npeers = true',
    message: `${f}: metric "heat": \`peers\` needs \`min\` and \`max\`, between which values are binned`,
  },
  {
    from: 'kind = "gauge"',
    to: 'kind = "gauge"\nmin = 3\nmax = 3',
    message: `${f}: metric "heat": \`min\` must be below \`max\``,
  },
  {
    from: 'kind = "gauge"',
    to: 'kind = "gauge"\nhealth = { part = "trust", good = 1, bad = 1 }',
    message: `${f}: metric "heat": \`health.good\` and \`health.bad\` must differ`,
  },
  {
    from: 'kind = "gauge"',
    to: 'kind = "gauge"\n[[metrics]]\nname = "heat"\nunit = "K"\nkind = "code"',
    message: `${f}: \`metrics\`: "heat" appears twice`,
  },
  {
    from: '[[metrics]]',
    to: '[[attributes]]\nname = "size"\nlabel = "size"\nkind = "number"\nerror = "E1"\n[[metrics]]',
    message: `${f}: attribute "size": \`error\` belongs to kind "since"`,
  },
  {
    from: '"10m"',
    to: '"2h"',
    message: `${f}: \`half_lives\`: must rise, such as ["1m", "10m", "1h"]`,
  },
  {
    from: 'kind = "category"',
    to: 'kind = "number"',
    message: `${f}: attribute "model": \`values\` belong to kind "category", and only there`,
  },
])('$to is refused with: $message', ({ from, to, message }) => {
  expect(() => parseNodeClass(sound.replace(from, to), f)).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', message }),
  )
})

test('a directory that is not there is named', () => {
  expect(() => loadNodeClasses('no/classes')).toThrow(
    'no/classes: cannot read the directory of node classes',
  )
})
