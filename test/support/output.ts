/** What an output says: its value may be text or bytes. */
import type { Output } from '../../src/core/bus.ts'
import { toBytes, toText } from '../../src/core/bytes.ts'

export function textOf(value: Output['value']): string {
  return value instanceof Uint8Array ? toText(value) : (value ?? 'null')
}

/** As a reader gets it. */
export function bytesOf(value: Output['value']): Uint8Array | null {
  return typeof value === 'string' ? toBytes(value) : value
}
