/**
 * Carries out commands and says what became of them.
 *
 *     refused ◀── record ──▶ accepted ─▶ started ─▶ succeeded ─▶ verified
 *    (rejected)                  │           └────▶ failed           (placement before it)
 *                                └ dry run: nothing more
 *
 * It refuses what is unsigned, stale, expired or cannot begin. A repeated command is answered with
 * the state that its first copy has reached: a `rejected` would be final in the coordinator's eyes
 * and have it repeat work that is under way. For the same reason a forged copy of a command that
 * was taken is only counted. A new command for a step that an earlier one has begun (the same
 * idempotency key) begins nothing: it takes the earlier one's place, unless that has failed.
 */
import type { LogRecord, Output } from '../core/bus.ts'
import type { Command, ResultState } from '../core/command.ts'
import { never } from '../core/errors.ts'
import type {
  ActionStart,
  CommandExecutor,
  ExecutorHooks,
  RunningAction,
} from '../core/executor.ts'
import type { CommandId, PoolId } from '../core/ids.ts'
import { readCommand } from './command-record.ts'
import type { Reporter } from './report.ts'
import { placementOutput, resultOutput } from './report.ts'

/** Commands remembered. Only expired, finished ones are forgotten; when none is, new ones wait outside. */
const COMMANDS_MAX = 65_536

export interface ExecutorOptions extends Reporter {
  /** True when `signature` (base64) is the service's over exactly these bytes. */
  readonly verify: (bytes: Uint8Array, signature: string) => boolean
  readonly hooks: ExecutorHooks
  readonly commandsMax?: number
}

export interface ExecutorCounts {
  readonly taken: number
  readonly malformed: number
  readonly unsigned: number
  readonly stale: number
  readonly expired: number
  readonly repeated: number
  readonly refused: number
  readonly dryRun: number
}

interface Entry {
  /** The newest that asks for it. */
  command: Command
  state: ResultState
  action: RunningAction | null
}

export class Executor implements CommandExecutor {
  private readonly options: ExecutorOptions
  private readonly commandsMax: number
  private readonly entries = new Map<CommandId, Entry>()
  /** By idempotency key. */
  private readonly steps = new Map<string, Entry>()
  private readonly running = new Set<Entry>()
  /** Partition of a command topic → pool → newest epoch: only within a partition is there an order. */
  private readonly newestEpochs = new Map<string, Map<PoolId, number>>()
  private readonly tally = {
    taken: 0,
    malformed: 0,
    unsigned: 0,
    stale: 0,
    expired: 0,
    repeated: 0,
    refused: 0,
    dryRun: 0,
  }

  constructor(options: ExecutorOptions) {
    this.options = options
    this.commandsMax = options.commandsMax ?? COMMANDS_MAX
  }

  counts(): ExecutorCounts {
    return { ...this.tally }
  }

  take(record: LogRecord, nowMs: number): readonly Output[] {
    const read = readCommand(record.value)
    if (!read.ok) {
      // Without a trustworthy command id there is nobody to answer.
      this.tally.malformed++
      return []
    }
    const { command } = read
    const known = this.entries.get(command.commandId)
    const signature = record.headers['signature']
    const signed = signature !== undefined && this.options.verify(record.value!, signature)
    if (!signed) {
      this.tally.unsigned++
      const detail = signature === undefined ? 'no signature' : 'the signature does not match'
      return known === undefined
        ? [resultOutput(this.options, command, 'rejected', detail, nowMs)]
        : []
    }
    if (known !== undefined) {
      this.tally.repeated++
      return [resultOutput(this.options, command, known.state, 'repeated: carried out once', nowMs)]
    }
    const refusal = this.refusal(record, command, nowMs)
    if (refusal !== undefined)
      return [resultOutput(this.options, command, 'rejected', refusal, nowMs)]
    return this.begin(command, nowMs)
  }

  advance(nowMs: number): readonly Output[] {
    const outputs: Output[] = []
    for (const entry of this.running) outputs.push(...this.poll(entry, nowMs))
    return outputs
  }

  private refusal(record: LogRecord, command: Command, nowMs: number): string | undefined {
    const epochs = this.epochsOf(record)
    const newest = epochs.get(command.pool) ?? -1
    if (command.epoch < newest) {
      this.tally.stale++
      return `stale: epoch ${command.epoch}, the newest in pool ${command.pool} is ${newest}`
    }
    epochs.set(command.pool, command.epoch)
    if (nowMs >= command.expiresAtMs) {
      this.tally.expired++
      return `expired ${nowMs - command.expiresAtMs} ms ago`
    }
    if (!this.makeRoom(nowMs)) {
      this.tally.refused++
      return `the executor remembers ${this.commandsMax} unexpired commands and takes no more`
    }
    return undefined
  }

  private epochsOf({ topic, partition }: LogRecord): Map<PoolId, number> {
    const key = `${topic}/${partition}`
    const epochs = this.newestEpochs.get(key) ?? new Map<PoolId, number>()
    this.newestEpochs.set(key, epochs)
    return epochs
  }

  /** Oldest first, and only what a repeat of could not be carried out: it would be expired. */
  private makeRoom(nowMs: number): boolean {
    if (this.entries.size < this.commandsMax) return true
    for (const [commandId, entry] of this.entries) {
      if (this.running.has(entry) || nowMs < entry.command.expiresAtMs) continue
      this.forget(commandId, entry)
      return true
    }
    return false
  }

