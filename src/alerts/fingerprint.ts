/** What makes two alerts the same one: their kind, their pool, and the cause or the node. */
import { createHash } from 'node:crypto'
import type { AlertRecord } from '../core/alert.ts'

type Named = Pick<AlertRecord, 'kind' | 'pool' | 'cause' | 'node'>

/** 16 hex digits. */
export function fingerprintOf({ kind, pool, cause, node }: Named): string {
  const parts = JSON.stringify([kind, pool, cause ?? null, cause === undefined ? node : null])
  return createHash('sha256').update(parts).digest('hex').slice(0, 16)
}

/** People get one page for all alerts of one cause, or of one node. */
export function groupOf({ kind, pool, cause, node }: Named): string {
  return `${pool}/${cause ?? (node === null ? kind : `node:${node}`)}`
}
