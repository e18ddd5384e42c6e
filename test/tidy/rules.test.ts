// Goal: every rule can fail; a rule that cannot would hold nothing.
import { expect, test } from 'vitest'
import {
  impurityProblems,
  layerProblems,
  portabilityProblems,
  sizeProblems,
  wordProblems,
} from './rules.ts'
import { codeOf, importsOf, lineCount } from './source.ts'

const from = (specifier: string): string => `import { x } from '${specifier}'\n`

test.each([
  { path: 'src/core/a.ts', text: from('zod'), because: 'core imports no package' },
  { path: 'src/core/a.ts', text: from('node:fs'), because: 'core imports nothing of Node.js' },
  { path: 'src/core/a.ts', text: from('../bus/b.ts'), because: 'core imports no other folder' },
  {
    path: 'src/decide/a.ts',
    text: from('../predict/b.ts'),
    because: 'stages do not know each other',
  },
  { path: 'src/http/a.ts', text: from('../pipeline/b.ts'), because: 'the console decides nothing' },
  { path: 'src/simulate/a.ts', text: from('../bus/kafka/b.ts'), because: 'only the simulated bus' },
  { path: 'src/ingest/a.ts', text: "await import('../state/b.ts')", because: 'dynamic ones count' },
  {
    path: 'src/ingest/a.ts',
    text: "export { x } from '../state/b.ts'",
    because: 're-exports count',
  },
  {
    path: 'src/state/a.ts',
    text: from('../../test/support/b.ts'),
    because: 'code imports no test',
  },
  { path: 'src/novel/a.ts', text: '', because: 'a new folder needs a line in the table' },
])('an import is found in $path: $because', ({ path, text }) => {
  expect(layerProblems({ path, text })).toHaveLength(1)
})

test.each([
  { path: 'src/decide/a.ts', text: from('../core/b.ts') },
  { path: 'src/simulate/a.ts', text: from('../bus/simulated/b.ts') },
  { path: 'src/http/a.ts', text: from('hono') },
  { path: 'src/main.ts', text: from('./commands/cli.ts') },
  { path: 'training/a.ts', text: from('../src/state/b.ts') },
  { path: 'src/core/a.ts', text: `// see ${from('zod')}` },
])('$path may import $text', ({ path, text }) => {
  expect(layerProblems({ path, text })).toEqual([])
})

test('a file over the limit is found, blanks and comments not counted', () => {
  const file = (lines: number) => ({
    path: 'src/core/a.ts',
    text: `/*\n long\n*/\n${'// why\n\nfold()\n'.repeat(lines)}`,
  })
  expect(sizeProblems(file(400))).toEqual([])
  expect(sizeProblems(file(401))).toHaveLength(1)
})

test.each([
  { text: 'function f(x: any) {}', because: 'any' },
  { text: 'const y = x as any', because: 'as any' },
  { text: 'enum Colour { Red }', because: 'enum' },
  { text: 'export const enum Colour { Red }', because: 'const enum' },
  { text: 'namespace Shapes {}', because: 'namespace' },
  { text: 'export default 1', because: 'default export' },
  { text: 'class A { constructor(private x: number) {} }', because: 'parameter property' },
  { text: '// TODO later', because: 'a note to do later' },
  { text: '// @ts-ignore\nf()', because: 'a switched-off check' },
])('$because is found', ({ text }) => {
  expect(wordProblems({ path: 'src/core/a.ts', text }).length).toBeGreaterThan(0)
})

test.each(['src/core/utils.ts', 'src/bus/helpers/a.ts', 'test/common/a.ts', 'src/core/types.ts'])(
  'the name %s says nothing',
  (path) => {
    expect(wordProblems({ path, text: '' })).toHaveLength(1)
  },
)

test.each([
  "const s = 'as any'",
  '// any enum',
  'const company: string',
  'const many = f<Company>()',
])('%s is fine', (text) => {
  expect(wordProblems({ path: 'src/core/a.ts', text })).toEqual([])
})

test.each([
  { path: 'src/core/a.ts', text: 'const t = Date.now()' },
  { path: 'src/decide/a.ts', text: 'const r = Math.random()' },
  { path: 'src/detect/a.ts', text: 'const t = new Date()' },
  { path: 'src/fleet/a.ts', text: 'const t = `${Date.now()}`' },
  { path: 'src/commands/a.ts', text: 'const e = process.env' },
])('$text is found in $path', ({ path, text }) => {
  expect(impurityProblems({ path, text })).toHaveLength(1)
})

test.each([
  { path: 'src/main.ts', text: 'const e = process.env' },
  { path: 'src/bus/a.ts', text: 'const t = Date.now()' },
  { path: 'src/core/a.ts', text: '// Date.now() would differ at each replay' },
  { path: 'src/core/a.ts', text: 'const t = new Date(atMs)' },
])('$text is fine in $path', ({ path, text }) => {
  expect(impurityProblems({ path, text })).toEqual([])
})

test.each([
  'see https://registry.example.org/x',
  'url = "http://host/artifactory".replace("host", "http://my-artifactory.example")',
  'cd /home/somebody/project',
  'file:///Users/somebody/x',
])('%s ties a file to one machine', (text) => {
  expect(portabilityProblems({ path: 'README.md', text })).toHaveLength(1)
})

test.each(['https://example.org/home/page', 'src/root/item.ts', 'GET /v1/nodes'])(
  '%s is fine anywhere',
  (text) => {
    expect(portabilityProblems({ path: 'README.md', text })).toEqual([])
  },
)

test('code is what is left without comments and texts', () => {
  expect(codeOf("f('a // b') // c").trimEnd()).toBe("f('      ')")
  expect(codeOf('`a ${b} c`').trim()).toBe('b')
  expect(lineCount('/** x */\nf()\n\n// y\ng() // z\n')).toBe(2)
})

test('imports are read in every form', () => {
  const text = `import 'a'\nimport type { B } from "b"\nexport * from 'c'\nawait import('d')\n`
  expect(importsOf(text)).toEqual(['a', 'b', 'c', 'd'])
})
