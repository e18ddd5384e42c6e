/**
 * kafkajs with three of its functions replaced by ours of the same result (record-encoding.ts,
 * checksum-kernel.ts). They are bound while kafkajs loads, so it is loaded here, anew where somebody has
 * loaded it before, and nothing else in this folder imports it but for its types.
 */
import type * as library from 'kafkajs'
import { createRequire } from 'node:module'

import { checksumOf } from './checksum-kernel.ts'
import { encodeRecord, groupByPartition } from './record-encoding.ts'

const REPLACEMENTS: Readonly<Record<string, unknown>> = {
  'kafkajs/src/protocol/recordBatch/record/v0': encodeRecord,
  'kafkajs/src/protocol/recordBatch/crc32C': checksumOf(),
  'kafkajs/src/producer/groupMessagesPerPartition': groupByPartition,
}
/** On the module that was replaced first: a second copy of this file finds kafkajs as it must be. */
const REPLACED = Symbol.for('foreshock.kafkajs.replaced')

function load(): typeof library {
  const require = createRequire(import.meta.url)
  const entry = require.resolve('kafkajs')
  if (require.cache[entry] !== undefined && !(REPLACED in require.cache[entry])) {
    const folder = entry.slice(0, -'index.js'.length)
    for (const file of Object.keys(require.cache)) {
      if (file.startsWith(folder)) delete require.cache[file]
    }
  }
  if (require.cache[entry] === undefined) {
    for (const [path, ours] of Object.entries(REPLACEMENTS)) {
      const theirs: unknown = require(path)
      if (typeof theirs !== 'function') throw new Error(`bug: ${path} of kafkajs is no function`)
      require.cache[require.resolve(path)]!.exports = ours
    }
  }
  const loaded = require('kafkajs') as typeof library
  Object.defineProperty(require.cache[entry]!, REPLACED, { value: true, configurable: true })
  return loaded
}

export const kafkajs = load()
