/**
 * Health of one node, 0 (unusable) to 1 (healthy): 40 % network, 30 % uptime, 20 % resources, 10 % trust.
 *
 * The readable reference. The WASM kernel computes the same over whole tiles; test/wasm holds them equal.
 */
import { assert } from './errors.ts'

export interface HealthParts {
  readonly network: number
  readonly uptime: number
  readonly resources: number
  readonly trust: number
}

export function healthScore({ network, uptime, resources, trust }: HealthParts): number {
  for (const part of [network, uptime, resources, trust]) {
    assert(part >= 0 && part <= 1, 'a part of health is 0..1')
  }
  return 0.4 * network + 0.3 * uptime + 0.2 * resources + 0.1 * trust
}

/** 1 at or beyond `good`, 0 at or beyond `bad`, linear between; either may be the larger. */
export function healthPart(value: number, good: number, bad: number): number {
  const ratio = (value - bad) / (good - bad)
  return ratio < 0 ? 0 : ratio > 1 ? 1 : ratio
}
