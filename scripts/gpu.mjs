// The device that tests of GPU code run on: the machine's own, or a Vulkan driver in software, which is set up
// by a tool beside this checkout or one that FORESHOCK_SOFTWARE_GPU names. A software device proves that
// the GPU path runs and agrees; it says nothing of speed.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const TOOL = join(root, '../shared/tools/software-gpu')
const DIRECTORY = join(root, '.cache/software-gpu')

/**
 * Variables for the tests: FORESHOCK_TEST_GPU says that there is a device, the others name its driver.
 * `problem` is why there is none; `isPromised`: there should have been one.
 */
export function findGpu() {
  if (process.env.FORESHOCK_TEST_GPU) return found(process.env.FORESHOCK_TEST_GPU)
  if (process.env.VK_DRIVER_FILES || process.env.VK_ICD_FILENAMES) return found('named')
  const tool = process.env.FORESHOCK_SOFTWARE_GPU || TOOL
  if (existsSync(tool)) return softwareGpu(tool)
  if (process.env.FORESHOCK_SOFTWARE_GPU) return none(`${tool} is not there`, true)
  if (hasDevice()) return found('device')
  return none('there is no GPU, and no software device', false)
}

/** Prints `export NAME='value' ...` on its last line. */
function softwareGpu(tool) {
  const { status, stdout, stderr, error } = spawnSync(tool, [DIRECTORY], { encoding: 'utf8' })
  const env = {}
  for (const [, name, value] of (stdout ?? '').matchAll(/\b([A-Z_]+)='([^']*)'/g)) env[name] = value
  if (status === 0 && env.VK_DRIVER_FILES) return found('software', env)
  const why = error?.message ?? stderr.trim().split('\n').at(-1) ?? 'it printed no driver'
  return none(`${tool} failed: ${why}`, true)
}

function hasDevice() {
  if (process.platform !== 'linux') return true
  if (existsSync('/dev/nvidiactl')) return true
  return (
    existsSync('/dev/dri') && readdirSync('/dev/dri').some((name) => name.startsWith('renderD'))
  )
}

function found(kind, env = {}) {
  return { env: { ...env, FORESHOCK_TEST_GPU: kind }, problem: null, isPromised: false }
}

function none(why, isPromised) {
  const problem = `No GPU: the tests of GPU code were SKIPPED (${why}).`
  return { env: {}, problem, isPromised }
}