  private forget(commandId: CommandId, entry: Entry): void {
    this.entries.delete(commandId)
    const key = entry.command.idempotencyKey ?? null
    const isNewest = entry.command.commandId === commandId
    if (key !== null && isNewest && this.steps.get(key) === entry) this.steps.delete(key)
  }

  private begin(command: Command, nowMs: number): readonly Output[] {
    const entry: Entry = { command, state: 'accepted', action: null }
    if (command.dryRun) {
      this.tally.dryRun++
      this.entries.set(command.commandId, entry)
      return [resultOutput(this.options, command, 'accepted', 'dry run: nothing is done', nowMs)]
    }
    const key = command.idempotencyKey ?? null
    const earlier = key === null ? undefined : this.steps.get(key)
    if (earlier !== undefined && earlier.state !== 'failed' && earlier.state !== 'rejected') {
      return [this.adopt(earlier, command, nowMs)]
    }
    this.entries.set(command.commandId, entry)
    if (key !== null) this.steps.set(key, entry)
    if (command.action === 'cancel') return this.cancel(entry, nowMs)
    const unmet = this.unmet(command)
    const start =
      unmet === null ? this.start(command, nowMs) : { ok: false as const, refused: unmet }
    if (!start.ok) {
      this.tally.refused++
      return [this.enter(entry, 'rejected', start.refused, nowMs)]
    }
    this.tally.taken++
    entry.action = start.action
    this.running.add(entry)
    return [
      this.enter(entry, 'accepted', null, nowMs),
      this.enter(entry, 'started', null, nowMs),
      ...this.poll(entry, nowMs),
    ]
  }

  /** What the earlier command began goes on for this one, and is reported as its own. */
  private adopt(earlier: Entry, command: Command, nowMs: number): Output {
    this.tally.repeated++
    const detail = `the step was begun for ${earlier.command.commandId}`
    earlier.command = command
    this.entries.set(command.commandId, earlier)
    return resultOutput(this.options, command, earlier.state, detail, nowMs)
  }

  private unmet(command: Command): string | null {
    const { precondition, action } = command
    // A promotion waits for its fence by itself.
    return precondition === null || action === 'promote'
      ? null
      : this.options.hooks.unmet(precondition)
  }

  private start(command: Command, nowMs: number): ActionStart {
    const { hooks } = this.options
    switch (command.action) {
      case 'migrate':
        return hooks.migrate(command, nowMs)
      case 'recover':
        return hooks.recover(command, nowMs)
      case 'promote':
        return hooks.promote(command, nowMs)
      case 'fence':
        return hooks.fence(command, nowMs)
      case 'restart':
        return hooks.restart(command, nowMs)
      case 'replicate':
        return hooks.replicate(command, nowMs)
      case 'cordon':
        return hooks.cordon(command, nowMs)
      case 'uncordon':
        return hooks.uncordon(command, nowMs)
      case 'cancel':
        return { ok: false, refused: 'a cancel is no action of a hook' }
      default:
        return never(command.action)
    }
  }

  /** An action may pass through several states at one poll, each of them once. */
  private poll(entry: Entry, nowMs: number): readonly Output[] {
    const outputs: Output[] = []
    while (entry.action !== null) {
      const state = entry.action.poll(nowMs)
      if (state.kind === 'running') break
      if (state.kind === 'succeeded') {
        if (entry.state === 'succeeded') break
        const { placement } = state
        const id = `${entry.command.commandId}/placement`
        if (placement !== null) outputs.push(placementOutput(this.options, placement, id, nowMs))
        outputs.push(this.enter(entry, 'succeeded', null, nowMs))
      } else {
        const detail = state.kind === 'failed' ? state.detail : null
        outputs.push(this.enter(entry, state.kind, detail, nowMs))
        this.finish(entry)
      }
    }
    return outputs
  }

  /** Withdraws what runs for the same incident, or for one workload of it where the cancel names one. */
  private cancel(cancel: Entry, nowMs: number): readonly Output[] {
    const { incidentId, workload, commandId } = cancel.command
    const outputs = [this.enter(cancel, 'accepted', null, nowMs)]
    let tooLateCount = 0
    for (const entry of this.running) {
      const { command } = entry
      if (command.incidentId !== incidentId) continue
      if (workload !== null && command.workload !== workload) continue
      if (entry.state === 'succeeded' || entry.action?.withdraw(nowMs) !== true) tooLateCount++
      else {
        outputs.push(this.enter(entry, 'failed', `withdrawn by ${commandId}`, nowMs))
        this.finish(entry)
      }
    }
    if (tooLateCount === 0) {
      outputs.push(this.enter(cancel, 'succeeded', null, nowMs))
      outputs.push(this.enter(cancel, 'verified', null, nowMs))
    } else {
      const detail = `too late for ${tooLateCount} command(s), which go on`
      outputs.push(this.enter(cancel, 'failed', detail, nowMs))
    }
    return outputs
  }

  private finish(entry: Entry): void {
    entry.action = null
    this.running.delete(entry)
  }

  private enter(entry: Entry, state: ResultState, detail: string | null, nowMs: number): Output {
    entry.state = state
    return resultOutput(this.options, entry.command, state, detail, nowMs)
  }
}
