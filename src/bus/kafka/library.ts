/**
 * kafkajs with some of its functions replaced by ours of the same result: how a request is written
 * (produce-request.ts, encoder.ts), how fetched records are read (fetched-records.ts, fetched-batch.ts), how records
 * are split over partitions. They are bound while kafkajs loads, so it is loaded here, anew where
 * somebody has loaded it before, and nothing else in this folder imports it but for its types.
 */
import type * as library from 'kafkajs'
import { createRequire } from 'node:module'

import { assert } from '../../core/errors.ts'
import { checksumOf } from './checksum-kernel.ts'
import { type EncoderClass, pooledEncoder } from './encoder.ts'
import { FetchedBatch } from './fetched-batch.ts'
import { recordDecoder } from './fetched-records.ts'
import { groupByPartition } from './partitions.ts'
import type { RequestDefinitions } from './produce-request.ts'
import { frameRequest, produceDefinitions } from './produce-request.ts'
import { type ConnectionClass, createSocket, readAnswers, socketFactory } from './socket.ts'

const require = createRequire(import.meta.url)

/** Path → what takes the place of what is exported there. */
const REPLACEMENTS: Readonly<Record<string, (theirs: unknown) => unknown>> = {
  // First, for the others load it.
  'kafkajs/src/protocol/encoder': (theirs) => pooledEncoder(theirs as EncoderClass),
  'kafkajs/src/protocol/request': () => frameRequest,
  'kafkajs/src/network/socket': () => createSocket,
  'kafkajs/src/network/socketFactory': () => socketFactory,
  'kafkajs/src/protocol/requests/produce': (theirs) =>
    produceDefinitions(theirs as RequestDefinitions, checksumOf()),
  'kafkajs/src/protocol/requests/fetch/v4/decodeMessages': (theirs) => {
    const { lookupCodecByAttributes } = require(COMPRESSION) as Compression
    return recordDecoder(theirs as OldDecoder, lookupCodecByAttributes)
  },
  'kafkajs/src/producer/groupMessagesPerPartition': () => groupByPartition,
  'kafkajs/src/consumer/batch': () => FetchedBatch,
}
const COMPRESSION = 'kafkajs/src/protocol/message/compression'
type OldDecoder = Parameters<typeof recordDecoder>[0]
interface Compression {
  readonly lookupCodecByAttributes: Parameters<typeof recordDecoder>[1]
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
    readAnswers(require('kafkajs/src/network/connection') as ConnectionClass)
  }
  const loaded = require('kafkajs') as typeof library
  Object.defineProperty(require.cache[entry]!, REPLACED, { value: true, configurable: true })
  return loaded
}

export const kafkajs = load()
