// `npm run test:gpu`: the tests that need a device, on this machine's GPU or on one in software. Without
// either they are skipped, loudly; where one was promised and is not there, that is a failure.
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findGpu } from './gpu.mjs'
import { buildWhenStale, installWhenNeeded, requireNode } from './prepare.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

requireNode()
installWhenNeeded()
buildWhenStale()
const gpu = findGpu()
if (gpu.problem !== null) {
  console.log(`\n${'!'.repeat(80)}\n${gpu.problem}\n${'!'.repeat(80)}`)
  process.exit(gpu.isPromised ? 1 : 0)
}
console.log(`foreshock: GPU tests on a ${gpu.env.FORESHOCK_TEST_GPU} device`)
const tests = [
  'node_modules/vitest/vitest.mjs',
  'run',
  '--project',
  'gpu',
  ...process.argv.slice(2),
]
const env = { ...process.env, ...gpu.env }
process.exit(spawnSync(process.execPath, tests, { cwd: root, stdio: 'inherit', env }).status ?? 1)
