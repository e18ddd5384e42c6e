// What ONNX Runtime's CUDA provider needs, and what is here. The npm package brings no CUDA library; the one in
// PyPI's onnxruntime-gpu of the same version is built for it, for CUDA 13.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export const CUDA = {
  /** Of onnxruntime-node and onnxruntime-gpu, which must be the same. */
  version: '1.30.0',
  wheel: {
    name: 'onnxruntime-gpu',
    python: '3.12',
    platforms: ['manylinux_2_28_x86_64', 'manylinux_2_27_x86_64'],
    sha256: '6acc0f4b3d5ac5f2984432faa59dd8fcce6775f8b43a7140afa0f322c7a703b1',
  },
  /** What is taken out of the wheel, with the sha256 of each. */
  libraries: {
    'libonnxruntime_providers_cuda.so':
      '35da2e7ed0dd0d1aec5cdb16ce11a51d06c0c48cf62d1b1c9332946a4fae14fc',
    'libonnxruntime_providers_shared.so':
      '086ec1d5388f64153d9c63470d126693db9a182c8ce236d3a1119068471b8a0d',
  },
  /** First branch of NVIDIA's Linux driver that runs CUDA 13. */
  driverMin: 580,
  /** Loaded by the provider: CUDA 13's own and cuDNN 9. */
  runtime: [
    'libcudart.so.13',
    'libcublas.so.13',
    'libcublasLt.so.13',
    'libcurand.so.10',
    'libcudnn.so.9',
  ],
}

/** Where onnxruntime-node keeps its native libraries, and looks for those of providers. */
export function runtimeDirectory() {
  const main = createRequire(import.meta.url).resolve('onnxruntime-node')
  return join(dirname(main), '..', 'bin', 'napi-v6', process.platform, process.arch)
}

/** Facts of this machine; nothing is judged yet. */
export async function inspect() {
  const smi = spawnSync(
    'nvidia-smi',
    ['--query-gpu=driver_version,name', '--format=csv,noheader'],
    {
      encoding: 'utf8',
    },
  )
  const [driver, gpu] = smi.status === 0 ? smi.stdout.split('\n')[0].split(', ') : [null, null]
  const directory = runtimeDirectory()
  const libraries = {}
  for (const name of Object.keys(CUDA.libraries)) {
    libraries[name] = await sha256(join(directory, name))
  }
  const require = createRequire(import.meta.url)
  return {
    platform: `${process.platform}-${process.arch}`,
    onnxRuntime: require('onnxruntime-node/package.json').version,
    driver,
    gpu,
    libraries,
    runtime: Object.fromEntries(CUDA.runtime.map((name) => [name, hasLibrary(name)])),
  }
}

/**
 * One line for each thing that is needed: what it is, what was found, whether that will do, and the mend.
 * `byUs`: `npm run setup:cuda` mends it.
 */
export function judge(facts) {
  const findings = [
    finding('platform', facts.platform, facts.platform === 'linux-x64', {
      mend: 'the CUDA library is built for linux-x64 only; elsewhere WebGPU serves',
    }),
    finding('ONNX Runtime', facts.onnxRuntime, facts.onnxRuntime === CUDA.version, {
      mend: `scripts/cuda.mjs names the library of ${CUDA.version}: its version and hashes must follow package.json`,
    }),
    finding('NVIDIA driver', driverText(facts), driverMajor(facts) >= CUDA.driverMin, {
      mend: `install NVIDIA's driver ${CUDA.driverMin} or newer: CUDA 13 needs it, and nvidia-smi must run`,
    }),
  ]
  for (const [name, isThere] of Object.entries(facts.runtime)) {
    findings.push(
      finding(name, isThere ? 'found' : 'not found', isThere, {
        mend: name.startsWith('libcudnn')
          ? 'install cuDNN 9 for CUDA 13, or name its folder in LD_LIBRARY_PATH'
          : 'install the CUDA 13 runtime, or name its folder in LD_LIBRARY_PATH',
      }),
    )
  }
  for (const [name, hash] of Object.entries(facts.libraries)) {
    const isRight = hash === CUDA.libraries[name]
    const found = hash === null ? 'not found' : isRight ? 'found' : 'another file'
    findings.push(finding(name, found, isRight, { byUs: true, mend: 'run `npm run setup:cuda`' }))
  }
  return findings
}

function finding(what, found, ok, { mend, byUs = false }) {
  return { what, found, ok, mend, byUs }
}

function driverText({ driver, gpu }) {
  return driver === null ? 'nvidia-smi finds none' : `${driver} (${gpu})`
}

function driverMajor({ driver }) {
  return driver === null ? 0 : Number.parseInt(driver, 10)
}

function hasLibrary(name) {
  const cache = spawnSync('ldconfig', ['-p'], { encoding: 'utf8' })
  if (cache.status === 0 && cache.stdout.includes(`${name} `)) return true
  const folders = (process.env.LD_LIBRARY_PATH ?? '').split(':').filter((folder) => folder !== '')
  return folders.some((folder) => existsSync(join(folder, name)))
}

/** Null where the file is not there. */
export async function sha256(file) {
  if (!existsSync(file)) return null
  const hash = createHash('sha256')
  for await (const part of createReadStream(file)) hash.update(part)
  return hash.digest('hex')
}
