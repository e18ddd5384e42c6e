// Goal: a fold is kept for as long as it may be wanted again, given back once, and always freed in the end.
import { expect, test } from 'vitest'
import { KEPT_MS, type KeptFold, KeptFolds } from '../../../src/pipeline/kept-folds.ts'

function keptAt(position: number, freed: number[]): KeptFold {
  const fold = {
    fold: () => [],
    stats: () => ({}),
    dispose: () => void freed.push(position),
  }
  return { fold, position, told: [] }
}

test.each([
  { at: 'the start of the log', position: 10, back: true },
  { at: 'its end', position: 20, back: true },
  { at: 'a record that is gone', position: 9, back: false },
  { at: 'more than the log holds', position: 21, back: false },
])('a fold that goes on at $at comes back: $back', async ({ position, back }) => {
  const freed: number[] = []
  const folds = new KeptFolds()
  const kept = keptAt(position, freed)
  await folds.keep(3, kept, 0)
  const taken = await folds.takeBack(3, { start: 10, end: 20 })
  expect(taken?.fold).toBe(back ? kept.fold : undefined)
  expect(freed).toEqual(back ? [] : [position])
  expect(await folds.takeBack(3, { start: 10, end: 20 })).toBeUndefined()
})

test('what is away for too long is freed, and nothing else', async () => {
  const freed: number[] = []
  const folds = new KeptFolds()
  await folds.keep(0, keptAt(1, freed), 0)
  await folds.keep(1, keptAt(2, freed), 5_000)
  await folds.sweep(KEPT_MS - 1)
  expect(freed).toEqual([])
  await folds.sweep(KEPT_MS)
  expect(freed).toEqual([1])
  await folds.sweep(KEPT_MS + 5_000)
  expect(freed).toEqual([1, 2])
})

test('after the end all are freed, those too that come later', async () => {
  const freed: number[] = []
  const folds = new KeptFolds()
  await folds.keep(0, keptAt(1, freed), 0)
  await folds.close()
  await folds.keep(1, keptAt(2, freed), 0)
  expect(freed).toEqual([1, 2])
})
