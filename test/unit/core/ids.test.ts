import { expect, test } from 'vitest'
import { ID_BYTES_MAX, idProblem } from '../../../src/core/ids.ts'

test.each([
  { id: 'n17', problem: undefined, because: 'it is an ordinary id' },
  { id: '', problem: 'empty', because: 'an id names something' },
  { id: 'a\u0000b', problem: 'control-character', because: 'it would break logs and terminals' },
  { id: 'x'.repeat(ID_BYTES_MAX), problem: undefined, because: 'it is just short enough' },
  {
    id: 'é'.repeat(ID_BYTES_MAX / 2 + 1),
    problem: 'too-long',
    because: 'bytes count, not characters',
  },
  { id: 'x'.repeat(65_536), problem: 'too-long', because: '64 KB is no name' },
])('$problem: $because', ({ id, problem }) => {
  expect(idProblem(id)).toBe(problem)
})
