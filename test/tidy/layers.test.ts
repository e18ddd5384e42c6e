// Goal: the code keeps the shape that ARCHITECTURE.md promises.
// Method: rules over the text of every source; rules.test.ts shows that each of them can fail.
import { expect, test } from 'vitest'
import {
  impurityProblems,
  layerProblems,
  portabilityProblems,
  sizeProblems,
  wordProblems,
} from './rules.ts'
import { readSource, sourcesUnder, trackedFiles } from './source.ts'

const code = [...sourcesUnder('src'), ...sourcesUnder('training')]
const all = [...code, ...sourcesUnder('test'), ...sourcesUnder('bench'), ...sourcesUnder('wasm')]

test('there is code to judge', () => {
  expect(code.length).toBeGreaterThan(20)
})

test('every folder imports only what the table allows', () => {
  expect(code.flatMap(layerProblems)).toEqual([])
})

test('no file is longer than a reader can hold', () => {
  expect(all.flatMap(sizeProblems)).toEqual([])
})

test('no banned word and no file name that says nothing', () => {
  const judged = all.filter(
    ({ path }) => !path.startsWith('test/tidy/') && !path.startsWith('wasm/'),
  )
  expect(judged.flatMap(wordProblems)).toEqual([])
})

test('time, chance and environment are passed in', () => {
  expect(code.flatMap(impurityProblems)).toEqual([])
})

test('nothing tracked names a registry or a path of one machine', () => {
  const text = /\.(?:ts|mjs|js|json|toml|md|yaml|yml|xml|properties|html|css|npmrc|sh)$|\.ci\/run$/
  const files = trackedFiles()
    .filter((path) => text.test(path) && !path.startsWith('test/tidy/'))
    .map(readSource)
    .filter((source) => source !== undefined)
  expect(files.flatMap(portabilityProblems)).toEqual([])
})
