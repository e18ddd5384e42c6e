/** What comes with the package: its root, version, WASM module, node classes and models. */
import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert, ServiceError } from '../core/errors.ts'

/** The folder of package.json, whether the code runs from src/ or from dist/src/. */
export function packageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory)
    assert(parent !== directory, 'no package.json above the code')
    directory = parent
  }
  return directory
}

export function packageVersion(): string {
  const text = readFileSync(join(packageRoot(), 'package.json'), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version
}

/** The compiled kernels. ServiceError CONFIG_INVALID when they have not been built. */
export async function loadKernel(): Promise<WebAssembly.Module> {
  const file = join(packageRoot(), 'dist', 'foreshock.wasm')
  let bytes: Uint8Array<ArrayBuffer>
  try {
    bytes = Uint8Array.from(await readFile(file))
  } catch (cause) {
    throw new ServiceError('CONFIG_INVALID', `${file} is missing; run npm run build`, { cause })
  }
  return WebAssembly.compile(bytes)
}

export function packagedNodeClasses(): string {
  return join(packageRoot(), 'node-classes')
}

export function packagedModel(name: string): string {
  return join(packageRoot(), 'models', name)
}
