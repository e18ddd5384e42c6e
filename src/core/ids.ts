/** Identifiers are branded strings: a workload id never slips in where a node id is meant. */

declare const brand: unique symbol
type Id<Name extends string> = string & { readonly [brand]: Name }

export type NodeId = Id<'node'>
export type PoolId = Id<'pool'>
export type WorkloadId = Id<'workload'>
export type CommandId = Id<'command'>
export type IncidentId = Id<'incident'>
export type PlanId = Id<'plan'>
/** A version of a model: the sha256 of its listing (see core/model.ts), 64 hex digits. */
export type ModelId = Id<'model'>

/** Longest identifier taken from outside, in UTF-8 bytes. Longer ones are dead-lettered. */
export const ID_BYTES_MAX = 256

export const DEFAULT_POOL = 'default' as PoolId
/** What is no pool's is told under this name: models, and what operators say of all pools. */
export const FLEET_POOL = '_fleet' as PoolId

/** Why a text cannot be an identifier, or `undefined` when it can. */
export function idProblem(text: string): 'empty' | 'too-long' | 'control-character' | undefined {
  if (text.length === 0) return 'empty'
  if (text.length > ID_BYTES_MAX || utf8Length(text) > ID_BYTES_MAX) return 'too-long'
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) < 0x20) return 'control-character'
  return undefined
}

function utf8Length(text: string): number {
  let bytes = 0
  for (const char of text) {
    const code = char.codePointAt(0)!
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
  }
  return bytes
}
