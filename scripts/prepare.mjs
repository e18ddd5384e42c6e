// What must be there before anything runs: a Node.js that is new enough, the packages, the build.
// Everything it prints goes to stderr, so that `npm start -- --json` prints JSON and nothing else.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const NODE_MIN = [20, 19]
const SOURCES = ['src', 'training', 'wasm', 'dashboard', 'scripts/build.mjs', 'package-lock.json']

export function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return
  fail(`Node.js ${NODE_MIN.join('.')} or newer is needed, this is ${process.versions.node}`)
}

/** npm leaves its own lock file in node_modules: older than ours means that packages have changed. */
export function installWhenNeeded() {
  const installed = join(root, 'node_modules/.package-lock.json')
  if (existsSync(installed) && changedAt(installed) >= changedAt(join(root, 'package-lock.json'))) {
    return
  }
  console.error('foreshock: installing packages (npm install)')
  run(process.platform === 'win32' ? 'npm.cmd' : 'npm', ['install', '--no-fund', '--no-audit'])
}

export function buildWhenStale() {
  const built = ['dist/src/main.js', 'dist/foreshock.wasm', 'dist/crc32c.wasm'].map((file) =>
    join(root, file),
  )
  const newest = Math.max(...SOURCES.map((source) => newestIn(join(root, source))))
  if (built.every((file) => existsSync(file) && changedAt(file) >= newest)) return
  console.error('foreshock: building')
  run(process.execPath, [join(root, 'scripts/build.mjs')])
}

/** Runs in the root with its output on stderr; ends this process where it fails. */
export function run(file, args) {
  const { status, error } = spawnSync(file, args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) fail(`${file} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`)
}

function newestIn(path) {
  if (!existsSync(path)) return 0
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(0, ...readdirSync(path).map((name) => newestIn(join(path, name))))
}

function changedAt(file) {
  return statSync(file).mtimeMs
}

function fail(message) {
  console.error(`foreshock: ${message}`)
  process.exit(1)
}
