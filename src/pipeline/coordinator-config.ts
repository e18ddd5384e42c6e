/**
 * The configuration that is in force. A process begins with that of its file; from the first `config`
 * control on the log says it, so that the same log decides the same. A pool whose settings changed is
 * watched by the log's time, and goes back to what it had where it does clearly worse.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Rail } from '../core/command.ts'
import { FLEET_POOL, type PoolId } from '../core/ids.ts'
import { logOutput } from '../core/log.ts'
import {
  DEFAULT_DRIFT,
  DEFAULT_PROMOTION,
  type DriftRules,
  MODEL_POOL_PARTITION,
  type PromotionRules,
} from '../core/model-life.ts'
import { DEFAULT_POLICY, type Mode, type Policy } from '../core/policy.ts'
import {
  type ConfigChange,
  type ConfigControl,
  type ConfigFigures,
  type ConfigNote,
  type ConfigState,
  DEFAULT_WATCH,
  unwatchedOf,
  unwatchedText,
  type WatchRules,
} from '../core/runtime-config.ts'
import { topicName, type Topology } from '../core/topics.ts'
import { type Measure, type Seen, worseMeasure } from '../decide/worse.ts'
import { settingsProblem } from '../detect/settings-check.ts'
import type { JournalLine, Outbox } from './coordinator-outbox.ts'
import type { CoordinatorState, PoolState } from './coordinator-state.ts'
import { PoolWatch } from './pool-watch.ts'

/** Rates are looked at this often, of the log's time. */
const LOOK_MS = 60_000
/** What people or circumstances say, whatever the settings are. */
const NOT_OF_SETTINGS: readonly (Rail | null | undefined)[] = [
  'stop',
  'mode',
  'veto',
  'maintenance',
  'observer',
  'no-quorum',
  'emergency',
  'votes',
  'hold-out',
]
const CARE: readonly Mode[] = ['observe', 'approve', 'enforce']

export interface ConfigDeskOptions {
  readonly partition: number
  readonly topology: Topology
  readonly policyFor: (pool: PoolId) => Policy
  readonly promotion?: PromotionRules
  readonly drift?: DriftRules
}

/** Who has to know. */
export interface ConfigFollowers {
  /** This pool has other settings now. */
  readonly turned: (pool: PoolState, before: Policy, after: Policy) => void
  readonly ruled: (promotion: PromotionRules, drift: DriftRules) => void
}

/** A pool that went back, and what it has instead of what was said. */
interface Back {
  readonly policy: Policy
  readonly sinceMs: number
}

/** As a coordinator says it again to its own log, before the log forgets it. */
interface Resaid extends ConfigControl {
  readonly back?: Readonly<Record<string, Back>>
}

interface Change {
  readonly sinceMs: number
  readonly beforePolicy: Policy
  readonly before: Seen
  readonly rules: WatchRules
}

export class ConfigDesk {
  readonly #options: ConfigDeskOptions
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #followers: ConfigFollowers
  #said: ConfigControl | null = null
  #saidAtMs = 0
  readonly #watches = new Map<PoolId, PoolWatch>()
  readonly #changes = new Map<PoolId, Change>()
  readonly #back = new Map<PoolId, Back>()
  #takenBackCount = 0
  #lookedAtMs = 0

  constructor(
    options: ConfigDeskOptions,
    state: CoordinatorState,
    outbox: Outbox,
    followers: ConfigFollowers,
  ) {
    this.#options = options
    this.#state = state
    this.#outbox = outbox
    this.#followers = followers
    outbox.onJournal = (line) => this.#hear(line)
  }

  policyFor(pool: PoolId): Policy {
    const back = this.#back.get(pool)
    if (back !== undefined) return back.policy
    return this.#said === null ? this.#options.policyFor(pool) : policyIn(this.#said, pool)
  }

