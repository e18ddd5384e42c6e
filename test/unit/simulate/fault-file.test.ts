import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { packageRoot } from '../../../src/commands/package.ts'
import { parseToml } from '../../../src/config/toml.ts'
import { createInventory } from '../../../src/fleet/inventory.ts'
import { parseFaults } from '../../../src/simulate/fault-file.ts'
import { drawSchedule } from '../../../src/simulate/schedule.ts'

const FOLDER = join(packageRoot(), 'faults')
const HOUR_MS = 3_600_000

function parsed(text: string) {
  return parseFaults(parseToml(text, 'faults.toml'), 'faults.toml')
}

test.each(readdirSync(FOLDER))('faults/%s is one', (name) => {
  expect(() => parsed(readFileSync(join(FOLDER, name), 'utf8'))).not.toThrow()
})

test.each([
  { text: '[zone_los]\n', says: 'did you mean `zone_loss`' },
  { text: '[zone_loss]\nper_hour = [1, 0]\nlasts = ["1s", "2s"]\n', says: 'the least first' },
  { text: '[zone_loss]\nper_hour = [0, 1]\nlasts = ["1s", "soon"]\n', says: 'is no duration' },
  { text: '[zone_loss]\nper_hour = [0, 1]\n', says: 'zone_loss.lasts' },
])('a mistake is named, with what to do: $says', ({ text, says }) => {
  expect(() => parsed(text)).toThrow(says)
})

test('a seed draws its own rate, and as many faults as it says', () => {
  const { nodes } = createInventory(1, 200)
  const faults = parsed('[slow]\nper_node_hour = [1, 1]\nlasts = ["1s", "2s"]\nfactor = [2, 3]\n')
  const draw = (seed: number) =>
    drawSchedule({ seed, nodes, executorCount: 2, lengthMs: 10 * HOUR_MS, faults })
  expect(draw(1)).toEqual(draw(1))
  expect(draw(1)).not.toEqual(draw(2))
  // 2,000 node-hours: a Poisson count within four standard deviations.
  expect(Math.abs(draw(1).length - 2_000)).toBeLessThan(4 * Math.sqrt(2_000))
})

test('measured repair times take the place of the percentiles', () => {
  const { nodes } = createInventory(1, 50)
  const faults = parsed(readFileSync(join(FOLDER, 'measured.toml'), 'utf8'))
  const crashes = { ...faults.crashes!, per_node_hour: [1, 1] as [number, number] }
  const schedule = drawSchedule({
    seed: 3,
    nodes,
    executorCount: 2,
    lengthMs: 10 * HOUR_MS,
    faults: { crashes },
    repairHours: [7],
  })
  const repairs = schedule.flatMap((each) => (each.kind === 'crash' ? [each.repairMs] : []))
  expect(new Set(repairs)).toEqual(new Set([7 * HOUR_MS]))
})
