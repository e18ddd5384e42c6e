// Builds everything into dist/: the WASM module, the emitted TypeScript and the page.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

function run(file, args) {
  const { status } = spawnSync(process.execPath, [join(root, 'node_modules', file), ...args], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) process.exit(status ?? 1)
}

export function buildWasm() {
  mkdirSync(join(root, 'dist'), { recursive: true })
  compile('index.ts', 'foreshock', ['--bindings=raw', '--importMemory'])
  compile('crc32c.ts', 'crc32c', [])
}

function compile(entry, name, more) {
  run('assemblyscript/bin/asc.js', [
    `wasm/assembly/${entry}`,
    `--outFile=dist/${name}.wasm`,
    '--runtime=stub',
    '--enable=simd',
    '--noAssert',
    // Vectors cross between our own files only, never to JavaScript.
    '--disableWarning=112',
    '--converge',
    '-O3',
    ...more,
  ])
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  buildWasm()
  if (process.argv[2] !== 'wasm') run('typescript/bin/tsc', ['-p', 'tsconfig.build.json'])
  const page = join(root, 'dashboard')
  if (existsSync(page)) cpSync(page, join(root, 'dist/dashboard'), { recursive: true })
}
