/** Reads a block of a resynchronisation from its record. Whatever came, it answers; it never throws. */
import { idProblem } from '../core/ids.ts'
import { isObject, jsonObjectOf } from '../core/json-object.ts'
import { NODE_BLOCKS_MAX, type ResyncBlock } from '../core/resync.ts'

export type ReadResyncBlock =
  | { readonly ok: true; readonly block: ResyncBlock }
  | { readonly ok: false; readonly detail: string }

export function readResyncBlock(value: Uint8Array | null): ReadResyncBlock {
  const fields = jsonObjectOf(value)
  if (fields === undefined) return { ok: false, detail: 'the value is not a JSON object' }
  const detail = problemOf(fields)
  return detail === undefined
    ? { ok: true, block: fields as unknown as ResyncBlock }
    : { ok: false, detail }
}

function problemOf(fields: Record<string, unknown>): string | undefined {
  for (const name of ['pool', 'node'] as const) {
    if (!isId(fields[name])) return `\`${name}\` must be an identifier`
  }
  for (const name of ['resync', 'digest'] as const) {
    if (typeof fields[name] !== 'string') return `\`${name}\` must be a text`
  }
  const { epoch, block, blocks, expiresAtMs, entries } = fields
  if (!Number.isSafeInteger(epoch)) return '`epoch` must be a whole number'
  if (!isCount(blocks) || blocks < 1 || blocks > NODE_BLOCKS_MAX) {
    return `\`blocks\` must be a whole number from 1 to ${NODE_BLOCKS_MAX}`
  }
  if (!isCount(block) || block >= blocks) return '`block` must be a whole number under `blocks`'
  if (!Number.isFinite(expiresAtMs)) return '`expiresAtMs` must be a number'
  if (entries === null) return undefined
  if (!Array.isArray(entries) || !entries.every(isEntry)) {
    return '`entries` must be null, or a list of workloads with the placement that the log has, or null'
  }
  return undefined
}

function isEntry(entry: unknown): boolean {
  if (!isObject(entry) || !isId(entry['workload'])) return false
  const { placement } = entry
  if (placement === null) return true
  return (
    isObject(placement) &&
    placement['workload'] === entry['workload'] &&
    (placement['node'] === null || isId(placement['node']))
  )
}

function isId(value: unknown): boolean {
  return typeof value === 'string' && idProblem(value) === undefined
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