  /** The same settings again change nothing, not even where they were taken back. */
  take(control: Resaid): void {
    if (control.version === this.#said?.version) return
    const problem = problemOf(control)
    const { by, reason, version } = control
    if (problem !== null) {
      this.#tellAll(control, 'refused', `Configuration ${version} is refused: ${problem}.`)
      return
    }
    const pools = [...this.#state.pools.values()]
    const before = new Map(pools.map(({ id }) => [id, this.policyFor(id)]))
    this.#said = control
    this.#saidAtMs = this.#outbox.nowMs
    this.#back.clear()
    for (const [pool, back] of Object.entries(control.back ?? {})) {
      this.#back.set(pool as PoolId, back)
    }
    const { promotion, drift, watch } = control.settings
    this.#followers.ruled({ ...DEFAULT_PROMOTION, ...promotion }, { ...DEFAULT_DRIFT, ...drift })
    const what = control.changes.map(changeText).join(', ')
    const inForce = `Configuration ${version} is in force by ${by}: ${reason}.`
    const unwatched = unwatchedOf(control.changes).map((key) => ` ${unwatchedText(key)}.`)
    const told = what === '' ? inForce : `${inForce} It changes ${what}.`
    this.#tellAll(control, 'in-force', told + unwatched.join(''))
    this.#tellWatchers(control, [...before.values()])
    for (const pool of pools) {
      const was = before.get(pool.id)!
      this.#turn(pool, was, { ...DEFAULT_WATCH, ...watch }, `${inForce} The pool is watched.`)
    }
  }

  /** Once for each record: pools that are watched are looked at. */
  follow(): void {
    const { nowMs } = this.#outbox
    const elapsedMs = nowMs - this.#lookedAtMs
    if (nowMs === 0 || elapsedMs < LOOK_MS) return
    if (this.#lookedAtMs > 0) {
      for (const { id, activeNodeCount } of this.#state.pools.values()) {
        this.#watch(id).expose(activeNodeCount, elapsedMs, nowMs)
      }
    }
    this.#lookedAtMs = nowMs
    this.#sayAgain()
    for (const [id, change] of this.#changes) this.#judge(this.#state.pool(id), change)
  }

  figures(): ConfigFigures {
    const watched = [...this.#changes].map(([pool, { sinceMs }]) => {
      return { pool, state: 'watched' as const, sinceMs }
    })
    const back = [...this.#back].map(([pool, { sinceMs }]) => {
      return { pool, state: 'taken-back' as const, sinceMs }
    })
    const said = this.#said
    return {
      said: said && { version: said.version, keys: said.keys, by: said.by, reason: said.reason },
      pools: [...watched, ...back],
      takenBackCount: this.#takenBackCount,
    }
  }

  #turn(pool: PoolState, was: Policy, rules: WatchRules, sentence: string): void {
    const is = this.policyFor(pool.id)
    if (isDeepStrictEqual(was, is)) return
    const watch = this.#watch(pool.id)
    const { nowMs: sinceMs } = this.#outbox
    // A change of a change is held against the time before both.
    const before = this.#changes.get(pool.id)?.before ?? watch.seen()
    watch.begin()
    this.#changes.set(pool.id, { sinceMs, beforePolicy: was, before, rules })
    this.#followers.turned(pool, was, is)
    this.#tell(pool.id, 'in-force', sentence, this.#changesOf(pool.id))
  }

  #judge(pool: PoolState, change: Change): void {
    const { nowMs } = this.#outbox
    const { sinceMs, before, beforePolicy, rules } = change
    const worse = worseMeasure(before, this.#watch(pool.id).seen(), rules)
    if (worse !== null) {
      const is = this.policyFor(pool.id)
      const policy = careful(beforePolicy, is)
      this.#changes.delete(pool.id)
      this.#back.set(pool.id, { policy, sinceMs: nowMs })
      this.#takenBackCount++
      this.#followers.turned(pool, is, policy)
      const { measure, before: was, after } = worse
      const figures = `${WORDS[measure]} went from ${rate(was)} to ${rate(after)} per node and day`
      const sentence = `Configuration ${this.#version} is taken back for this pool: ${figures}. What it had before is in force; only mode, votes and dry_run stay where they are more careful.`
      return this.#tell(pool.id, 'taken-back', sentence, this.#changesOf(pool.id))
    }
    if (nowMs - sinceMs < rules.watchMs) return
    this.#changes.delete(pool.id)
    this.#tell(pool.id, 'kept', `Configuration ${this.#version} is kept: nothing got worse.`, [])
  }

