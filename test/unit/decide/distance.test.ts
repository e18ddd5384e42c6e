import { expect, test } from 'vitest'
import { latencyMsByPlace } from '../../../src/decide/distance.ts'

const at = (latitude: number | null, longitude: number | null) => ({
  zone: null,
  region: null,
  latitude,
  longitude,
})

test.each([
  { from: at(52.52, 13.405), to: at(52.52, 13.405), ms: 0, because: 'it is the same place' },
  {
    from: at(52.52, 13.405),
    to: at(48.137, 11.575),
    ms: 5.04,
    because: 'Berlin and Munich are 504 km apart',
  },
  { from: at(0, 0), to: at(0, 180), ms: 200.2, because: 'half the earth is 20,015 km' },
])('there and back takes at least $ms ms, because $because', ({ from, to, ms }) => {
  expect(latencyMsByPlace(from, to)).toBeCloseTo(ms, 1)
  expect(latencyMsByPlace(to, from)).toBeCloseTo(ms, 1)
})

test('nothing is known of a place without coordinates', () => {
  expect(latencyMsByPlace(at(1, 1), at(null, 1))).toBeNull()
  expect(latencyMsByPlace(at(1, 1), null)).toBeNull()
})
