/**
 * Which model serves each class of nodes. One coordinator decides it for all, that of the first
 * partition of the pool-log, and says it in every partition of the node-log.
 *
 * A challenger is scored beside the champion until enough failures are known of both. One that is better
 * takes its place, at once or after it has served the canary pools and has held there; then the one before
 * goes on beside it, and comes back where it turns out better. So a model that was forced in by an operator
 * is on the same probation as one that has won.
 */
import { cloudEventOutput } from '../core/cloudevent.ts'
import { never } from '../core/errors.ts'
import type { Evidence } from '../core/fault.ts'
import { FLEET_POOL, type ModelId } from '../core/ids.ts'
import { logOutput } from '../core/log.ts'
import {
  DEFAULT_DRIFT,
  DEFAULT_PROMOTION,
  type DriftCounts,
  type DriftRules,
  type HoldOutRecord,
  MODEL_POOL_PARTITION,
  type ModelAssignment,
  type ModelRefusal,
  type OutcomeRecord,
  type ProposalRecord,
  type PromotionRules,
} from '../core/model-life.ts'
import { partitionOf } from '../core/partition.ts'
import type { ModelControl } from '../core/policy.ts'
import { topicName, type Topology } from '../core/topics.ts'
import { compare, LOOKS, OutcomeSum } from '../decide/promotion.ts'
import { detectDrift } from '../detect/drift.ts'
import type { Outbox } from './coordinator-outbox.ts'
import { alertModel, driftSentence } from './model-alerts.ts'
import { type ClassState, createClass, name, toldOf } from './model-class.ts'
import { endOf, evidenceOf, pools, short, type Trial } from './model-trial.ts'
import { toEveryPartition } from './role.ts'

/** State is published at most this often where nothing was decided. */
const PUBLISHED_EVERY_MS = 60_000

export interface ModelDeskOptions {
  readonly partition: number
  readonly topology: Topology
  readonly source: string
  readonly promotion?: PromotionRules
  readonly drift?: DriftRules
}

export class ModelDesk {
  readonly #options: ModelDeskOptions
  readonly #outbox: Outbox
  #promotion: PromotionRules
  #drift: DriftRules
  readonly #classes = new Map<string, ClassState>()

  constructor(options: ModelDeskOptions, outbox: Outbox) {
    this.#options = options
    this.#outbox = outbox
    this.#promotion = options.promotion ?? DEFAULT_PROMOTION
    this.#drift = options.drift ?? DEFAULT_DRIFT
  }

  /** Rules from here on. */
  rule(promotion: PromotionRules, drift: DriftRules): void {
    this.#promotion = promotion
    this.#drift = drift
  }

  /** An operator's word. Every partition hears it; one answers. */
  take(control: ModelControl): void {
    if (this.#options.partition !== MODEL_POOL_PARTITION) return
    const state = this.#class(control.nodeClass)
    const by = `by ${control.by}: ${control.reason}`
    const { model, action } = control
    switch (action) {
      case 'activate':
        if (model === null || model === state.champion) {
          return this.#refuse(state, `Model ${short(model)} serves already; asked ${by}.`)
        }
        return this.#activate(state, model, `Model ${short(model)} is put in place ${by}.`)
      case 'challenge':
        if (model === null || model === state.champion) {
          return this.#refuse(state, `Model ${short(model)} serves already; asked ${by}.`)
        }
        state.before = { champion: state.champion, previous: state.previous }
        state.trial = this.#trial('challenge', model)
        return this.#assign(state, `Model ${short(model)} challenges ${name(state)} ${by}.`)
      case 'canary':
      case 'promote':
        return this.#promote(state, control, by)
      case 'rollback':
        if (state.trial?.kind === 'canary') return this.#endTrial(state, `asked ${by}`, [])
        return this.#rollBack(state, `asked ${by}`)
      default:
        never(action)
    }
  }

  /** One step on, whatever is known: the challenger where no model is named. */
  #promote(state: ClassState, { action, model }: ModelControl, by: string): void {
    const { trial, champion } = state
    const challenger = model ?? (trial?.kind === 'probation' ? null : trial?.challenger) ?? null
    const refuse = (why: string) => this.#refuse(state, `${why}; asked ${by}.`)
    if (challenger === null) return refuse('There is no challenger to promote, and none is named')
    if (challenger === champion) return refuse(`Model ${short(challenger)} serves already`)
    if (action === 'promote') {
      return this.#activate(state, challenger, `Model ${short(challenger)} is promoted ${by}.`)
    }
    if (this.#promotion.canaryPools.length === 0) {
      return refuse('There are no canary pools: set promotion.canary_pools')
    }
    if (trial?.kind === 'canary' && trial.challenger === challenger) {
      return refuse(`Model ${short(challenger)} serves ${pools(trial)} already`)
    }
    this.#beginCanary(state, challenger, `asked ${by}`)
  }

