// Goal: contributions are of the model that serves: with the base they add up to the margin of ONNX Runtime,
// for the models with covers that come with the package.
import { afterAll, expect, test } from 'vitest'
import { loadPredictor, type Predictor } from '../../../src/predict/session.ts'
import { loadModule } from '../../support/training-data.ts'
import { makeRows } from './tree-cases.ts'

const ROWS = 200
const kernel = loadModule()
const opened: Predictor[] = []

afterAll(async () => {
  for (const predictor of opened) await predictor.dispose()
})

test.each(['models/fleet', 'models/cmapss', 'models/cmapss/parts/remaining-life'])(
  '%s',
  async (directory) => {
    const predictor = await loadPredictor(directory, { kernel, provider: 'cpu', explains: true })
    opened.push(predictor)
    const { shap, card } = predictor
    const width = card.features.length
    const rows = makeRows(ROWS, width, 3)
    const { margin } = await predictor.predict(rows, ROWS)
    const found = shap!.explain(rows, ROWS)
    for (let row = 0; row < ROWS; row++) {
      const own = found.subarray(row * width, (row + 1) * width)
      const sum = own.reduce((total, each) => total + each, shap!.base)
      // ONNX Runtime adds leaves in float32.
      expect(Math.abs(sum - margin[row])).toBeLessThan(2e-5)
    }
    expect(new Set(margin).size).toBeGreaterThan(ROWS / 4)
  },
)
