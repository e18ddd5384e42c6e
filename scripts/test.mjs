// `npm test` on a fresh clone: installs, builds, starts a real Kafka, checks, runs every test, stops the
// Kafka that it started, and ends with a line `N passed, N failed`.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findGpu } from './gpu.mjs'
import { buildWhenStale, installWhenNeeded, requireNode } from './prepare.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const CI = process.env.CI === 'true'

requireNode()
installWhenNeeded()
buildWhenStale()

const gpu = findGpu()
const broker = startBroker()
let passed = 0
let failed = 0
try {
  const checked = node(['scripts/check.mjs'])
  if (checked === 0) passed++
  else failed++
  const tests = runTests(process.argv.slice(2))
  passed += tests.passed
  failed += tests.failed
} finally {
  if (broker.started) node(['scripts/kafka.mjs', 'down'])
}
if (broker.problem !== null) {
  console.log(`\n${'!'.repeat(80)}\n${broker.problem}\n${'!'.repeat(80)}`)
  if (CI) failed++
}
if (gpu.problem !== null) {
  console.log(`\n${'!'.repeat(80)}\n${gpu.problem}\n${'!'.repeat(80)}`)
  if (gpu.isPromised) failed++
}
console.log(`\n${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)

/** Counts what vitest counted; a run that died before it could report is one failure. */
function runTests(args) {
  const directory = mkdtempSync(join(tmpdir(), 'foreshock-test-'))
  const report = join(directory, 'report.json')
  try {
    const status = node([
      'node_modules/vitest/vitest.mjs',
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...args,
    ])
    if (!existsSync(report)) return { passed: 0, failed: 1 }
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'))
    // A file that does not even load has no tests to fail.
    const broken = testResults.filter(
      ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
    ).length
    const counted = numFailedTests + broken
    return { passed: numPassedTests, failed: status !== 0 && counted === 0 ? 1 : counted }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** A broker that runs already, or one that was named, is used and left running. */
function startBroker() {
  if (process.env.FORESHOCK_TEST_BROKERS) return { started: false, problem: null }
  if (spawnSync('java', ['-version'], { stdio: 'ignore' }).status !== 0) {
    const problem =
      'No Java: the tests against a real Kafka were SKIPPED. Install Java 17 and Maven.'
    return { started: false, problem }
  }
  const running = node(['scripts/kafka.mjs', 'status'], 'ignore') === 0
  if (running) return { started: false, problem: null }
  if (node(['scripts/kafka.mjs', 'up']) === 0) return { started: true, problem: null }
  return { started: false, problem: 'Kafka did not start: its tests were SKIPPED. See above.' }
}

function node(args, stdio = 'inherit') {
  const env = { ...process.env, ...gpu.env }
  return spawnSync(process.execPath, args, { cwd: root, stdio, env }).status ?? 1
}
