/** Several boosters as one: their mean, and the same trees over a wider row. */
import { assert } from '../src/core/errors.ts'
import type { Booster } from './booster.ts'

/** The booster whose margin is the mean of the members' margins: leaves and bases count 1/n each. */
export function meanOf(members: readonly Booster[]): Booster {
  assert(members.length > 0)
  const [first] = members
  const share = 1 / members.length
  const importance = new Float64Array(first.featureCount)
  for (const member of members) {
    for (const [f, gain] of member.importance.entries()) importance[f] += gain * share
  }
  return {
    featureCount: first.featureCount,
    base: Math.fround(members.reduce((sum, { base }) => sum + base, 0) * share),
    trees: members.flatMap(({ trees }) =>
      trees.map((tree) => ({ ...tree, value: tree.value.map((value) => value * share) })),
    ),
    importance,
  }
}

/** The same trees over full rows, when they were grown on some of the columns. */
export function widen(booster: Booster, columns: Uint32Array, featureCount: number): Booster {
  const importance = new Float64Array(featureCount)
  for (const [f, gain] of booster.importance.entries()) importance[columns[f]] = gain
  return {
    ...booster,
    featureCount,
    importance,
    trees: booster.trees.map((tree) => ({
      ...tree,
      feature: tree.feature.map((feature) => (feature < 0 ? feature : columns[feature])),
    })),
  }
}
