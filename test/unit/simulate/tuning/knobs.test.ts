// Goal: every key that is tuned may change while the service runs, has bounds that the configuration takes and
// that hold its default; and a drawn candidate is the file that would be written for it.
import { fc, test as property } from '@fast-check/vitest'
import { expect, test } from 'vitest'
import { loadConfig } from '../../../../src/config/config.ts'
import { toPolicy } from '../../../../src/config/policy.ts'
import { isRuntimeKey } from '../../../../src/config/runtime.ts'
import { DEFAULT_POLICY } from '../../../../src/core/policy.ts'
import { actingTable, type Knob, KNOBS, withValues } from '../../../../src/simulate/tuning/knobs.ts'
import { changesOf, drawCandidates, overlayToml } from '../../../../src/simulate/tuning/space.ts'

const policyOf = (toml: string) => loadConfig({ text: toml, env: {} }).policy
const knob = (key: string): Knob => KNOBS.find((each) => each.key === key)!

test('each is listed once', () => {
  expect(new Set(KNOBS.map(({ key }) => key)).size).toBe(KNOBS.length)
})

test.each(KNOBS)('$key may change at runtime, within $low and $high', (tuned) => {
  const { key, low, high, now } = tuned
  expect(isRuntimeKey(key)).toBe(true)
  const initial = now(DEFAULT_POLICY)!
  expect(initial).toBeGreaterThanOrEqual(low)
  expect(initial).toBeLessThanOrEqual(high)
  for (const bound of [low, high]) {
    const changes = changesOf({ [key]: bound }, KNOBS, DEFAULT_POLICY)
    const policy = policyOf(overlayToml(changes, ['a bound']))
    expect(now(policy)).toBe(bound)
  }
})

property.prop([fc.integer({ min: 0, max: 1e5 })])(
  'candidates stay within bounds, differ from what is set, and are what their file says',
  (seed) => {
    const [unchanged, ...drawn] = drawCandidates({}, KNOBS, 5, seed)
    expect(unchanged).toEqual({ id: 0, values: {} })
    for (const { values } of drawn) {
      const changes = changesOf(values, KNOBS, DEFAULT_POLICY)
      expect(changes.map(({ key }) => key).sort()).toEqual(Object.keys(values).sort())
      expect(changes.length).toBeGreaterThan(0)
      for (const [key, value] of Object.entries(values)) {
        expect(value).toBeGreaterThanOrEqual(knob(key).low)
        expect(value).toBeLessThanOrEqual(knob(key).high)
        expect(value).not.toBe(knob(key).now(DEFAULT_POLICY))
      }
      const policy = policyOf(overlayToml(changes, ['a remark', 'of two lines']))
      expect(policy).toEqual(toPolicy(withValues({}, values), {}))
    }
  },
)

test('the same seed draws the same, and more begin with the fewer', () => {
  const few = drawCandidates({}, KNOBS, 4, 7)
  expect(drawCandidates({}, KNOBS, 9, 7).slice(0, 5)).toEqual(few)
  expect(drawCandidates({}, KNOBS, 4, 8)).not.toEqual(few)
})

test('a value of the file is kept beside those that change', () => {
  const table = { cooldown: 60_000, detectors: { threshold: { persistence: 3 } } }
  const values = { 'policy.budget': 0.2, 'policy.detectors.threshold.resource_usage_warning': 70 }
  const policy = toPolicy(withValues(table, values), {})
  expect(policy).toMatchObject({ cooldownMs: 60_000, budgetRatio: 0.2 })
  expect(policy.detectors).toEqual({ threshold: { persistence: 3, resourceUsageWarning: 70 } })
})

test('a policy that says its acting point in another way keeps it', () => {
  const table = { acting_point: 'card' as const }
  const only = [knob('policy.acting_point')]
  expect(() => drawCandidates(table, only, 3, 1)).toThrow('no key is left that could be tuned')
})

test('bounds that leave only what is set are told', () => {
  const fixed = [{ ...knob('policy.persistence'), low: 1, high: 1 }]
  expect(() => drawCandidates({}, fixed, 3, 1)).toThrow(
    'the bounds of policy.persistence leave nothing that is sound and differs from what is set',
  )
})

test('what contradicts the rest of the file is never drawn', () => {
  const table = { detectors: { fail_slow: { error_score: 13, warning_score: 12 } } }
  const only = [{ ...knob('policy.detectors.fail_slow.warning_score'), low: 8, high: 15 }]
  for (const { values } of drawCandidates(table, only, 40, 2).slice(1)) {
    expect(values['policy.detectors.fail_slow.warning_score']).toBeLessThan(13)
  }
})

test('what is tuned against acts, forgives within a run, and is what operators have beside that', () => {
  const table = {
    mode: 'observe' as const,
    cooldown: 60_000,
    detectors: { byzantine: { half_life: 86_400_000, lie_cost: 0.3 } },
  }
  const policy = toPolicy(actingTable(table), {})
  expect(policy).toMatchObject({ mode: 'enforce', cooldownMs: 60_000, commandTtlMs: 60_000 })
  expect(policy.detectors).toEqual({ byzantine: { halfLife: 600_000, lieCost: 0.3 } })
  expect(toPolicy(actingTable({ ...table, command_ttl: 90_000 }), {}).commandTtlMs).toBe(90_000)
})
