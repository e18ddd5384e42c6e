/** Merkle roots over hashes of chunks: SHA-256, pairs from the left, an odd one is carried up as it is. */
import { createHash } from 'node:crypto'

/** `chunks` and the root are hex. Leaves and inner nodes are told apart as in RFC 6962. */
export function merkleRoot(chunks: readonly string[]): string {
  let level = chunks.map((chunk) => hashOf(0, Buffer.from(chunk, 'hex')))
  if (level.length === 0) return createHash('sha256').digest('hex')
  while (level.length > 1) {
    const above: Buffer[] = []
    for (let i = 0; i < level.length; i += 2) {
      above.push(i + 1 < level.length ? hashOf(1, level[i], level[i + 1]) : level[i])
    }
    level = above
  }
  return level[0].toString('hex')
}

function hashOf(prefix: 0 | 1, ...parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha256').update(Uint8Array.of(prefix))
  for (const part of parts) hash.update(part)
  return hash.digest()
}
