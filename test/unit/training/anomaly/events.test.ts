import { expect, test } from 'vitest'
import { countRuns, foundWithin } from '../../../../training/anomaly/events.ts'

/** A text is a series of samples: `!` over the threshold, `#` over it within an anomaly, `_` within one. */
function read(text: string): { over: Uint8Array; labels: Uint8Array } {
  return {
    over: Uint8Array.from(text, (c) => (c === '!' || c === '#' ? 1 : 0)),
    labels: Uint8Array.from(text, (c) => (c === '#' || c === '_' ? 1 : 0)),
  }
}

test.each([
  { text: '..!..', falseRunCount: 1, foundCount: 0, because: 'the run touches nothing' },
  { text: '._#_.', falseRunCount: 0, foundCount: 1, because: 'one sample finds an anomaly' },
  { text: '..!___', falseRunCount: 1, foundCount: 0, because: 'beside is not within' },
  {
    text: '!..........!',
    falseRunCount: 1,
    foundCount: 0,
    because: 'ten samples between are one run',
  },
  { text: '!...........!', falseRunCount: 2, foundCount: 0, because: 'eleven between are two' },
  { text: '!..#_..!', falseRunCount: 0, foundCount: 1, because: 'what is one run is true as one' },
  { text: '#..#', falseRunCount: 0, foundCount: 2, because: 'one run may find two' },
  { text: '..__..', falseRunCount: 0, foundCount: 0, because: 'nothing is over' },
])('"$text": $falseRunCount false and $foundCount found because $because', (expected) => {
  const { over, labels } = read(expected.text)
  const { falseRunCount, foundCount } = expected
  expect(countRuns(over, labels)).toEqual({ falseRunCount, foundCount })
})

test('a falling threshold counts as every threshold by itself does', () => {
  let state = 5
  const labels = new Uint8Array(600)
  for (const first of [50, 180, 410]) labels.fill(1, first, first + 15)
  const scores = Float64Array.from(labels, (label) => {
    state = (state * 16_807) % 2_147_483_647
    return Math.floor((state / 2_147_483_647 + 0.1 * label) * 50)
  })
  for (const falseRunsMax of [0, 1, 3, 8]) {
    let expected = 0
    for (let threshold = 60; threshold >= 0; threshold--) {
      const over = Uint8Array.from(scores, (score) => (score >= threshold ? 1 : 0))
      const { falseRunCount, foundCount } = countRuns(over, labels)
      if (falseRunCount > falseRunsMax) break
      expected = foundCount
    }
    expect(foundWithin(scores, labels, falseRunsMax)).toBe(expected)
  }
})

test('runs that grow together into one do not make a low threshold good', () => {
  const labels = new Uint8Array(200)
  labels[100] = 1
  const scores = new Float64Array(200).fill(1)
  scores.fill(2, 0, 2)
  scores.fill(2, 40, 42)
  expect(foundWithin(scores, labels, 1)).toBe(0)
})