  takeOutcomes(record: OutcomeRecord): void {
    const state = this.#class(record.nodeClass)
    const isConfigured = state.number === 0 && record.trial === 0
    if (isConfigured && record.champion !== state.champion) {
      // The log has named none yet, so it is the configuration's, and that may have changed.
      state.champion = record.champion
      state.sum = new OutcomeSum()
    }
    if (record.trial === state.number) {
      state.sum.add(record.outcomes)
      this.#look(state)
    }
    if (record.drift !== null) this.#takeDrift(state, record.source, record.drift)
    this.#publishWhenDue(state)
  }

  /** What an earlier model asked for counts no longer. */
  takeProposal(record: ProposalRecord): void {
    const state = this.#class(record.nodeClass)
    if (record.proposedAtMs < state.sinceMs) return
    const { overrides, trial, previous } = state
    const found = overrides.take(record, trial, this.#promotion)
    if (found === null) return this.#publishWhenDue(state)
    const { side, because, evidence } = found
    const { automatic } = this.#promotion
    if (side === 'challenger') {
      if (automatic) this.#endTrial(state, because, evidence)
      return
    }
    if (automatic && previous !== null) return this.#rollBack(state, because, evidence)
    if (overrides.told) return
    overrides.told = true
    const { nodeClass } = state
    const message = `Model ${name(state)} of class ${nodeClass} may no longer fit: ${because}.`
    alertModel(this.#outbox, { cause: `overrides:${nodeClass}`, message, over: false })
    this.#refuse(state, message, evidence)
  }

  takeHoldOut(record: HoldOutRecord): void {
    const state = this.#class(record.nodeClass)
    if (record.sinceMs < state.sinceMs) return
    state.holdOuts.take(record, state.trial)
    this.#publishWhenDue(state)
  }

  /** A watcher cannot serve it: all watchers have the same classes, so none can. */
  takeRefusal({ nodeClass, trial, model, reason }: ModelRefusal): void {
    const state = this.#class(nodeClass)
    if (trial !== state.number) return
    if (state.trial?.challenger === model) state.trial = null
    if (state.champion === model && state.before !== null) {
      state.champion = state.before.champion
      state.previous = state.before.previous
      state.trial = null
    }
    this.#refuse(state, `Model ${short(model)} is refused: ${reason}.`)
    this.#assign(state, null)
  }

  #look(state: ClassState): void {
    const { trial, sum } = state
    if (trial === null || !this.#promotion.automatic) return
    if (trial.kind === 'canary') return this.#lookAtCanary(state, trial)
    const { failuresMin, trialMaxMs } = this.#promotion
    const isOver = this.#outbox.nowMs - trial.sinceMs >= trialMaxMs
    if (sum.failureCount < failuresMin * LOOKS[trial.looks] && !isOver) return
    trial.looks++
    const comparison = compare(sum, this.#promotion)
    const isLast = isOver || trial.looks === LOOKS.length
    if (comparison === null) {
      if (isLast) this.#endTrial(state, 'in time no outcome of both was known', [])
      return
    }
    const evidence = evidenceOf(comparison)
    if (comparison.winner === 'challenger') {
      if (trial.kind === 'probation') return this.#rollBack(state, comparison.because, evidence)
      if (this.#promotion.canaryPools.length > 0) {
        return this.#beginCanary(state, trial.challenger, comparison.because, evidence)
      }
      return this.#activate(
        state,
        trial.challenger,
        `Model ${short(trial.challenger)} takes the place of ${name(state)}: ${comparison.because}.`,
        evidence,
      )
    }
    if (comparison.winner === 'champion' || isLast) {
      this.#endTrial(state, comparison.because, evidence)
    }
  }

  /**
   * Once as many failures are known as it takes, it may be taken back; when its time is over too, it goes
   * to the fleet unless the champion was better on the nodes that it served.
   */
  #lookAtCanary(state: ClassState, trial: Trial): void {
    const { canaryMs, canaryFailuresMin, trialMaxMs } = this.#promotion
    const { sum } = state
    const servedMs = this.#outbox.nowMs - trial.sinceMs
    const isKnown = sum.failureCount >= canaryFailuresMin
    if (!isKnown) {
      if (servedMs < trialMaxMs) return
      const because = `in time ${sum.failureCount} failures of the ${canaryFailuresMin} were confirmed there`
      return this.#endTrial(state, because, [])
    }
    const isOver = servedMs >= canaryMs
    if (!isOver && trial.looks > 0) return
    trial.looks++
    const comparison = compare(sum, this.#promotion)
    if (comparison === null) return
    const evidence = evidenceOf(comparison)
    if (comparison.winner === 'champion') return this.#endTrial(state, comparison.because, evidence)
    if (!isOver) return
    this.#activate(
      state,
      trial.challenger,
      `Model ${short(trial.challenger)} held in ${pools(trial)} and takes the place of ${name(state)}: ${comparison.because}.`,
      evidence,
    )
  }

  #beginCanary(
    state: ClassState,
    model: ModelId,
    because: string,
    evidence: readonly Evidence[] = [],
  ): void {
    const { champion, previous } = state
    state.before = { champion, previous }
    state.trial = { ...this.#trial('canary', model), canaryPools: this.#promotion.canaryPools }
    this.#assign(
      state,
      `Model ${short(model)} serves ${pools(state.trial)} before the fleet, beside ${name(state)}: ${because}.`,
      evidence,
    )
  }

