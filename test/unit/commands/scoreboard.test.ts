import { expect, test } from 'vitest'
import { Progress } from '../../../src/commands/progress.ts'
import { nearest } from '../../../src/commands/nearest.ts'
import { formatNumber } from '../../../src/commands/output.ts'
import {
  atLeast,
  atMost,
  figure,
  printScoreboard,
  renderScoreboard,
} from '../../../src/commands/scoreboard.ts'
import { createIo } from '../../support/io.ts'

const good = atLeast('recall', 0.5, 0.43, 'SMART rule')
const short = atLeast('PR-AUC', 0.17, 0.18)

test('the exit code is 1 as soon as one row falls short', () => {
  const { io } = createIo()
  expect(printScoreboard(io, [good], false)).toBe(0)
  expect(printScoreboard(io, [good, short], false)).toBe(1)
})

test('a row that falls short is shown like any other', () => {
  expect(renderScoreboard([good, short])).toBe(
    [
      'what    against     value  reach  ok',
      '------  ----------  -----  -----  ---',
      'recall  SMART rule    0.5   0.43  yes',
      'PR-AUC               0.17   0.18  NO',
      '',
    ].join('\n'),
  )
})

test('JSON is exactly the list of rows', () => {
  const { io, written } = createIo()
  printScoreboard(io, [good, short], true)
  expect(JSON.parse(written.stdout)).toEqual([
    { what: 'recall', against: 'SMART rule', value: 0.5, reach: 0.43, ok: true },
    { what: 'PR-AUC', against: null, value: 0.17, reach: 0.18, ok: false },
  ])
})

test.each([
  { row: atLeast('x', null, 1), ok: false, because: 'what could not be measured falls short' },
  { row: atMost('x', null, 1), ok: false, because: 'also where less is better' },
  { row: atLeast('x', 1, 1), ok: true, because: 'the bound itself is reached' },
  { row: atMost('x', 1, 1), ok: true, because: 'the bound itself is kept' },
  { row: atMost('x', 2, 1), ok: false, because: 'it is over the bound' },
  { row: figure('x', null), ok: true, because: 'a figure is not judged' },
  { row: atLeast('x', Number.NaN, 1), ok: false, because: 'no number reaches nothing' },
])('$because', ({ row, ok }) => {
  expect(row.ok).toBe(ok)
})

test.each([
  [0, '0'],
  [1_234_567, '1,234,567'],
  [0.012_34, '0.01234'],
  [12.3456, '12.35'],
  [123_456.7, '123,457'],
])('%d is written %s', (value, text) => {
  expect(formatNumber(value)).toBe(text)
})

test.each([
  { word: 'serv', expected: 'serve', because: 'a letter is missing' },
  { word: 'sevre', expected: 'serve', because: 'letters are swapped' },
  { word: 'zzz', expected: undefined, because: 'nothing is near' },
])('the word nearest to $word is $expected: $because', ({ word, expected }) => {
  expect(nearest(word, ['serve', 'train', 'topics'])).toBe(expected)
})

test('progress on a pipe is a plain line every 5 s and at the end', () => {
  let nowMs = 0
  const { io, written } = createIo({ nowMs: () => nowMs })
  const progress = new Progress(io, 'replay')
  for (nowMs = 0; nowMs < 12_000; nowMs += 1_000) progress.update(nowMs / 12_000, 'rows')
  progress.done()
  expect(written.stderr).toBe(
    'replay  0 %  0 s  rows\nreplay  41 %  5 s  rows\nreplay  83 %  10 s  rows\nreplay  100 %  12 s\n',
  )
})

test('progress on a terminal redraws one line and leaves nothing of a longer one', () => {
  let nowMs = 0
  const { io, written } = createIo({ nowMs: () => nowMs, isTTY: true })
  const progress = new Progress(io, 'load')
  progress.update(0.5, 'a long remark')
  nowMs = 200
  progress.update(1)
  const [, first, second] = written.stderr.split('\r')
  expect(first).toContain('[############............]  50 %')
  expect(second).toHaveLength(first.length)
})
