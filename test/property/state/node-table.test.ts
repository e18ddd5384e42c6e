import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { PROBE } from '../../support/node-class.ts'
import { newTable, programs, runOnTable } from '../../support/node-program.ts'
import type { Step } from '../../support/node-program.ts'
import type { SampleRow } from '../../support/node-class.ts'

test.prop([programs, fc.integer({ min: 1, max: 3 })], { numRuns: 40, seed: 3 })(
  'a row buffer of a few rows gives the rows of a large one',
  (program, rowsMax) => {
    expect(runOnTable(newTable(PROBE, rowsMax), program)).toEqual(runOnTable(newTable(), program))
  },
)

test.prop([programs, fc.infiniteStream(fc.nat())], { numRuns: 40, seed: 4 })(
  'the order of samples of different nodes changes no row of any node',
  (program, choices) => {
    const next = (): number => choices.next().value as number
    const mixed = program.map((step) =>
      step.kind === 'samples' ? { ...step, rows: interleaved(step.rows, next) } : step,
    )
    expect(runOnTable(newTable(), mixed)).toEqual(runOnTable(newTable(), program))
  },
)

test.prop([programs, fc.infiniteStream(fc.nat({ max: 3 }))], { numRuns: 40, seed: 5 })(
  'how samples are cut into records changes no row',
  (program, lengths) => {
    const cut = program.flatMap((step): readonly Step[] => {
      if (step.kind !== 'samples') return [step]
      const pieces: Step[] = []
      for (let from = 0; from < step.rows.length;) {
        const length = 1 + (lengths.next().value as number)
        pieces.push({ kind: 'samples', rows: step.rows.slice(from, from + length) })
        from += length
      }
      return pieces
    })
    expect(runOnTable(newTable(), cut)).toEqual(runOnTable(newTable(), program))
  },
)

test.prop([programs], { numRuns: 25, seed: 6 })(
  'a repeated record changes nothing but the count of late rows',
  (program) => {
    const samples = program.filter((step) => step.kind === 'samples')
    const once = newTable()
    const twice = newTable()
    runOnTable(once, samples)
    runOnTable(twice, samples)
    const last: readonly Step[] = samples.slice(-1)
    const rest: readonly Step[] = [{ kind: 'advance', nowMs: 1_200_000 }]
    runOnTable(twice, last)
    expect(twice.counts().folded).toBe(once.counts().folded)
    expect(runOnTable(twice, rest)).toEqual(runOnTable(once, rest))
  },
)

test.prop([programs], { numRuns: 25, seed: 7 })(
  'asking for health, rows, liveness and counts changes no row',
  (program) => {
    const asked = newTable()
    const rows: Record<string, string[]> = {}
    for (const step of program) {
      asked.health()
      asked.counts()
      asked.rows()
      asked.sweep(0)
      for (const [id, more] of Object.entries(runOnTable(asked, [step]))) {
        ;(rows[id] ??= []).push(...more)
      }
    }
    // One step at a time there is no second record, so none of them comes with a dictionary.
    expect(rows).toEqual(runOnTable(newTable(), program))
  },
)

/** Shuffles the rows of different nodes, and keeps the order within each node. */
function interleaved(rows: readonly SampleRow[], next: () => number): readonly SampleRow[] {
  const ids = [...new Set(rows.map(({ node }) => node))]
  const queues = ids.map((id) => rows.filter(({ node }) => node === id))
  const mixed: SampleRow[] = []
  while (mixed.length < rows.length) {
    const open = queues.filter(({ length }) => length > 0)
    mixed.push(open[next() % open.length].shift()!)
  }
  return mixed
}
