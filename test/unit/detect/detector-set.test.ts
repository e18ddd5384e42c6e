import { expect, test } from 'vitest'
import type { Fault, Severity } from '../../../src/core/fault.ts'
import type { NodeId, PoolId } from '../../../src/core/ids.ts'
import { detector, type DetectorFold, found, well } from '../../../src/detect/detector.ts'
import { DetectorSet, STANDING_FAULTS_MAX } from '../../../src/detect/detector-set.ts'
import { DETECTORS } from '../../../src/detect/registry.ts'
import { count, isEnabled, tomlName, valuesOf } from '../../../src/detect/settings.ts'

const POOL = 'p' as PoolId

function fault(subject: string, severity: Severity = 'error'): Fault {
  const node = subject as NodeId
  const base = {
    detector: 'echo',
    kind: 'software',
    pool: POOL,
    atMs: 1,
    confidenceRatio: 1,
  } as const
  return { ...base, subject, node, severity, evidence: [] }
}

/** Says what it is told to: the node of a recovery is `SUBJECT:WHAT`. */
const echo = detector({
  name: 'echo',
  inputs: ['recovery'],
  enabled: true,
  settings: { limit: count(3, 1, 10) },
  create: (values): DetectorFold => ({
    take(input) {
      if (input.kind !== 'recovery') return []
      const [subject, what] = input.node.split(':')
      return what === 'well' ? well(subject, 'so it says') : found(fault(subject, what as Severity))
    },
    stats: () => ({ limit: values.limit }),
  }),
})

function say(set: DetectorSet, what: string): readonly string[] {
  const told = set.take({ kind: 'recovery', node: what as NodeId }, 1)
  return told.map((one) => `${one.state} ${one.fault.subject}`)
}

test('a fault is new once, stands while it is repeated, is new again when graver, and is cleared once', () => {
  const set = new DetectorSet(POOL, {}, [echo])
  expect(say(set, 'a:warning')).toEqual(['raised a'])
  expect(say(set, 'a:warning')).toEqual(['stands a'])
  expect(say(set, 'a:critical')).toEqual(['raised a'])
  expect(set.standing().map(({ subject }) => subject)).toEqual(['a'])
  expect(say(set, 'a:well')).toEqual(['cleared a'])
  expect(say(set, 'a:well')).toEqual([])
  expect(set.stats()).toEqual({
    'echo/inputs': 5,
    'echo/raised': 2,
    'echo/cleared': 1,
    'echo/dropped': 0,
    'echo/standing': 0,
    'echo/limit': 3,
  })
})

test('faults beyond the limit are counted and not told', () => {
  const set = new DetectorSet(POOL, {}, [echo])
  for (let i = 0; i < STANDING_FAULTS_MAX; i++) say(set, `n${i}:error`)
  expect(say(set, 'more:error')).toEqual([])
  expect(set.stats()['echo/dropped']).toBe(1)
})

test('a detector that is switched off is asked for nothing', () => {
  const set = new DetectorSet(POOL, { echo: { enabled: false } }, [echo])
  expect(say(set, 'a:error')).toEqual([])
})

test('what was said of a node is over when it is gone, also where its detector does not ask', () => {
  const set = new DetectorSet(POOL, {}, [echo])
  for (const node of ['a', 'b']) say(set, `${node}:error`)
  const told = set.take({ kind: 'departure', node: 'a' as NodeId }, 1)
  expect(told.map(({ state, fault: { subject } }) => `${state} ${subject}`)).toEqual(['cleared a'])
  expect(set.standing().map(({ subject }) => subject)).toEqual(['b'])
})

test('a setting of the policy stands in the place of the default', () => {
  expect(valuesOf(echo, { echo: { limit: 7 } })).toEqual({ limit: 7 })
  expect(valuesOf(echo, {})).toEqual({ limit: 3 })
})

test('names are one of a kind, and every default is within its bounds and consistent', () => {
  expect(new Set(DETECTORS.map(({ name }) => tomlName(name))).size).toBe(DETECTORS.length)
  for (const each of DETECTORS) {
    for (const [name, { initial, min, max }] of Object.entries(each.settings)) {
      expect(initial >= min && initial <= max, `${each.name}.${name}`).toBe(true)
    }
    expect(each.check?.(valuesOf(each, {})) ?? null, each.name).toBeNull()
    expect(isEnabled(each, { [each.name]: { enabled: !each.enabled } })).toBe(!each.enabled)
  }
})

test('other settings begin the detector anew, and what it had found is cleared', () => {
  const set = new DetectorSet(POOL, {}, [echo])
  say(set, 'a:warning')
  expect(set.follow({ other: { limit: 4 } })).toEqual([])
  expect(say(set, 'a:warning')).toEqual(['stands a'])
  const told = set.follow({ echo: { limit: 4 } })
  expect(told.map((one) => `${one.state} ${one.fault.subject}`)).toEqual(['cleared a'])
  expect(set.stats()['echo/limit']).toBe(4)
  expect(say(set, 'a:warning')).toEqual(['raised a'])
  expect(set.follow({ echo: { enabled: false } })).toHaveLength(1)
  expect(say(set, 'a:warning')).toEqual([])
  set.follow({})
  expect(say(set, 'a:warning')).toEqual(['raised a'])
})
