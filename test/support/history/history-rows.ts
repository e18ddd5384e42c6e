/** The feature rows that training would see: node and time → fingerprint. */
import { foldHistory } from '../../../training/fold.ts'
import { openHistory } from '../../../training/history.ts'
import { nodeHash } from '../../../training/manifest.ts'
import { rowHash } from '../../../src/state/row-hash.ts'
import { foreshockWasm } from '../node-class.ts'
import { writeParityHistory, type ParityHistory } from './parity-history.ts'

/** `node@time` → row hash. */
export type RowHashes = ReadonlyMap<string, string>

export function rowKey(node: string, atMs: number): string {
  return `${node}@${new Date(atMs).toISOString()}`
}

export async function trainingRows(
  parity: ParityHistory,
  wanted?: (hash: number) => boolean,
): Promise<RowHashes> {
  const { manifest, directory } = writeParityHistory(parity)
  const history = await openHistory(manifest, parity.nodeClass, directory)
  const names = new Map(parity.events.map(({ node }) => [nodeHash(node), node]))
  const rows = new Map<string, string>()
  try {
    await foldHistory({
      history,
      nodeClass: parity.nodeClass,
      module: foreshockWasm(),
      ...(wanted === undefined ? {} : { wanted }),
      onRow: ({ hash, atMs, matrix, from, width }) => {
        const key = rowKey(names.get(hash)!, atMs)
        if (rows.has(key)) throw new Error(`training saw ${key} twice`)
        const words = new Uint32Array(matrix.buffer, matrix.byteOffset, matrix.length)
        rows.set(key, rowHash(words, from, width))
      },
    })
  } finally {
    history.close()
  }
  return rows
}

/** What is not the same on both sides, in words, a few of it; empty when all is. */
export function differences(wanted: RowHashes, found: RowHashes): readonly string[] {
  const missing = [...wanted.keys()].filter((key) => !found.has(key))
  const extra = [...found.keys()].filter((key) => !wanted.has(key))
  const unequal = [...wanted.keys()].filter(
    (key) => found.has(key) && found.get(key) !== wanted.get(key),
  )
  return Object.entries({ missing, extra, unequal }).flatMap(([what, keys]) =>
    keys.length === 0 ? [] : [`${keys.length} ${what}: ${keys.sort().slice(0, 12).join(', ')}`],
  )
}
