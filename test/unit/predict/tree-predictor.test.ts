// Goal: the kernel serves our models, and only where it says what ONNX Runtime says; whatever else
// there is in model.onnx stays with ONNX Runtime.
import { describe, expect, test } from 'vitest'
import type { ModelCard } from '../../../src/core/model.ts'
import { readEnsemble } from '../../../src/predict/onnx-trees.ts'
import { loadPredictor, type Predictor } from '../../../src/predict/session.ts'
import { createTreePredictor } from '../../../src/predict/tree-predictor.ts'
import { keyOf } from '../../../src/predict/tree-plan.ts'
import type { Booster } from '../../../training/booster.ts'
import { encodeOnnx } from '../../../src/predict/onnx-schema.ts'
import { makeBooster, makeRows, onnxOf, reference } from '../../parity/trees/tree-cases.ts'
import { writeTinyModel } from '../../support/history/tiny-model.ts'
import { DRIVE } from '../../support/history/parity-classes.ts'
import { loadModule } from '../../support/training-data.ts'

const module = loadModule()
const FEATURES = 4

/** Says what the booster says, plus a gap, as ONNX Runtime would. */
function oracle(
  booster: Booster,
  { margin: marginGap = 0, probability: probabilityGap = 0 } = {},
): Predictor {
  return {
    card: { features: Array.from({ length: FEATURES }, (_, i) => `f${i}`) } as unknown as ModelCard,
    provider: 'cpu',
    predict: async (matrix) => {
      const margin = reference(booster, matrix)
      const probability = margin.map(
        (value) => 1 / (1 + Math.exp(0.3 - 0.8 * value)) + probabilityGap,
      )
      return { margin: margin.map((value) => value + marginGap), probability }
    },
    dispose: async () => {},
  }
}

const booster = makeBooster(
  { treeCount: 9, leafCount: 40, featureCount: FEATURES, growth: 'random' },
  1,
)

describe('the kernel serves', () => {
  test('a model of ours, through loadPredictor', async () => {
    const predictor = await loadPredictor(writeTinyModel(DRIVE, 3), { kernel: module })
    expect(predictor).toMatchObject({ provider: 'wasm', card: { name: 'tiny-drive' } })
    const width = predictor.card.features.length
    const rows = new Float32Array(3 * width).fill(NaN)
    rows[0] = 3
    rows[width] = 3.5
    const { margin, probability } = await predictor.predict(rows, 3)
    expect([...margin]).toEqual([-3, 1, 1])
    expect(probability[0]).toBeCloseTo(1 / (1 + Math.exp(3)), 6)
    expect(probability[2]).toBeCloseTo(1 / (1 + Math.exp(-1)), 6)
  })

  test('with results that outlive the next call', async () => {
    const predictor = (await createTreePredictor(module, onnxOf(booster), oracle(booster)))!
    const rows = makeRows(20, FEATURES, 1)
    const first = await predictor.predict(rows, 20)
    const kept = [...first.margin]
    await predictor.predict(makeRows(20, FEATURES, 2), 20)
    expect([...first.margin]).toEqual(kept)
  })

  test('what its oracle says to 1e-6, and nothing that differs by more', async () => {
    const onnx = onnxOf(booster)
    const providerAt = async (gaps: object) =>
      (await createTreePredictor(module, onnx, oracle(booster, gaps)))?.provider
    expect(await providerAt({})).toBe('wasm')
    expect(await providerAt({ margin: 1e-5 })).toBeUndefined()
    expect(await providerAt({ probability: 1e-5 })).toBeUndefined()
    expect(await providerAt({ margin: NaN })).toBeUndefined()
  })

  test('no model whose missing values go elsewhere than in the oracle', async () => {
    const turned = booster.trees.map((tree) => ({
      ...tree,
      missingLeft: tree.missingLeft.map((left) => 1 - left),
    }))
    const other = oracle({ ...booster, trees: turned })
    expect(await createTreePredictor(module, onnxOf(booster), other)).toBeNull()
  })

  test('no tree of more than 256 leaves', async () => {
    const shape = { treeCount: 1, featureCount: FEATURES, growth: 'random' } as const
    for (const [leafCount, provider] of [
      [256, 'wasm'],
      [257, undefined],
    ] as const) {
      const large = makeBooster({ ...shape, leafCount }, 2)
      const predictor = await createTreePredictor(module, onnxOf(large), oracle(large))
      expect(predictor?.provider).toBe(provider)
    }
  })
})

const ints = (name: string, values: readonly number[]) => ({ name, type: 7, ints: values })
const floats = (name: string, values: readonly number[]) => ({ name, type: 6, floats: values })
const texts = (name: string, values: readonly string[]) => ({
  name,
  type: 8,
  strings: values.map((value) => Buffer.from(value)),
})

