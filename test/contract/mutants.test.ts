// Goal: each clause can fail. Method: one bus per broken promise, run against that clause alone.
import { expect, test } from 'vitest'

import { mutants, soundWrap } from './mutants.ts'
import { simulatedHarness } from './simulated-harness.ts'
import type { ClauseName } from './suite.ts'
import { clauses } from './suite.ts'

test.each(mutants)('a bus that $name is caught by "$clause"', async ({ clause, mutate }) => {
  const sound = await simulatedHarness()
  try {
    await expect(clauses[clause](mutate(sound))).rejects.toThrow()
  } finally {
    await sound.dispose()
  }
})

test('each clause has a mutant', () => {
  const caught = new Set<ClauseName>(mutants.map(({ clause }) => clause))
  expect(Object.keys(clauses).filter((name) => !caught.has(name as ClauseName))).toEqual([])
})

test.each(Object.keys(clauses) as ClauseName[])(
  'wrapping alone does not break "%s"',
  async (name) => {
    const sound = await simulatedHarness()
    try {
      await clauses[name](soundWrap(sound))
    } finally {
      await sound.dispose()
    }
  },
)
