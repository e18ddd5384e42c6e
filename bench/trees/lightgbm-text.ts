/** A booster as LightGBM's text format, so that every rival scores the same trees. */
import type { Booster, Tree } from '../../training/booster.ts'

/** Of a split: a number, a missing value is NaN; and which side a missing value takes. */
const MISSING_RIGHT = 8
const MISSING_LEFT = 10

/** Margins are those of the booster without its base, which LightGBM has no place for. */
export function toLightGbm(booster: Booster): string {
  const { featureCount } = booster
  const header = [
    'tree',
    'version=v4',
    'num_class=1',
    'num_tree_per_iteration=1',
    'label_index=0',
    `max_feature_idx=${featureCount - 1}`,
    'objective=binary sigmoid:1',
    line(
      'feature_names',
      range(featureCount).map((feature) => `f${feature}`),
    ),
    line(
      'feature_infos',
      range(featureCount).map(() => '[-1000:1000]'),
    ),
  ]
  const trees = booster.trees.map(
    (tree, index) => `${[`Tree=${index}`, ...treeLines(tree)].join('\n')}\n\n\n`,
  )
  const sizes = line(
    'tree_sizes',
    trees.map((tree) => tree.length),
  )
  return `${[...header, sizes].join('\n')}\n\n${trees.join('')}end of trees\n\npandas_categorical:null\n`
}

/** LightGBM numbers splits and leaves apart; a leaf as a child is the complement of its number. */
function treeLines({ feature, threshold, missingLeft, left, right, value, cover }: Tree): string[] {
  const nodes = range(feature.length)
  const splits = nodes.filter((node) => feature[node] >= 0)
  const leaves = nodes.filter((node) => feature[node] < 0)
  const numbers = new Map<number, number>()
  for (const [number, node] of splits.entries()) numbers.set(node, number)
  for (const [number, node] of leaves.entries()) numbers.set(node, ~number)
  const counts = (of: readonly number[]) => of.map((node) => Math.round(cover?.[node] ?? 0))
  const zeros = (of: readonly number[]) => of.map(() => 0)
  return [
    `num_leaves=${leaves.length}`,
    'num_cat=0',
    line(
      'split_feature',
      splits.map((node) => feature[node]),
    ),
    line('split_gain', zeros(splits)),
    line(
      'threshold',
      splits.map((node) => threshold[node]),
    ),
    line(
      'decision_type',
      splits.map((node) => (missingLeft[node] === 1 ? MISSING_LEFT : MISSING_RIGHT)),
    ),
    line(
      'left_child',
      splits.map((node) => numbers.get(left[node])!),
    ),
    line(
      'right_child',
      splits.map((node) => numbers.get(right[node])!),
    ),
    line(
      'leaf_value',
      leaves.map((node) => value[node]),
    ),
    line('leaf_weight', zeros(leaves)),
    line('leaf_count', counts(leaves)),
    line('internal_value', zeros(splits)),
    line('internal_weight', zeros(splits)),
    line('internal_count', counts(splits)),
    'is_linear=0',
    'shrinkage=1',
  ]
}

function line(name: string, values: readonly (number | string)[]): string {
  return `${name}=${values.join(' ')}`
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}
