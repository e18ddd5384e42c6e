/** Models in Prometheus: who serves, how well, and whether what they see has drifted. */
import type { Gauge, Registry } from 'prom-client'
import { type ClassModels, type ModelFigures, TRIAL_KINDS } from '../core/model-life.ts'
import { gaugeOf } from './instruments.ts'

export class ModelMetrics {
  readonly #info
  readonly #trial
  readonly #canaryPools
  readonly #recall
  readonly #brier
  readonly #falseAlarms
  readonly #failures
  readonly #holdOuts
  readonly #holdOutPrecision
  readonly #movedRows
  readonly #proposals
  readonly #overrides
  readonly #leadTime
  readonly #driftScore
  readonly #driftShare
  readonly #drifted
  /** Class → the labels of its info, so that a model that serves no longer disappears. */
  readonly #shown = new Map<string, readonly { class: string; role: string; model: string }[]>()

  constructor(registry: Registry) {
    const gauge = <Label extends string>(name: string, help: string, ...labels: Label[]) =>
      gaugeOf(registry, `foreshock_model_${name}`, help, ...labels)
    this.#info = gauge('info', 'Models in use: always 1', 'class', 'role', 'model')
    this.#trial = gauge('trial', '1 for the trial that is on', 'class', 'kind')
    this.#canaryPools = gauge(
      'canary_pools',
      'Pools that the challenger serves before the fleet',
      'class',
    )
    this.#recall = gauge(
      'recall_ratio',
      'Share of confirmed failures over the threshold of the alert budget',
      'class',
      'role',
    )
    this.#brier = gauge('brier_score', 'Mean squared error of the probabilities', 'class', 'role')
    this.#falseAlarms = gauge(
      'false_alarms_per_1000_node_months',
      'At the threshold of the alert budget',
      'class',
      'role',
    )
    this.#failures = gauge(
      'confirmed_failures',
      'Confirmed failures that the figures rest on',
      'class',
    )
    this.#proposals = gauge(
      'proposals',
      'Incidents in which a prediction asked for something, since the newest assignment',
      'class',
      'role',
    )
    this.#overrides = gauge(
      'override_ratio',
      'Share of the proposals that people rejected or vetoed',
      'class',
      'role',
    )
    this.#holdOuts = gauge(
      'hold_outs',
      'Alarms that were watched and not answered, whose horizon is over',
      'class',
      'role',
    )
    this.#holdOutPrecision = gauge(
      'hold_out_precision_ratio',
      'Share of the alarms that come true, by those that were not answered',
      'class',
      'role',
    )
    this.#movedRows = gauge(
      'moved_rows',
      'Rows of nodes whose work was moved in time: whether they would have failed is unknown',
      'class',
    )
    this.#leadTime = gauge(
      'lead_time_seconds',
      'Median time from the first alarm at the acting point to the failure',
      'class',
    )
    this.#driftScore = gauge(
      'drift_score_index',
      'Population stability index of the probability, against training',
      'class',
    )
    this.#driftShare = gauge(
      'drifted_features_ratio',
      'Share of the features whose distribution is not that of training',
      'class',
    )
    this.#drifted = gauge('drifted', '1 where the rules call it drift', 'class')
  }

  take(models: ClassModels): void {
    const { nodeClass, figures, drift } = models
    this.#showInfo(models)
    for (const kind of TRIAL_KINDS) {
      this.#trial.set({ class: nodeClass, kind }, models.trial === kind ? 1 : 0)
    }
    this.#canaryPools.set({ class: nodeClass }, models.canaryPools.length)
    this.#showFigures(nodeClass, 'champion', figures.champion)
    this.#showFigures(nodeClass, 'challenger', figures.challenger)
    this.#failures.set({ class: nodeClass }, models.failureCount)
    this.#showProposals(models)
    this.#showHoldOuts(models)
    this.#movedRows.set({ class: nodeClass }, models.movedRowCount)
    if (models.leadTimeMs !== null) {
      this.#leadTime.set({ class: nodeClass }, models.leadTimeMs / 1_000)
    }
    if (drift === null) return
    this.#driftScore.set({ class: nodeClass }, drift.score)
    this.#driftShare.set({ class: nodeClass }, drift.featureShare)
    this.#drifted.set({ class: nodeClass }, drift.drifted ? 1 : 0)
  }

  #showHoldOuts({ nodeClass, holdOuts }: ClassModels): void {
    for (const [role, { count, precision }] of Object.entries(holdOuts)) {
      const labels = { class: nodeClass, role }
      this.#holdOuts.set(labels, count)
      if (precision === null) this.#holdOutPrecision.remove(labels)
      else this.#holdOutPrecision.set(labels, precision)
    }
  }

  #showProposals({ nodeClass, proposals }: ClassModels): void {
    for (const [role, { proposalCount, overriddenCount }] of Object.entries(proposals)) {
      const labels = { class: nodeClass, role }
      this.#proposals.set(labels, proposalCount)
      if (proposalCount === 0) this.#overrides.remove(labels)
      else this.#overrides.set(labels, overriddenCount / proposalCount)
    }
  }

  #showInfo({ nodeClass, champion, challenger }: ClassModels): void {
    for (const labels of this.#shown.get(nodeClass) ?? []) this.#info.remove(labels)
    const roles = { champion, challenger }
    const shown = Object.entries(roles).flatMap(([role, model]) =>
      model === null ? [] : [{ class: nodeClass, role, model }],
    )
    for (const labels of shown) this.#info.set(labels, 1)
    this.#shown.set(nodeClass, shown)
  }

  #showFigures(nodeClass: string, role: string, figures: ModelFigures | null): void {
    const labels = { class: nodeClass, role }
    const show = (gauge: Gauge<'class' | 'role'>, value: number | null | undefined): void => {
      if (value === null || value === undefined) gauge.remove(labels)
      else gauge.set(labels, value)
    }
    show(this.#recall, figures?.recall)
    show(this.#brier, figures?.brier)
    show(this.#falseAlarms, figures?.falseAlarmsPer1000NodeMonths)
  }
}
