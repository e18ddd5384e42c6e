// Goal: what the table "From fault to recovered" names is there, and no detector or rail is left out of it.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { RAILS } from '../../src/decide/admission.ts'
import { DETECTORS } from '../../src/detect/registry.ts'
import { createMetrics } from '../support/metrics.ts'
import { ROOT } from './source.ts'

const section =
  /### From fault to recovered\n([^]*?)\n### /.exec(read('ARCHITECTURE.md'))?.[1] ?? ''
const rows = section.split('\n').filter((line) => line.startsWith('| '))
const quoted = [...section.matchAll(/`([^`]+)`/g)].map(([, text]) => text)
const code = (folder: string) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => read(join(folder, file)))
    .join('\n')

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

test.each(quoted.filter((text) => text.includes('/') && text.includes('.')))(
  '%s is a file',
  (path) => {
    expect(existsSync(join(ROOT, path))).toBe(true)
  },
)

test('every metric is exported', async () => {
  const metrics = quoted.filter((text) => text.startsWith('foreshock_'))
  expect(metrics.length).toBeGreaterThan(10)
  const exported = await createMetrics().text()
  expect(metrics.filter((name) => !exported.includes(`# TYPE ${name} `))).toEqual([])
})

test('each key is one of a policy or a pool', () => {
  const keys = rows.flatMap((row) => {
    const cell = row.split('|')[3] ?? ''
    return row.split('|').length === 7
      ? [...cell.matchAll(/`([a-z_]+)`/g)].map(([, key]) => key)
      : []
  })
  expect(keys.length).toBeGreaterThan(10)
  for (const key of keys) expect(code('src/config')).toContain(`  ${key}: `)
})

test('every detector has a row', () => {
  const named = rows.flatMap((row) => /^\| `([a-z-]+)` \|/.exec(row)?.[1] ?? [])
  expect(named).toEqual(DETECTORS.map(({ name }) => name))
})

test('every rail has a row', () => {
  const named = rows
    .filter((row) => row.startsWith('| rail'))
    .flatMap((row) =>
      [...(row.split('|')[1] ?? '').matchAll(/`([a-z-]+)`/g)].map(([, rail]) => rail),
    )
  expect(named.sort()).toEqual(RAILS.map(({ rail }) => rail).sort())
})
