// Goal: rows of several watchers go to the device together, each gets its own back, and a device that fails fails
// all that were in the run and nothing else.
import { expect, test } from 'vitest'
import { InferenceQueue, type QueuedModel } from '../../../src/predict/inference-queue.ts'

const WIDTH = 2

/** Says the first key of each row; remembers how many rows its runs had. */
function world({ rowsPerRun = 100 } = {}) {
  const runs: number[] = []
  const state = { fails: false }
  const model: QueuedModel = {
    rowsPerRun,
    encoder: { width: WIDTH },
    run: async (rows, rowCount) => {
      runs.push(rowCount)
      await Promise.resolve()
      if (state.fails) throw new Error('device lost')
      const first = Float32Array.from({ length: rowCount }, (_, row) => rows[row * WIDTH])
      return { probability: first, margin: first }
    },
  }
  const queue = new InferenceQueue(model)
  const ask = async (keys: readonly number[]) => {
    const rows = Int32Array.from(keys.flatMap((key) => [key, 0]))
    return [...(await queue.run(rows, keys.length)).probability]
  }
  return { queue, runs, state, ask }
}

test('requests that wait together are one run, and each is answered with its own rows', async () => {
  const { queue, runs, ask } = world()
  expect(await Promise.all([ask([1, 2]), ask([3]), ask([4, 5, 6])])).toEqual([
    [1, 2],
    [3],
    [4, 5, 6],
  ])
  expect([runs, queue.runCount]).toEqual([[6], 1])
})

test('a run takes no more rows than the device does at a time, and what is larger goes alone', async () => {
  const { runs, ask } = world({ rowsPerRun: 4 })
  const answers = await Promise.all([ask([1, 2, 3]), ask([4, 5]), ask([6]), ask([7, 8, 9, 10, 11])])
  expect(answers).toEqual([[1, 2, 3], [4, 5], [6], [7, 8, 9, 10, 11]])
  expect(runs).toEqual([3, 3, 5])
})

test('what arrives during a run goes into the next one', async () => {
  const { runs, ask } = world()
  const first = ask([1])
  await first
  expect(await Promise.all([ask([2]), ask([3])])).toEqual([[2], [3]])
  expect(runs).toEqual([1, 2])
})

test('a device that fails fails each request of the run, and later ones are asked again', async () => {
  const { state, ask } = world()
  state.fails = true
  const lost = await Promise.allSettled([ask([1]), ask([2])])
  expect(lost.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  state.fails = false
  expect(await ask([3])).toEqual([3])
})