/** One split and two leaves; the parts given replace those of a model of ours. */
const STUMP = {
  n_targets: { name: 'n_targets', type: 2, i: 1 },
  nodes_treeids: ints('nodes_treeids', [0, 0, 0]),
  nodes_nodeids: ints('nodes_nodeids', [0, 1, 2]),
  nodes_featureids: ints('nodes_featureids', [3, 0, 0]),
  nodes_values: floats('nodes_values', [0.5, 0, 0]),
  nodes_truenodeids: ints('nodes_truenodeids', [1, 0, 0]),
  nodes_falsenodeids: ints('nodes_falsenodeids', [2, 0, 0]),
  nodes_modes: texts('nodes_modes', ['BRANCH_LEQ', 'LEAF', 'LEAF']),
  target_treeids: ints('target_treeids', [0, 0]),
  target_nodeids: ints('target_nodeids', [1, 2]),
  target_ids: ints('target_ids', [0, 0]),
  target_weights: floats('target_weights', [-1, 1]),
}

function model(
  attributes: object,
  { slope = [1], last = 'Sigmoid', domain = 'ai.onnx.ml' } = {},
): Uint8Array {
  const scalar = (name: string, floatData: readonly number[]) => ({ name, dataType: 1, floatData })
  return encodeOnnx({
    graph: {
      initializer: [scalar('slope', slope), scalar('intercept', [0])],
      node: [
        {
          opType: 'TreeEnsembleRegressor',
          domain,
          input: ['features'],
          output: ['margin'],
          attribute: Object.values({ ...STUMP, ...attributes }).filter((one) => one !== null),
        },
        { opType: 'Mul', input: ['margin', 'slope'], output: ['scaled'] },
        { opType: 'Add', input: ['scaled', 'intercept'], output: ['logit'] },
        { opType: last, input: ['logit'], output: ['probability'] },
      ],
    },
  })
}

describe('a model is read', () => {
  test('where it is a stump without the parts that have defaults', () => {
    const read = readEnsemble(model({}), FEATURES)
    expect(read).toMatchObject({
      ok: true,
      ensemble: {
        base: 0,
        calibration: { kind: 'sigmoid', slope: 1, intercept: 0 },
        trees: [{ missingLeft: [false, false, false] }],
      },
    })
  })

  test.each([
    ['bytes that are no model', new Uint8Array([255, 255, 255, 1]), /^not an ONNX model$/],
    ['no bytes', new Uint8Array(), /^not an ONNX model$/],
    [
      'another graph',
      model({}, { last: 'Tanh' }),
      /^after the margin comes .*Tanh\(logit\)->probability$/,
    ],
    ['another domain', model({}, { domain: 'mine' }), /of domain mine$/],
    ['two slopes', model({}, { slope: [1, 2] }), /^slope is not one float$/],
    ['an attribute unknown', model({ x: ints('x', [1]) }), /^it has attribute x$/],
    [
      'two targets',
      model({ n_targets: { name: 'n_targets', type: 2, i: 2 } }),
      /more than one target/,
    ],
    [
      'a mean',
      model({ a: { name: 'aggregate_function', type: 3, s: Buffer.from('AVERAGE') } }),
      /does not sum/,
    ],
    [
      'a link',
      model({ p: { name: 'post_transform', type: 3, s: Buffer.from('LOGISTIC') } }),
      /it transforms/,
    ],
    ['two bases', model({ b: floats('base_values', [1, 2]) }), /several base values/],
    ['no modes', model({ nodes_modes: null }), /has no mode/],
    [
      'a short column',
      model({ nodes_truenodeids: ints('nodes_truenodeids', [1]) }),
      /of another length/,
    ],
    ['no column', model({ nodes_truenodeids: null }), /it has no nodes_truenodeids/],
    [
      'another comparison',
      model({ nodes_modes: texts('nodes_modes', ['BRANCH_EQ', 'LEAF', 'LEAF']) }),
      /a split is BRANCH_EQ/,
    ],
    [
      'a feature too many',
      model({ nodes_featureids: ints('nodes_featureids', [4, 0, 0]) }),
      /does not exist/,
    ],
    [
      'a threshold of NaN',
      model({ nodes_values: floats('nodes_values', [NaN, 0, 0]) }),
      /not a number/,
    ],
    ['a loop', model({ nodes_truenodeids: ints('nodes_truenodeids', [0, 0, 0]) }), /is no tree/],
    [
      'a shared leaf',
      model({ nodes_truenodeids: ints('nodes_truenodeids', [2, 0, 0]) }),
      /is no tree/,
    ],
    ['nodes out of order', model({ nodes_nodeids: ints('nodes_nodeids', [1, 0, 2]) }), /in order/],
    ['two weights', model({ target_nodeids: ints('target_nodeids', [1, 1]) }), /two weights/],
    [
      'a weight of a split',
      model({ target_nodeids: ints('target_nodeids', [1, 0]) }),
      /of no leaf/,
    ],
    ['a second target', model({ target_ids: ints('target_ids', [0, 1]) }), /of no leaf/],
  ])('but not %s', (_what, bytes, reason) => {
    const read = readEnsemble(bytes, FEATURES)
    expect(read).toEqual({ ok: false, reason: expect.stringMatching(reason) as string })
  })
})

test('keys are in the order of the floats', () => {
  const values = [-Infinity, -3.4e38, -1, -1e-45, 0, 1e-45, 0.5, 1, 3.4e38, Infinity]
  const keys = values.map(keyOf)
  expect(keys).toEqual(keys.toSorted((a, b) => a - b))
  expect(new Set(keys).size).toBe(values.length)
  expect(keyOf(-0)).toBe(keyOf(0))
})
