import { expect, test } from 'vitest'
import { formatDuration, parseDuration } from '../../../src/core/time.ts'

test.each([
  { text: '250ms', ms: 250 },
  { text: '90s', ms: 90_000 },
  { text: '1.5h', ms: 5_400_000 },
  { text: ' 30d ', ms: 2_592_000_000 },
  { text: '1w', ms: 604_800_000 },
  { text: '10', ms: undefined },
  { text: '-1s', ms: undefined },
  { text: '1 fortnight', ms: undefined },
])('$text is $ms ms', ({ text, ms }) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each([
  { ms: 90_000, text: '90s' },
  { ms: 3_600_000, text: '1h' },
  { ms: 604_800_000, text: '1w' },
  { ms: 1_500, text: '1500ms' },
  { ms: 0, text: '0ms' },
])('$ms ms reads $text', ({ ms, text }) => {
  expect(formatDuration(ms)).toBe(text)
})
