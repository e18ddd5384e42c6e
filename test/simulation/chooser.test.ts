// Goal: learning pays, and does not cost more than it may on the way.
// Method: worlds whose faults, odds and costs are drawn by seed; costs are what each world expects, so
// that chance in single outcomes decides nothing but what is learned.
import { expect, test } from 'vitest'
import { ChooserWorld, judgeChooser } from '../../src/simulate/chooser-world.ts'

const SEEDS = [1, 2, 3, 4]

test('after 1,000 incidents each world is cheaper than by its best fixed strategy', () => {
  const figures = judgeChooser(SEEDS, 1_000)
  expect(figures.savedRatio).toBeGreaterThan(0.1)
  expect(figures.savedLeastRatio).toBeGreaterThan(0.05)
  expect(figures.savedMostRatio).toBeGreaterThan(figures.savedRatio)
  expect(figures.worseInOneRatio).toBeLessThan(0.05)
})

test('a chooser that mostly tries things out is worse: the measure sees what it should', () => {
  const wild = new ChooserWorld(1).run(200, { exploreMinRatio: 0.9, exploreMaxRatio: 0.9 })
  const calm = new ChooserWorld(1).run(200)
  expect(wild.chosen.at(-1)!).toBeGreaterThan(1.1 * calm.chosen.at(-1)!)
})

test('one seed gives one course', () => {
  expect(new ChooserWorld(3).run(40)).toEqual(new ChooserWorld(3).run(40))
})
