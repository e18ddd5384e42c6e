// Goal: a model is served only when it is whole and fits; otherwise one message says what to mend.
import { createHash } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkFeatures, loadPredictor } from '../../../src/predict/session.ts'
import { featureHash, featureNames } from '../../../src/state/features.ts'
import { DRIVE, SERVER } from '../../support/history/parity-classes.ts'
import { tinyCard, writeTinyModel } from '../../support/history/tiny-model.ts'

const WIDTH = featureNames(DRIVE).length

function rows(firstValues: readonly number[]): Float32Array {
  const matrix = new Float32Array(firstValues.length * WIDTH)
  for (const [row, value] of firstValues.entries()) matrix[row * WIDTH] = value
  return matrix
}

describe('scores', () => {
  test('are the margin of the trees and its probability; missing follows the learned side', async () => {
    const predictor = await loadPredictor(writeTinyModel(DRIVE, 3))
    const { margin, probability } = await predictor.predict(rows([3, 4, Number.NaN]), 3)
    await predictor.dispose()
    expect([...margin]).toEqual([-3, 1, 1])
    for (const [row, p] of probability.entries()) {
      expect(p).toBeCloseTo(1 / (1 + Math.exp(-margin[row])), 6)
    }
    expect(predictor).toMatchObject({ provider: 'cpu', card: { name: 'tiny-drive' } })
  })

  test('of more rows than one run takes are in their order, and rows beyond the count are not read', async () => {
    const predictor = await loadPredictor(writeTinyModel(DRIVE, 3))
    const count = 4_097
    const matrix = rows(Array.from({ length: count + 1 }, (_, row) => (row % 2 === 0 ? 0 : 9)))
    const { margin } = await predictor.predict(matrix, count)
    await predictor.dispose()
    expect(margin).toHaveLength(count)
    expect(margin.every((value, row) => value === (row % 2 === 0 ? -3 : 1))).toBe(true)
  })
})

describe('a damaged model is refused', () => {
  test.each([
    {
      what: 'a byte of the model has changed',
      damage: (directory: string) => {
        const bytes = readFileSync(join(directory, 'model.onnx'))
        bytes[bytes.length >> 1] ^= 1
        writeFileSync(join(directory, 'model.onnx'), bytes)
      },
      says: /model\.onnx: its sha256 is [0-9a-f]{12}… but card\.json says [0-9a-f]{12}…; the file is damaged or the card is of another model: train again or restore both$/,
    },
    {
      what: 'there is no card',
      damage: (directory: string) => rmSync(join(directory, 'card.json')),
      says: /card\.json: no model card there; name a directory made by `foreshock train --out`$/,
    },
    {
      what: 'the card is cut off',
      damage: (directory: string) => writeFileSync(join(directory, 'card.json'), '{"name": "ti'),
      says: /card\.json: not a model card; train the model again$/,
    },
    {
      what: 'the card is something else',
      damage: (directory: string) => writeFileSync(join(directory, 'card.json'), '{"name": "x"}'),
      says: /card\.json: not a model card; train the model again$/,
    },
    {
      what: 'the model is missing',
      damage: (directory: string) => rmSync(join(directory, 'model.onnx')),
      says: /model\.onnx: cannot be read; train the model again$/,
    },
    {
      what: 'the model is no ONNX',
      damage: (directory: string) => {
        const bytes = new TextEncoder().encode('not a model')
        const card = tinyCard(DRIVE, bytes)
        expect(card.modelHash).toBe(createHash('sha256').update(bytes).digest('hex'))
        writeFileSync(join(directory, 'model.onnx'), bytes)
        writeFileSync(join(directory, 'card.json'), JSON.stringify(card))
      },
      says: /model\.onnx: ONNX Runtime refuses it: /,
    },
  ])('when $what', async ({ damage, says }) => {
    const directory = writeTinyModel(DRIVE)
    damage(directory)
    await expect(loadPredictor(directory)).rejects.toMatchObject({
      name: 'ServiceError',
      code: 'MODEL_INVALID',
      message: expect.stringMatching(says) as string,
    })
  })
})

describe('a model of other features is refused', () => {
  const card = tinyCard(DRIVE, new Uint8Array())
  const spaceOf = (nodeClass: typeof DRIVE) => ({
    featureHash: featureHash(nodeClass),
    featureNames: featureNames(nodeClass),
  })

  test('and one of the same is not', () => {
    expect(() => checkFeatures(card, spaceOf(DRIVE))).not.toThrow()
  })

  test('naming what is missing and what is new, not more than five of each', () => {
    expect(() => checkFeatures(card, spaceOf(SERVER))).toThrow(
      /^model tiny-drive was trained on other features than node class `drive` has now \(feature hash [0-9a-f]{12}… against [0-9a-f]{12}…\): the model wants `pending\.value`, .* and \d+ more which this node class does not give; the class gives `temperature\.value`, .* and \d+ more which the model does not know; train it again or restore the class it was trained with$/,
    )
  })

  test('one metric renamed is named on both sides', () => {
    const [first, ...rest] = DRIVE.metrics
    const renamed = { ...DRIVE, metrics: [{ ...first, name: 'waiting' }, ...rest] }
    expect(() => checkFeatures(card, spaceOf(renamed))).toThrow(
      /the model wants `pending\.value`.* the class gives `waiting\.value`/,
    )
  })

  test('also where only a metric kind differs, which no name shows', () => {
    const [first, ...rest] = DRIVE.metrics
    const other = { ...DRIVE, metrics: [{ ...first, kind: 'counter' as const }, ...rest] }
    expect(() => checkFeatures(card, spaceOf(other))).toThrow(
      /the names agree, but their order, the half-lives or the metric kinds of the node class differ/,
    )
  })
})
