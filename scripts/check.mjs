// `npm run check`: everything that judges the code without running it. All of it runs, also after a
// failure, so that one run shows all there is to mend.
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

const checks = [
  { name: 'types', file: 'typescript/bin/tsc', args: ['--noEmit', '-p', 'tsconfig.json'] },
  { name: 'types of core', file: 'typescript/bin/tsc', args: ['-p', 'tsconfig.core.json'] },
  { name: 'lint', file: 'oxlint/bin/oxlint', args: ['--type-aware'] },
  { name: 'format', file: 'oxfmt/bin/oxfmt', args: ['--check'] },
  { name: 'unused code', file: 'knip/bin/knip.js', args: [] },
  { name: 'tidy', file: 'vitest/vitest.mjs', args: ['run', '--project', 'tidy'] },
]

const failed = []
for (const { name, file, args } of checks) {
  console.log(`== ${name}`)
  const { status } = spawnSync(process.execPath, [join(root, 'node_modules', file), ...args], {
    cwd: root,
    stdio: 'inherit',
  })
  if (status !== 0) failed.push(name)
}
console.log(failed.length === 0 ? 'all checks passed' : `failed: ${failed.join(', ')}`)
process.exit(failed.length === 0 ? 0 : 1)
