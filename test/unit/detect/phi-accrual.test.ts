import { expect, test } from 'vitest'
import { phiAccrual } from '../../../src/detect/phi-accrual.ts'
import { DetectorFeed } from '../../support/detector-feed.ts'

test('a node whose quiet is a surprise is suspect, until it is heard of or silent for certain', () => {
  const feed = new DetectorFeed(phiAccrual)
  expect(feed.row('n', { phi: 7.9, trigger: 'liveness' })).toEqual([])
  expect(feed.row('n', { phi: 9, trigger: 'liveness' })).toEqual(['raised n warning'])
  expect(feed.row('n', { trigger: 'liveness' })).toEqual(['cleared n warning'])
  feed.row('n', { phi: 9, trigger: 'liveness' })
  expect(feed.row('n', { liveness: 'silent', phi: 12, trigger: 'liveness' })).toEqual([
    'cleared n warning',
  ])
})

test('the confidence is the chance that a quiet of this length is no accident', () => {
  const feed = new DetectorFeed(phiAccrual, { suspicion: 2 })
  feed.row('n', { phi: 2 })
  expect(feed.told[0].fault.confidenceRatio).toBeCloseTo(0.99, 10)
})
