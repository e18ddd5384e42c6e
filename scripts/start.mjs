// `npm start` on a fresh clone: installs, builds, and runs the service with the demonstration fleet.
// Uses nothing but Node.js, because nothing is installed yet.
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildWhenStale, installWhenNeeded, requireNode } from './prepare.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

requireNode()
installWhenNeeded()
buildWhenStale()

// As the installed binary has it: what a transaction holds dies young.
const YOUNG = '--max-semi-space-size=64'
// Arguments without a command belong to `serve --fleet`; `npm start -- serve ...` says its own.
const given = process.argv.slice(2)
const own = given.length > 0 && !given[0].startsWith('-')
const service = spawn(
  process.execPath,
  [YOUNG, join(root, 'dist/src/main.js'), ...(own ? given : ['serve', '--fleet', ...given])],
  { cwd: root, stdio: 'inherit' },
)
// A terminal's Ctrl-C reaches the child by itself; a signal sent to this process alone does not.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) service.kill(signal)
  })
}
service.on('error', (error) => {
  console.error(`foreshock: the service could not be started: ${error.message}`)
  process.exit(1)
})
service.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1))
