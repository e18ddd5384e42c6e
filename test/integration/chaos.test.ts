/**
 * Goal: whoever of us dies, and wherever in a commit, no command is lost or repeated and every sample
 * is counted once. Method: the processes of `npm run chaos`, killed twice at each of the twelve points,
 * and its books, which kcat reads.
 */
import { describe, expect, test } from 'vitest'
import { runChaos } from '../support/chaos/chaos.ts'
import { kafkaBrokers, kcat, uniquePrefix } from '../support/kafka.ts'

const KILLS = 2
const LIMIT_MS = 240_000

const brokers = await kafkaBrokers()
const program = kcat()

describe.skipIf(brokers === null || program === null)('two processes of the service', () => {
  test(
    `killed ${KILLS} times at each point of a commit repeat and lose nothing`,
    async () => {
      const result = await runChaos({
        brokers: brokers!,
        kcat: program!,
        prefix: uniquePrefix('chaos'),
        kills: KILLS,
      })
      expect(result.findings, result.findings.join('\n')).toEqual([])
      expect(result).toMatchObject({
        kills: KILLS * result.points,
        commandsTwice: 0,
        fencesLost: 0,
        fencesTwice: 0,
        recoveriesLost: 0,
        recoveriesTwice: 0,
        uncalledFor: 0,
        rejected: 0,
        samplesLost: 0,
        samplesTwice: 0,
        behind: 0,
      })
      expect(result.failures).toBeGreaterThan(KILLS * result.points)
      expect(result.samples).toBeGreaterThan(result.failures)
    },
    LIMIT_MS,
  )
})
