/**
 * Codecs for what foreign producers send. kafkajs brings gzip alone, and a batch that it cannot
 * decompress crashes the consumer, so all of Kafka's are registered. We compress nothing ourselves.
 */
import { createRequire } from 'node:module'
import * as zlib from 'node:zlib'

import { kafkajs } from './library.ts'
import { unpackLz4 } from './lz4.ts'
import { zstdBytesMax } from './zstd.ts'

/** No batch is larger than this once it is unpacked: a small one cannot ask for all our memory. */
const UNPACKED_BYTES_MAX = 64 * 1024 * 1024

interface Encoder {
  readonly buffer: Buffer
}
interface Codec {
  compress(encoder: Encoder): Promise<Buffer>
  decompress(packed: Buffer): Promise<Buffer>
}
interface ZstdWasm {
  init(): Promise<void>
  compress(bytes: Uint8Array, level: number): Uint8Array
  decompress(bytes: Uint8Array, options: { readonly defaultHeapSize: number }): Uint8Array
}
/** In Node from 22.15 on; the types know only the version that we support at least. */
interface NativeZstd {
  readonly zstdCompressSync?: (bytes: Uint8Array) => Buffer
  readonly zstdDecompressSync?: (bytes: Uint8Array, options: object) => Buffer
}

const REGISTERED = Symbol.for('foreshock.kafkajs.codecs')

/** Once per process: starting zstd's WASM a second time would wipe the memory of the first. */
export function registerCodecs(): void {
  const require = createRequire(import.meta.url)
  const { CompressionCodecs, CompressionTypes } = kafkajs
  if (REGISTERED in CompressionCodecs) return
  Object.defineProperty(CompressionCodecs, REGISTERED, { value: true })
  const shared = zstd(require)
  CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy') as () => Codec
  CompressionCodecs[CompressionTypes.LZ4] = () => lz4
  CompressionCodecs[CompressionTypes.ZSTD] = () => shared
}

const lz4: Codec = {
  compress: async () => {
    throw new Error('bug: we send nothing in LZ4')
  },
  decompress: async (packed) => viewOf(unpackLz4(packed, UNPACKED_BYTES_MAX)),
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function zstd(require: NodeJS.Require): Codec {
  const { zstdCompressSync, zstdDecompressSync } = zlib as NativeZstd
  if (zstdCompressSync !== undefined && zstdDecompressSync !== undefined) {
    return {
      compress: async ({ buffer }) => zstdCompressSync(buffer),
      decompress: async (packed) =>
        zstdDecompressSync(packed, { maxOutputLength: UNPACKED_BYTES_MAX }),
    }
  }
  const wasm = require('@bokuweb/zstd-wasm') as ZstdWasm
  let ready: Promise<void> | undefined
  const bytes = async (run: () => Uint8Array): Promise<Buffer> => {
    await (ready ??= wasm.init())
    return viewOf(run())
  }
  return {
    compress: async ({ buffer }) => bytes(() => wasm.compress(buffer, 1)),
    decompress: async (packed) => {
      const defaultHeapSize = zstdBytesMax(packed, UNPACKED_BYTES_MAX)
      return bytes(() => wasm.decompress(packed, { defaultHeapSize }))
    },
  }
}
