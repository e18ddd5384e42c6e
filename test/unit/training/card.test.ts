// Goal: a committed model fits the node class of today and is the file that its card describes.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadNodeClass } from '../../../src/config/node-classes.ts'
import type { ModelCard } from '../../../src/core/model.ts'
import { featureHash, featureNames } from '../../../src/state/features.ts'
import { readTrainedHashes } from '../../../training/model-files.ts'

const models = readdirSync('models').filter((name) => existsSync(join('models', name, 'card.json')))

function readCard(name: string): ModelCard {
  return JSON.parse(readFileSync(join('models', name, 'card.json'), 'utf8')) as ModelCard
}

describe.each(models)('models/%s', (name) => {
  const card = readCard(name)

  test('is named by its directory', () => {
    expect(card.name).toBe(name)
  })

  test('is the file its card describes, ten megabytes at most', () => {
    const bytes = readFileSync(join('models', name, 'model.onnx'))
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(card.modelHash)
    expect(bytes.length).toBeLessThan(10_000_000)
  })

  test('has the features of its node class as it is now', () => {
    const nodeClass = loadNodeClass('node-classes', card.nodeClass)
    expect(card.features).toEqual(featureNames(nodeClass))
    expect(card.featureHash).toBe(featureHash(nodeClass))
  })

  test('remembers the nodes that training saw', async () => {
    const seen = await readTrainedHashes(join('models', name))
    expect(seen.size).toBeGreaterThan(0)
  })

  test('acts within its alert budget, and beats its baselines on nodes never seen', () => {
    expect(card.alertBudgets.map(({ probability }) => probability)).toContain(card.actingPoint)
    for (const baseline of Object.values(card.baselines)) {
      expect(card.test.prAuc).toBeGreaterThan(baseline.prAuc)
    }
    expect(card.test.rowCount).toBeGreaterThan(card.test.positiveCount)
  })
})

test('models/backblaze is there', () => {
  expect(models).toContain('backblaze')
})
