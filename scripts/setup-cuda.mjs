// `npm run setup:cuda`: puts ONNX Runtime's CUDA library beside onnxruntime-node's own, checked by its hash,
// and says whether driver, CUDA and cuDNN will do. `--check` only says. `--library` only fetches, as an
// image is built where there is no GPU. Exit 0: CUDA can serve; 1: something is missing; 2: wrong use.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { CUDA, inspect, judge, runtimeDirectory, sha256 } from './cuda.mjs'

const CACHE = join(dirname(fileURLToPath(import.meta.url)), '..', '.cache')

const { check, library } = options()
const before = await inspect()
if (!check && judge(before).some(({ ok, byUs }) => byUs && !ok)) await fetchLibrary(before)
const findings = judge(await inspect()).filter(({ byUs }) => byUs || !library)
for (const { what, found, ok, mend } of findings) {
  console.log(`${ok ? 'ok     ' : 'MISSING'} ${what}: ${found}${ok ? '' : ` — ${mend}`}`)
}
const isReady = findings.every(({ ok }) => ok)
if (library)
  console.log(isReady ? 'The CUDA library is in place.' : 'The CUDA library is not in place.')
else if (isReady) console.log('CUDA can serve: `inference.provider` `auto` takes it.')
else console.log('CUDA cannot serve yet; until then WebGPU or the CPU does.')
process.exit(isReady ? 0 : 1)

function options() {
  try {
    const { values } = parseArgs({
      options: { check: { type: 'boolean' }, library: { type: 'boolean' } },
    })
    return { check: values.check === true, library: values.library === true }
  } catch (error) {
    console.error(`setup-cuda: ${error.message}; known are --check and --library`)
    return process.exit(2)
  }
}

/** pip is the wheel's own client: it follows the machine's index, and refuses another hash. */
async function fetchLibrary({ platform, onnxRuntime }) {
  if (platform !== 'linux-x64' || onnxRuntime !== CUDA.version) return
  mkdirSync(CACHE, { recursive: true })
  const directory = mkdtempSync(join(CACHE, 'cuda-'))
  try {
    const { name, python, platforms, sha256: hash } = CUDA.wheel
    const wanted = join(directory, 'requirements.txt')
    writeFileSync(wanted, `${name}==${CUDA.version} --hash=sha256:${hash}\n`)
    console.error(`setup-cuda: fetching ${name} ${CUDA.version} (250 MB)`)
    run('python3', ['-m', 'venv', join(directory, 'venv')])
    const from = ['--python-version', python, '--implementation', 'cp']
    const kinds = platforms.flatMap((one) => ['--platform', one])
    const pip = [
      '-m',
      'pip',
      'download',
      '-q',
      '--no-deps',
      '--only-binary=:all:',
      '--no-cache-dir',
    ]
    const to = ['--require-hashes', '-r', wanted, '-d', directory]
    run(join(directory, 'venv/bin/python'), [...pip, ...from, ...kinds, ...to])
    const unpack = `import glob, zipfile; zipfile.ZipFile(glob.glob("*.whl")[0]).extractall("wheel")`
    run('python3', ['-c', unpack], directory)
    for (const [file, expected] of Object.entries(CUDA.libraries)) {
      await place(join(directory, 'wheel/onnxruntime/capi', file), file, expected)
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Whole or not at all: a half copied library would be loaded. */
async function place(from, file, expected) {
  if ((await sha256(from)) !== expected) {
    fail(`${file} in the wheel is not the file it should be; nothing was put in place`)
  }
  const target = join(runtimeDirectory(), file)
  copyFileSync(from, `${target}.part`)
  renameSync(`${target}.part`, target)
}

function run(file, args, cwd = CACHE) {
  const { status, error } = spawnSync(file, args, { cwd, stdio: ['ignore', 2, 2] })
  if (status !== 0)
    fail(`${file} ${args.slice(0, 4).join(' ')} failed${error ? `: ${error.message}` : ''}`)
}

function fail(message) {
  console.error(`setup-cuda: ${message}`)
  process.exit(1)
}