  /** What the settings of a pool may have caused. */
  #hear({ kind, pool, rail, node: id, incidentId, evidence }: JournalLine): void {
    const count = (measure: Measure) => this.#watch(pool).count(measure, this.#outbox.nowMs)
    if (kind === 'refusal' && !NOT_OF_SETTINGS.includes(rail)) count('refusals')
    else if (kind === 'result') {
      const state = evidence?.find(({ what }) => what === 'state')?.value
      if (state === undefined || state === 'failed' || state === 'rejected') count('failedCommands')
    } else if (kind === 'incident-closed' && id !== null && id !== undefined) {
      const node = this.#state.nodes.get(id)
      const acted = node?.acted
      // Work was moved, and no failure came: whether it would have is not known, but how often is.
      const wasMoved = acted?.incidentId === incidentId && acted?.firstAtMs !== null
      if (node?.failedAtMs === null && acted !== null && wasMoved) count('falseMigrations')
    }
  }

  /** The log keeps a record for its retention; what is in force is said again when half of that is over. */
  #sayAgain(): void {
    const { topology, partition } = this.#options
    const { nowMs } = this.#outbox
    if (this.#said === null || nowMs - this.#saidAtMs < topology.retentionMs / 2) return
    this.#saidAtMs = nowMs
    const again: Resaid = { ...this.#said, back: Object.fromEntries(this.#back) }
    const topic = topicName(topology, 'pool-log')
    this.#outbox.push(logOutput(topic, partition, 'control', null, again))
    this.#tellWatchers(
      again,
      [...this.#back.values()].map(({ policy }) => policy),
    )
  }

  get #version(): string {
    return this.#said?.version ?? 'of the file'
  }

  #watch(pool: PoolId): PoolWatch {
    let watch = this.#watches.get(pool)
    if (watch === undefined) this.#watches.set(pool, (watch = new PoolWatch()))
    return watch
  }

  #changesOf(pool: PoolId): readonly ConfigChange[] {
    const changes = this.#said?.changes ?? []
    return changes.filter(
      ({ key }) => key.startsWith('policy.') || key.startsWith(`pools.${pool}.`),
    )
  }

  /** By one coordinator, for the fleet; who pages people reads its rules there. */
  #tellAll(control: ConfigControl, state: 'in-force' | 'refused', sentence: string): void {
    if (this.#options.partition !== MODEL_POOL_PARTITION) return
    const { version, changes, settings } = control
    const alerts = state === 'in-force' ? { alerts: settings.alerts } : {}
    const config: ConfigNote = { version, state, changes, ...alerts }
    this.#outbox.journal({ kind: 'config', pool: FLEET_POOL, reasons: [sentence], config })
  }

  #tell(
    pool: PoolId,
    state: ConfigState,
    sentence: string,
    changes: readonly ConfigChange[],
  ): void {
    const config: ConfigNote = { version: this.#version, state, changes }
    this.#outbox.journal({ kind: 'config', pool, reasons: [sentence], config })
  }

  /** Watchers tell of where some policy acts: of those from now on, and of those that may come back. */
  #tellWatchers({ settings }: ConfigControl, more: readonly Policy[]): void {
    const { partition, topology } = this.#options
    if (partition !== MODEL_POOL_PARTITION) return
    const policies = [...more, settings.policy, ...Object.values(settings.pools)]
    const distinct = new Map(policies.map((policy) => [JSON.stringify(policy), policy]))
    const topic = topicName(topology, 'node-log')
    for (let p = 0; p < topology.nodePartitions; p++) {
      this.#outbox.push(logOutput(topic, p, 'policies', null, [...distinct.values()]))
    }
  }
}

const WORDS: Readonly<Record<Measure, string>> = {
  refusals: 'refusals',
  failedCommands: 'failed commands',
  falseMigrations: 'moves without a failure',
}

/** Keys that a later version of the service knows take their defaults. */
function policyIn({ settings }: ConfigControl, pool: PoolId): Policy {
  const own = Object.hasOwn(settings.pools, pool) ? settings.pools[pool] : settings.policy
  return { ...DEFAULT_POLICY, ...own }
}

/** Taking back never makes a pool bolder than it was just told to be. */
export function careful(before: Policy, after: Policy): Policy {
  const mode = CARE[Math.min(CARE.indexOf(before.mode), CARE.indexOf(after.mode))]
  const votes = after.votes ?? before.votes
  return { ...before, mode, votes, dryRun: before.dryRun || after.dryRun }
}

function problemOf({ settings }: ConfigControl): string | null {
  const pools = Object.entries(settings.pools).map(([pool, own]) => [`pools.${pool}`, own] as const)
  for (const [where, { detectors }] of [['policy', settings.policy] as const, ...pools]) {
    const problem = settingsProblem(detectors)
    if (problem !== null) return `${where}.detectors: ${problem}`
  }
  return null
}

function changeText({ key, from, to }: ConfigChange): string {
  return `${key} from ${from ?? 'the default'} to ${to ?? 'the default'}`
}

function rate(perNodeDay: number): string {
  return String(Number(perNodeDay.toPrecision(3)))
}