  #activate(
    state: ClassState,
    model: ModelId,
    sentence: string,
    evidence: readonly Evidence[] = [],
  ): void {
    const { champion, previous } = state
    state.before = { champion, previous }
    state.previous = champion
    state.champion = model
    state.trial = champion === null ? null : this.#trial('probation', champion)
    this.#assign(state, sentence, evidence)
  }

  #rollBack(state: ClassState, because: string, evidence: readonly Evidence[] = []): void {
    const { champion, previous } = state
    if (previous === null) {
      return this.#refuse(state, `There is no model to roll back to: ${because}.`)
    }
    state.before = { champion, previous }
    state.champion = previous
    state.previous = null
    state.trial = null
    this.#assign(
      state,
      `Model ${short(champion)} is rolled back to ${short(previous)}: ${because}.`,
      evidence,
    )
  }

  #endTrial(state: ClassState, because: string, evidence: readonly Evidence[]): void {
    const { trial } = state
    if (trial === null) return
    state.trial = null
    this.#assign(state, endOf(trial, name(state), because), evidence)
  }

  /** Says it to every watcher; what is known of the pair before counts no longer. */
  #assign(state: ClassState, sentence: string | null, evidence: readonly Evidence[] = []): void {
    if (sentence !== null) this.#journal(state, sentence, evidence)
    state.number++
    state.sum = new OutcomeSum()
    this.#forgetOverrides(state)
    state.holdOuts.reset()
    state.sinceMs = this.#outbox.nowMs
    const { nodeClass, champion, trial, number } = state
    const body: ModelAssignment = {
      nodeClass,
      champion,
      challenger: trial?.challenger ?? null,
      canaryPools: trial?.canaryPools ?? [],
      trial: number,
    }
    for (const output of toEveryPartition(this.#options.topology, 'node-log', (topic, partition) =>
      logOutput(topic, partition, 'model', nodeClass, body),
    )) {
      this.#outbox.push(output)
    }
    this.#publish(state)
  }

  #forgetOverrides({ overrides, nodeClass }: ClassState): void {
    if (overrides.told) {
      const message = `Another pair of models serves class ${nodeClass}: what was overruled before counts no longer.`
      alertModel(this.#outbox, { cause: `overrides:${nodeClass}`, message, over: true })
    }
    overrides.reset()
  }

  #takeDrift(state: ClassState, source: number, counts: DriftCounts): void {
    const { drift } = state
    if (counts.window < drift.window) return
    if (counts.window > drift.window) {
      drift.window = counts.window
      drift.seen = new Map()
    }
    drift.seen.set(source, counts)
    if (drift.seen.size < this.#options.topology.nodePartitions) return
    const found = detectDrift([...drift.seen.values()], this.#drift)
    if (found === null) return
    const wasDrifted = drift.told?.drifted === true
    drift.told = { atMs: this.#outbox.nowMs, ...found }
    if (found.drifted !== wasDrifted) this.#tellDrift(state)
    this.#publish(state)
  }

  #tellDrift(state: ClassState): void {
    const { told } = state.drift
    if (told === null) return
    const { nodeClass } = state
    const message = driftSentence(told, { nodeClass, model: name(state) }, this.#drift)
    this.#journal(state, message, [
      { what: 'driftScore', value: told.score, limit: this.#drift.stabilityMax },
      { what: 'driftedFeatures', value: told.featureShare, limit: this.#drift.featureShareMax },
    ])
    alertModel(this.#outbox, { cause: `class:${nodeClass}`, message, over: !told.drifted })
  }

  #refuse(state: ClassState, sentence: string, evidence: readonly Evidence[] = []): void {
    this.#journal(state, sentence, evidence)
    this.#publish(state)
  }

  #journal(state: ClassState, sentence: string, evidence: readonly Evidence[]): void {
    state.lastChange = sentence
    this.#outbox.journal({ kind: 'model', pool: FLEET_POOL, reasons: [sentence], evidence })
  }

  #publishWhenDue(state: ClassState): void {
    if (this.#outbox.nowMs - state.publishedAtMs >= PUBLISHED_EVERY_MS) this.#publish(state)
  }

  #publish(state: ClassState): void {
    const { topology, source } = this.#options
    const { nodeClass } = state
    const { nowMs } = this.#outbox
    state.publishedAtMs = nowMs
    const body = toldOf(state, nowMs, this.#promotion)
    const id = `${this.#options.partition}.${this.#outbox.offset}.${nodeClass}`
    const event = { type: 'foreshock.model.state', source, id, subject: nodeClass, atMs: nowMs }
    const partition = partitionOf(nodeClass, topology.nodePartitions)
    this.#outbox.push(cloudEventOutput(topicName(topology, 'models'), partition, event, body))
  }

  #trial(kind: Trial['kind'], challenger: ModelId): Trial {
    return { kind, challenger, canaryPools: [], sinceMs: this.#outbox.nowMs, looks: 0 }
  }

  #class(nodeClass: string): ClassState {
    let state = this.#classes.get(nodeClass)
    if (state === undefined) {
      state = createClass(nodeClass, this.#outbox.nowMs)
      this.#classes.set(nodeClass, state)
    }
    return state
  }
}
