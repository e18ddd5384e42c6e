// Goal: whatever models say, a shorter horizon is never told over a longer one, and the longest is left alone.
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { capByLonger } from '../../../src/core/horizons.ts'

const row = fc.tuple(...[1, 2, 3].map(() => fc.float({ min: 0, max: 1, noNaN: true })))

test.prop([fc.array(row, { maxLength: 20 })])('probabilities rise with the horizon', (rows) => {
  const [day, week, month] = [0, 1, 2].map((h) => Float32Array.from(rows, (one) => one[h]))
  const weekCapped = capByLonger(week.slice(), month)
  const dayCapped = capByLonger(day.slice(), weekCapped)
  for (const [i, [d, w, m]] of rows.entries()) {
    expect(weekCapped[i]).toBe(Math.min(w, m))
    expect(dayCapped[i]).toBe(Math.min(d, w, m))
  }
})
