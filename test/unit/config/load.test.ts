// Goal: how much a node may carry is set by one bound for each reason, and none contradicts another.
import { expect, test } from 'vitest'
import { loadConfig, policyFor } from '../../../src/config/config.ts'

const load = (text: string) => policyFor(loadConfig({ text, env: {} }), 'any')

test('work that is down may load its target more than other work', () => {
  expect(load('').recoveryLoadMaxRatio).toBe(1)
  expect(load('[policy]\nrecovery_load_max = 0.95').recoveryLoadMaxRatio).toBe(0.95)
  expect(() => load('[policy]\nrecovery_load_max = 0.8')).toThrow(
    /recovery_load_max: 0.8 is too little; set it to at least target_load_max \(0.9\)/,
  )
})

test('what is moved for load is moved over a limit of its own, at least that of targets', () => {
  expect(load('').overloadRatio).toBeNull()
  expect(load('[policy]\noverload = 1.2').overloadRatio).toBe(1.2)
  expect(load('[policy]\noverload = 1.2').version).not.toBe('default')
  expect(load('[policy]\nregional_failover = true')).toMatchObject({ regionalFailover: true })
  expect(() => load('[policy]\noverload = 0.8')).toThrow(
    /overload: 0.8 is too little; set it to at least target_load_max \(0.9\)/,
  )
})
