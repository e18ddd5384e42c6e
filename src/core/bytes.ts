/** Text to bytes and back, without Node's Buffer: `core` runs in any JavaScript engine. */

interface Encoder {
  encode(text: string): Uint8Array
}
interface Decoder {
  decode(bytes: Uint8Array): string
}
declare const TextEncoder: new () => Encoder
declare const TextDecoder: new (label: string, options?: { fatal?: boolean }) => Decoder

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8')

export function toBytes(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Malformed sequences become U+FFFD; use it for text that people read or that we wrote. */
export function toText(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}
