/**
 * How logs lie in LMDB. Keys are big-endian numbers, so that the order of bytes is the order of
 * offsets and one range is one stretch of one partition.
 *
 *     records   topic id (u32) | partition (u32) | offset (u64)  →  record
 *     meta      't' name → topic · 'p' topic id, partition → state · 'o' … → offset · 'f' … → token
 */
import type { LogRecord, Output, TopicSpec } from '../../core/bus.ts'
import { toBytes } from '../../core/bytes.ts'
import type { Fence } from '../local/log-store.ts'

export interface StoredTopic {
  readonly id: number
  readonly spec: TopicSpec
}

/** Where a partition stands; written with every change to it. */
export interface PartitionState {
  readonly start: number
  readonly end: number
  readonly lastAppendedAtMs: number
  /** Kept bytes, with what LMDB needs around them, by estimate. */
  readonly bytes: number
}

export const EMPTY_PARTITION: PartitionState = { start: 0, end: 0, lastAppendedAtMs: 0, bytes: 0 }

/** Fixed part of a record: time (f64), key bytes (u32), header bytes (u32), 1 where a value follows. */
const HEAD_BYTES = 17
const NO_KEY = 0xffff_ffff
/** Key, node header and page slack of one record in LMDB. */
const OVERHEAD_BYTES = 48

export function recordKey(topicId: number, partition: number, offset: number): Buffer {
  const key = Buffer.allocUnsafe(16)
  key.writeUInt32BE(topicId, 0)
  key.writeUInt32BE(partition, 4)
  key.writeBigUInt64BE(BigInt(offset), 8)
  return key
}

export function offsetOfKey(key: Uint8Array): number {
  return Number(Buffer.from(key.buffer, key.byteOffset, 16).readBigUInt64BE(8))
}

export function encodeRecord(output: Output, appendedAtMs: number): Buffer {
  const key = bytesOf(output.key)
  const value = bytesOf(output.value)
  const named = output.headers !== undefined && Object.keys(output.headers).length > 0
  const headers = named ? toBytes(JSON.stringify(output.headers)) : NO_BYTES
  const keyBytes = key?.length ?? 0
  const record = Buffer.allocUnsafe(HEAD_BYTES + keyBytes + headers.length + (value?.length ?? 0))
  record.writeDoubleLE(appendedAtMs, 0)
  record.writeUInt32LE(key === null ? NO_KEY : keyBytes, 8)
  record.writeUInt32LE(headers.length, 12)
  record[16] = value === null ? 0 : 1
  if (key !== null) record.set(key, HEAD_BYTES)
  record.set(headers, HEAD_BYTES + keyBytes)
  if (value !== null) record.set(value, HEAD_BYTES + keyBytes + headers.length)
  return record
}

export function decodeRecord(
  bytes: Buffer,
  topic: string,
  partition: number,
  offset: number,
): LogRecord {
  const keyField = bytes.readUInt32LE(8)
  const keyEnd = HEAD_BYTES + (keyField === NO_KEY ? 0 : keyField)
  const headersEnd = keyEnd + bytes.readUInt32LE(12)
  return {
    topic,
    partition,
    offset,
    appendedAtMs: appendedAtOf(bytes),
    key: keyField === NO_KEY ? null : bytes.subarray(HEAD_BYTES, keyEnd),
    value: bytes[16] === 0 ? null : bytes.subarray(headersEnd),
    headers:
      headersEnd === keyEnd
        ? {}
        : (JSON.parse(bytes.toString('utf8', keyEnd, headersEnd)) as Record<string, string>),
  }
}

export function appendedAtOf(bytes: Buffer): number {
  return bytes.readDoubleLE(0)
}

/** What a record of so many bytes costs the store. */
export function storedBytes(recordBytes: number): number {
  return recordBytes + OVERHEAD_BYTES
}

export function topicKey(name: string): Buffer {
  return metaKey('t', name)
}

export function partitionStateKey(topicId: number, partition: number): Buffer {
  return metaKey('p', topicId, partition)
}

export function offsetKey(group: string, topic: string, partition: number): Buffer {
  return metaKey('o', group, topic, partition)
}

export function fenceKey({ group, role, partition }: Fence): Buffer {
  return metaKey('f', group, role, partition)
}

function metaKey(kind: 't' | 'p' | 'o' | 'f', ...parts: readonly (string | number)[]): Buffer {
  return Buffer.from(kind + JSON.stringify(parts))
}

export function encodeMeta(value: StoredTopic | PartitionState | number): Buffer {
  return Buffer.from(JSON.stringify(value))
}

export function decodeMeta(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString('utf8'))
}

const NO_BYTES = new Uint8Array(0)

function bytesOf(value: string | Uint8Array | null): Uint8Array | null {
  return typeof value === 'string' ? toBytes(value) : value
}
