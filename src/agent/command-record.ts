/** Reads a command from its record. Whatever came, it answers; it never throws. */
import type { Command, CommandAction, Precondition } from '../core/command.ts'
import { idProblem } from '../core/ids.ts'
import { isObject, jsonObjectOf } from '../core/json-object.ts'

export type ReadCommand =
  | { readonly ok: true; readonly command: Command }
  | { readonly ok: false; readonly reason: 'not-json' | 'not-a-command'; readonly detail: string }

const ACTIONS: ReadonlySet<string> = new Set<CommandAction>([
  'migrate',
  'recover',
  'promote',
  'fence',
  'restart',
  'replicate',
  'cordon',
  'uncordon',
  'cancel',
])
const ID_FIELDS = ['commandId', 'incidentId', 'pool', 'node'] as const
const ID_OR_NULL_FIELDS = ['planId', 'stepId', 'workload', 'target', 'modelVersion'] as const

export function readCommand(value: Uint8Array | null): ReadCommand {
  const fields = jsonObjectOf(value)
  if (fields === undefined) {
    return { ok: false, reason: 'not-json', detail: 'the value is not a JSON object' }
  }
  const detail = problemOf(fields)
  if (detail !== undefined) return { ok: false, reason: 'not-a-command', detail }
  return { ok: true, command: fields as unknown as Command }
}

function problemOf(fields: Record<string, unknown>): string | undefined {
  for (const name of ID_FIELDS) {
    const id = fields[name]
    if (typeof id !== 'string') return `\`${name}\` must be a text`
    const problem = idProblem(id)
    if (problem !== undefined) return `\`${name}\` is ${problem}`
  }
  for (const name of ID_OR_NULL_FIELDS) {
    const id = fields[name]
    if (id !== null && typeof id !== 'string') return `\`${name}\` must be a text or null`
  }
  if (!Number.isSafeInteger(fields['epoch'])) return '`epoch` must be a whole number'
  if (!Number.isFinite(fields['expiresAtMs'])) return '`expiresAtMs` must be a number'
  if (typeof fields['dryRun'] !== 'boolean') return '`dryRun` must be true or false'
  const action = fields['action']
  if (typeof action !== 'string' || !ACTIONS.has(action)) {
    return `\`action\` must be one of ${[...ACTIONS].join(', ')}`
  }
  if (!isPrecondition(fields['precondition'])) return '`precondition` is of no known kind'
  const key = fields['idempotencyKey'] ?? null
  if (key !== null && typeof key !== 'string') return '`idempotencyKey` must be a text or null'
  const share = fields['capacityRatio'] ?? null
  if (share !== null && !(typeof share === 'number' && share > 0 && share <= 1)) {
    return '`capacityRatio` must be a number over 0 and up to 1, or null'
  }
  const moves = action === 'migrate' || action === 'recover' || action === 'promote'
  if (moves && (fields['workload'] === null || fields['target'] === null)) {
    return `\`${action}\` needs a workload and a target`
  }
  if (action === 'replicate' && !areReplicas(fields['replicas'])) {
    return '`replicas` must list objects, each with `object`, `version`, `root` and `sources`'
  }
  return undefined
}

function areReplicas(value: unknown): boolean {
  if (!Array.isArray(value) || value.length === 0) return false
  return value.every((replica: unknown) => {
    if (!isObject(replica)) return false
    const { object, version, root, sources } = replica
    const isNamed = [object, version, root].every((text) => typeof text === 'string')
    return isNamed && Array.isArray(sources) && sources.every((node) => typeof node === 'string')
  })
}

function isPrecondition(value: unknown): value is Precondition | null {
  if (value === null) return true
  if (!isObject(value) || typeof value['node'] !== 'string') return false
  if (value['kind'] === 'fenced') return true
  return value['kind'] === 'placed-on' && typeof value['workload'] === 'string'
}
