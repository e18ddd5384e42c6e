// Goal: what a group has committed is told whole or not at all.
import { expect, test } from 'vitest'
import { fetchGroupOffsets } from '../../../../src/bus/kafka/group-offsets.ts'
import { ServiceError } from '../../../../src/core/errors.ts'

type Answer = readonly { readonly topic: string; readonly partitions: readonly Partition[] }[]
interface Partition {
  readonly partition: number
  readonly offset: string
  readonly metadata: null
}

const partition = (number: number, offset: string): Partition => ({
  partition: number,
  offset,
  metadata: null,
})
const LEDGER = { topic: 'ledger', partitions: [partition(1, '-1'), partition(0, '7')] }
const INPUT = { topic: 'input', partitions: [partition(0, '3')] }

/** Gives these answers one after the other. */
function admin(answers: readonly (Answer | Error)[]) {
  const left = [...answers]
  return {
    fetchOffsets: async () => {
      const answer = left.shift()
      if (answer === undefined || answer instanceof Error) throw answer ?? new Error('asked again')
      return answer.map(({ topic, partitions }) => ({ topic, partitions: [...partitions] }))
    },
  }
}

const whole = new Map([
  ['ledger', [7, 0]],
  ['input', [3]],
])
const loading = Object.assign(new Error('loading'), { type: 'GROUP_LOAD_IN_PROGRESS' })

test.each([
  { answers: [[LEDGER, INPUT]], because: 'all is told, in any order' },
  {
    answers: [
      [LEDGER, { topic: 'input', partitions: [] }],
      [LEDGER, INPUT],
    ],
    because: 'a topic was forgotten',
  },
  { answers: [[LEDGER], [LEDGER, INPUT]], because: 'a topic was left out' },
  { answers: [loading, [LEDGER, INPUT]], because: 'the group is being loaded' },
])('offsets of every partition: $because', async ({ answers }) => {
  expect(await fetchGroupOffsets(admin(answers), 'g', ['ledger', 'input'])).toEqual(whole)
})

test('a failure that does not pass is not asked again', async () => {
  const closed = new ServiceError('BUS_CLOSED', 'closed')
  await expect(fetchGroupOffsets(admin([closed]), 'g', ['input'])).rejects.toBe(closed)
})
