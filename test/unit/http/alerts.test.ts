// Goal: the alert rules that come with the package fire on what is really exported.
// Method: they are parsed by a strict reader of just the YAML that they use; a line it does not know is
// an error. Then each metric and each label in them is looked up in a scrape.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createMetrics } from '../../support/metrics.ts'

interface Rule {
  alert: string
  expr: string
  for: string
  severity: string
  summary: string
  runbook: string
}

const LINE =
  /^(?: {6}- (alert): (\w+)| {8}(expr|for): (.+)| {10}(severity): (\w+)| {10}(summary|runbook): '([^']+)')$/
const FRAME = /^(?: *#.*|groups:| {2}- name: [\w-]+| {4}rules:| {8}(?:labels|annotations):)$/

function rulesOf(text: string): readonly Rule[] {
  const rules: Partial<Rule>[] = []
  for (const line of text.trimEnd().split('\n')) {
    if (FRAME.test(line)) continue
    const found = LINE.exec(line)
    if (found === null) throw new Error(`a line that is none of a rule: ${line}`)
    const [key, value] = found.slice(1).filter((part) => part !== undefined)
    if (key === 'alert') rules.push({})
    Object.assign(rules.at(-1)!, { [key]: value })
  }
  return rules as Rule[]
}

const rules = rulesOf(readFileSync(new URL('../../../deploy/alerts.yaml', import.meta.url), 'utf8'))

/** Series → its labels, from a scrape in which everything has a value. */
const known = new Map<string, ReadonlySet<string>>()
for (const line of (await createMetrics().text()).split('\n')) {
  const [, name, list = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? []
  if (name === undefined) continue
  const labels = [...list.matchAll(/(\w+)="/g)].map(([, label]) => label)
  known.set(name, new Set([...(known.get(name) ?? []), ...labels]))
}

test('there are rules, each with a name of its own', () => {
  expect(rules.length).toBeGreaterThan(10)
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
})

test.each(rules)('$alert watches metrics that are exported, and says what to do', (rule) => {
  const metrics = rule.expr.match(/\b(?:foreshock|fault_tolerance)_\w+/g) ?? []
  expect(metrics.length).toBeGreaterThan(0)
  for (const name of metrics) expect([...known.keys()]).toContain(name)
  const labels = new Set(metrics.flatMap((name) => [...known.get(name)!]))
  const grouped = [...rule.expr.matchAll(/by \(([^)]+)\)/g)].flatMap(([, list]) => list.split(', '))
  const matched = [...rule.expr.matchAll(/[{,](\w+)!?=/g)].map(([, name]) => name)
  const shown = [...rule.summary.matchAll(/\$labels\.(\w+)/g)].map(([, name]) => name)
  for (const label of [...grouped, ...matched, ...shown]) {
    expect([...labels], `${rule.alert}: label ${label}`).toContain(label)
  }
  expect(rule.for).toMatch(/^\d+[mh]$/)
  expect(['info', 'warning', 'critical']).toContain(rule.severity)
  expect(rule.runbook.length).toBeGreaterThan(60)
})

test('a metric that is not exported, or a line that is none, would be found', () => {
  expect(known.has('foreshock_lag')).toBe(false)
  expect(() => rulesOf('groups:\n  - name: x\n    rule:')).toThrow('none of a rule')
})
