/**
 * kafkajs with some of its functions replaced by ours of the same result: how a request is written
 * (produce-request.ts) and how records are split over partitions. They are bound while kafkajs loads, so it is loaded here, anew where
 * somebody has loaded it before, and nothing else in this folder imports it but for its types.
 */
import type * as library from 'kafkajs'
import { createRequire } from 'node:module'

import { assert } from '../../core/errors.ts'
import { checksumOf } from './checksum-kernel.ts'
import { groupByPartition } from './partitions.ts'
import type { RequestDefinitions } from './produce-request.ts'
import { frameRequest, produceDefinitions } from './produce-request.ts'

const require = createRequire(import.meta.url)

/** Path → what takes the place of what is exported there. */
const REPLACEMENTS: Readonly<Record<string, (theirs: unknown) => unknown>> = {
  'kafkajs/src/protocol/request': () => frameRequest,
  'kafkajs/src/protocol/requests/produce': (theirs) =>
    produceDefinitions(theirs as RequestDefinitions, checksumOf()),
  'kafkajs/src/producer/groupMessagesPerPartition': () => groupByPartition,
}
/** On the module that was replaced first: a second copy of this file finds kafkajs as it must be. */
const REPLACED = Symbol.for('foreshock.kafkajs.replaced')

function load(): typeof library {
  const entry = require.resolve('kafkajs')
  if (!(REPLACED in (require.cache[entry] ?? {}))) {
    const folder = entry.slice(0, -'index.js'.length)
    for (const file of Object.keys(require.cache)) {
      if (file.startsWith(folder)) delete require.cache[file]
    }
    for (const [path, replace] of Object.entries(REPLACEMENTS)) {
      const file = require.resolve(path)
      assert(require.cache[file] === undefined, `${path} of kafkajs is replaced too late`)
      const theirs: unknown = require(path)
      require.cache[file]!.exports = replace(theirs)
    }
  }
  const loaded = require('kafkajs') as typeof library
  Object.defineProperty(require.cache[entry]!, REPLACED, { value: true, configurable: true })
  return loaded
}

export const kafkajs = load()
