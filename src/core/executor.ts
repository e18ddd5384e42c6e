/**
 * The executor's port: what a node's side must be able to do, one step at a time.
 *
 * Work takes time, so each hook starts an action and the executor polls it; nothing here waits,
 * which lets the same executor run in an agent on real machines and in the demonstration fleet.
 */
import type { LogRecord, Output } from './bus.ts'
import type { Command, Precondition } from './command.ts'
import type { Placement } from './workload.ts'

/** `succeeded` comes once and before `verified`; `verified` and `failed` are the last. */
export type ActionState =
  | { readonly kind: 'running' }
  /** Done, not yet checked. `placement`: where the workload is now; null where nothing moved. */
  | { readonly kind: 'succeeded'; readonly placement: Placement | null }
  /** Checked: the workload answers from its new node, the fenced node is off. */
  | { readonly kind: 'verified' }
  | { readonly kind: 'failed'; readonly detail: string }

export interface RunningAction {
  poll(nowMs: number): ActionState
  /** True when it was undone and left no trace; false when it is too late for that. */
  withdraw(nowMs: number): boolean
}

/** `refused`: nothing was begun, and why. */
export type ActionStart =
  | { readonly ok: true; readonly action: RunningAction }
  | { readonly ok: false; readonly refused: string }

export interface ExecutorHooks {
  migrate(command: Command, nowMs: number): ActionStart
  recover(command: Command, nowMs: number): ActionStart
  /**
   * Of the copy that is kept warm at `target`, which must be the standby of the workload. It may come
   * before its node is fenced: it is made ready, and takes effect only once the precondition holds.
   */
  promote(command: Command, nowMs: number): ActionStart
  fence(command: Command, nowMs: number): ActionStart
  /** Never of a fenced node, nor beyond a fence: what it runs may run elsewhere by then. */
  restart(command: Command, nowMs: number): ActionStart
  /**
   * Fetches each of `command.replicas` from one of its sources. Verified once what is there has the root that
   * it should have; what already has it is left alone.
   */
  replicate(command: Command, nowMs: number): ActionStart
  cordon(command: Command, nowMs: number): ActionStart
  uncordon(command: Command, nowMs: number): ActionStart
  /** Why a precondition does not hold, or null when it does. */
  unmet(precondition: Precondition): string | null
}

/** Takes command records and carries them out through its hooks. */
export interface CommandExecutor {
  /** Results (and placements) that follow at once from one record of a command topic. */
  take(record: LogRecord, nowMs: number): readonly Output[]
  /** Results (and placements) of the actions that moved on since. */
  advance(nowMs: number): readonly Output[]
}
