import { expect, test } from 'vitest'
import { featuresEnding } from '../../../training/dataset.ts'
import { smallManifest } from '../../support/small-history.ts'

const NAMES = ['heat.mean.5h', 'heat.mean.15h', 'heat.max', 'wear_rise.max', 'age.hours']
const manifest = smallManifest()

test.each([
  { ending: 'age.hours', found: [4], because: 'a whole name is an ending' },
  { ending: 'max', found: [2, 3], because: 'a kind of feature is that of every metric' },
  { ending: 'heat.mean.*', found: [0, 1], because: 'a star stands for any half-life' },
  { ending: '*_rise.max', found: [3], because: 'a star stands for a part of a name too' },
])('"$ending" is the ending of features $found: $because', ({ ending, found }) => {
  expect(featuresEnding(manifest, [ending], NAMES)).toEqual(found)
})

test.each(['ax', 'mean', 'rise.max', 'cold.*'])('"%s" is the ending of none', (ending) => {
  expect(() => featuresEnding(manifest, [ending], NAMES)).toThrow(
    expect.objectContaining({ code: 'HISTORY_INVALID', message: expect.stringContaining(ending) }),
  )
})
