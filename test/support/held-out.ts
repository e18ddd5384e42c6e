/** Committed models, judged on real data that their training never saw. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { loadNodeClass } from '../../src/config/node-classes.ts'
import type { ModelCard } from '../../src/core/model.ts'
import { loadPredictor } from '../../src/predict/session.ts'
import { backtest, type Backtest } from '../../training/backtest.ts'
import { readManifest } from '../../training/manifest.ts'
import { loadModule } from './training-data.ts'

/** The folder of a data set; undefined, and said loudly, where FORESHOCK_DATA promises none. */
export function heldOutData(folder: string): string | undefined {
  const data = process.env['FORESHOCK_DATA']
  if (data !== undefined) return join(data, folder)
  process.stderr.write(
    `\n*** SKIPPED: tests of ${folder} need FORESHOCK_DATA to name the data directory ***\n\n`,
  )
  return undefined
}

export function readCard(modelDir: string): ModelCard {
  return JSON.parse(readFileSync(join(modelDir, 'card.json'), 'utf8')) as ModelCard
}

/** The model and its parts as they serve, through the tree kernel. */
export async function judgeHeldOut(name: string, dataDir: string): Promise<Backtest> {
  expect(existsSync(dataDir), `FORESHOCK_DATA was promised, but ${dataDir} is missing`).toBe(true)
  const manifest = readManifest(`training/histories/${name}.toml`)
  const modelDir = join('models', name)
  const module = loadModule()
  const scorer = await loadPredictor(modelDir, { kernel: module })
  const parts = await Promise.all(
    (scorer.card.parts ?? []).map(async (part) => ({
      part,
      scorer: await loadPredictor(join(modelDir, part.directory), { kernel: module }),
    })),
  )
  try {
    const nodeClass = loadNodeClass('node-classes', manifest.nodeClass)
    return await backtest({ manifest, nodeClass, dataDir, modelDir, scorer, parts, module })
  } finally {
    await Promise.all([scorer, ...parts.map((part) => part.scorer)].map((each) => each.dispose()))
  }
}
