/**
 * CRC-32C in WebAssembly, about ten times as fast as checksum.ts, with the copy into its memory. The
 * kernel is wasm/assembly/crc32c.ts, built beside foreshock.wasm; where it was not built, or where
 * there is little to do, checksum.ts does it.
 */
import { readFileSync } from 'node:fs'

import { crc32c } from './checksum.ts'

/** From src/bus/kafka and from dist/src/bus/kafka. */
const PLACES = ['../../../dist/crc32c.wasm', '../../../crc32c.wasm']
/** A call into the kernel costs as much as so many bytes. */
const SHORT = 64

interface Kernel {
  readonly memory: WebAssembly.Memory
  readonly INPUT: WebAssembly.Global<'i32'>
  readonly INPUT_BYTES_MAX: WebAssembly.Global<'i32'>
  crc32c(before: number, length: number): number
}

/** The fastest way to a checksum that there is here. */
export function checksumOf(): (bytes: Uint8Array) => number {
  const kernel = loadKernel()
  if (kernel === undefined) return crc32c
  const from = kernel.INPUT.value
  const input = new Uint8Array(kernel.memory.buffer, from, kernel.INPUT_BYTES_MAX.value)
  return (bytes) => {
    const { length } = bytes
    if (length < SHORT) return crc32c(bytes)
    if (length <= input.length) {
      input.set(bytes)
      return kernel.crc32c(0, length) >>> 0
    }
    let crc = 0
    for (let at = 0; at < length; at += input.length) {
      const part = bytes.subarray(at, at + input.length)
      input.set(part)
      crc = kernel.crc32c(crc, part.length)
    }
    return crc >>> 0
  }
}

function loadKernel(): Kernel | undefined {
  for (const place of PLACES) {
    let bytes: Uint8Array<ArrayBuffer>
    try {
      bytes = Uint8Array.from(readFileSync(new URL(place, import.meta.url)))
    } catch {
      continue
    }
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes))
    return exports as unknown as Kernel
  }
  return undefined
}
