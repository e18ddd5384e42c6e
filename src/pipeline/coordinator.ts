/**
 * The coordinator's fold over one pool-log partition: incidents, plans, budgets and commands of its
 * pools.
 *
 * A pure fold: time is in the records, ids come from their offsets and keys sign deterministically,
 * so the same log gives the same bytes. That is what lets an owner rebuild its state and answer
 * "why did it do that?" with the same decision.
 */
import type { AssessmentRecord } from '../core/assessment.ts'
import type { LogRecord, Output } from '../core/bus.ts'
import { FoldClock } from '../core/clock.ts'
import type { Result } from '../core/command.ts'
import type { EvidenceRecord } from '../core/evidence.ts'
import type { PoolId } from '../core/ids.ts'
import { kindOf, logBody, type PoolLogKind, type Tick } from '../core/log.ts'
import {
  DEFAULT_PROMOTION,
  type DriftRules,
  type HoldOutRecord,
  type ModelRefusal,
  type OutcomeRecord,
  type PromotionRules,
  type ProposalRecord,
} from '../core/model-life.ts'
import type { NetworkFigures } from '../core/network.ts'
import type { NodeEvent } from '../core/node.ts'
import type { Control, Policy } from '../core/policy.ts'
import type { RailFigures } from '../core/rail-figures.ts'
import type { RoutePaths } from '../core/route-paths.ts'
import type { ConfigFigures } from '../core/runtime-config.ts'
import type { ShardFigures } from '../core/shard.ts'
import type { Topology } from '../core/topics.ts'
import type { Vote } from '../core/vote.ts'
import type { WaitingQueueView } from '../core/waiting.ts'
import type { Placement } from '../core/workload.ts'
import { type RailCheck, RAILS } from '../decide/admission.ts'
import type { NodeKeys } from '../detect/detector.ts'
import { AssessmentDesk } from './coordinator-assessments.ts'
import { ChoiceDesk } from './coordinator-choices.ts'
import { CohortMerge } from './coordinator-cohorts.ts'
import { CommandDesk, type WithheldRecord } from './coordinator-commands.ts'
import { ConfigDesk } from './coordinator-config.ts'
import { ControlDesk } from './coordinator-controls.ts'
import { DecisionDesk } from './coordinator-decisions.ts'
import { EmergencyDesk } from './coordinator-emergency.ts'
import { EvidenceDesk } from './coordinator-evidence.ts'
import { NodeFactDesk } from './coordinator-facts.ts'
import { HoldOutDesk } from './coordinator-hold-out.ts'
import { IncidentDesk } from './coordinator-incidents.ts'
import { MaintenanceDesk } from './coordinator-maintenance.ts'
import { ModelDesk } from './coordinator-models.ts'
import { NodeDesk } from './coordinator-nodes.ts'
import { Outbox } from './coordinator-outbox.ts'
import { ReliefDesk } from './coordinator-relief.ts'
import { PathDesk } from './coordinator-paths.ts'
import { PlanDesk } from './coordinator-plans.ts'
import { ReturnDesk } from './coordinator-returns.ts'
import { ProposalDesk } from './coordinator-proposals.ts'
import { railFigures } from './coordinator-rails.ts'
import { RegionDesk } from './coordinator-regions.ts'
import {
  type PoolRules,
  ShardDesk,
  type ShardFreeze,
  type ShardPage,
} from './coordinator-shards.ts'
import { SplitBrainDesk } from './coordinator-split-brain.ts'
import { TargetDesk } from './coordinator-targets.ts'
import { CoordinatorState, EVERY_RAIL, type PoolState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'
import { PlacementDesk } from './coordinator-placements.ts'
import { VoteDesk } from './coordinator-votes.ts'
import type { CohortWindow } from '../state/cohorts.ts'
import type { Fold } from './fold.ts'

export interface CoordinatorOptions {
  /** Of the pool-log. */
  readonly partition: number
  readonly topology: Topology
  /** Where rings run, one instance for each pool that has shards. */
  readonly kernel: WebAssembly.Module
  readonly policyFor: (pool: PoolId) => Policy
  /** Keys that nodes prove themselves with; none when absent. */
  readonly keyOf?: NodeKeys
  /** Ed25519 over the bytes, base64. It must be deterministic, as Ed25519 is. */
  readonly sign: (bytes: Uint8Array) => string
  /** CloudEvents source of everything sent. */
  readonly source: string
  readonly promotion?: PromotionRules
  readonly drift?: DriftRules
}

export class CoordinatorFold implements Fold {
  readonly #options: CoordinatorOptions
  readonly #clock: FoldClock
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #cohorts: CohortMerge
  readonly #commands: CommandDesk
  readonly #incidents: IncidentDesk
  readonly #decisions: DecisionDesk
  readonly #evidence: EvidenceDesk
  readonly #config: ConfigDesk
  readonly #controls: ControlDesk
  readonly #emergencies: EmergencyDesk
  readonly #splits: SplitBrainDesk
  readonly #votes: VoteDesk
  readonly #placements: PlacementDesk
  readonly #holdOuts: HoldOutDesk
  readonly #reliefs: ReliefDesk
  readonly #regions: RegionDesk
  readonly #facts: NodeFactDesk
  readonly #assessments: AssessmentDesk
  readonly #nodes: NodeDesk
  readonly #paths: PathDesk
  readonly #shards: ShardDesk
  readonly #models: ModelDesk
  readonly #maintenance: MaintenanceDesk
  #skippedCount = 0

  /** `rails`: tests take one away to show that nothing else holds what it holds. */
  constructor(given: CoordinatorOptions, rails: readonly RailCheck[] = RAILS) {
    const { topology } = given
    const options = { ...given, policyFor: (pool: PoolId) => this.#config.policyFor(pool) }
    const policyFor = (pool: PoolState) => options.policyFor(pool.id)
    this.#options = options
    this.#clock = new FoldClock(topology.clock, topology.nodePartitions)
    this.#state = new CoordinatorState(topology, () => this.#clock.nowMs)
    this.#outbox = new Outbox(options)
    this.#config = new ConfigDesk(given, this.#state, this.#outbox, {
      turned: (pool, before, after) => {
        this.#evidence.turn(pool.id, after.detectors)
        this.#controls.turn(pool, before.mode, after.mode)
        this.#shards.claimed()
      },
      ruled: (promotion, drift) => {
        this.#models.rule(promotion, drift)
        this.#holdOuts.rule(promotion)
      },
    })
    this.#cohorts = new CohortMerge(topology)
    const proposals = new ProposalDesk(topology, this.#outbox)
    const corruption = (node: NodeState) => this.#evidence.corruptionOf(node)
    const returns = new ReturnDesk(this.#state, this.#outbox, policyFor, corruption)
    this.#commands = new CommandDesk(this.#state, this.#outbox, proposals, returns, policyFor)
    this.#holdOuts = new HoldOutDesk(
      topology,
      this.#state,
      this.#outbox,
      options.promotion ?? DEFAULT_PROMOTION,
    )
    const choices = new ChoiceDesk(this.#state, this.#outbox, policyFor)
    const heldBack = (node: NodeState) => this.#evidence.heldBack(node)
    const targets = new TargetDesk(this.#state, this.#outbox, heldBack)
    const plans = new PlanDesk(
      this.#state,
      this.#outbox,
      policyFor,
      corruption,
      (step) => targets.wayOf(step) === 'promote',
    )
    this.#incidents = new IncidentDesk(
      this.#state,
      this.#outbox,
      this.#commands,
      choices,
      plans,
      returns,
      this.#holdOuts,
    )
    this.#decisions = new DecisionDesk(
      this.#state,
      this.#outbox,
      this.#commands,
      this.#incidents,
      choices,
      plans,
      proposals,
      this.#holdOuts,
      policyFor,
      rails,
      heldBack,
      (pool, node, action) => this.#votes.reasonFor(pool, node, action),
      targets,
    )
    this.#splits = new SplitBrainDesk(
      this.#state,
      this.#outbox,
      this.#commands,
      this.#incidents,
      policyFor,
    )
    this.#evidence = new EvidenceDesk(
      options,
      this.#state,
      this.#outbox,
      this.#incidents,
      this.#splits,
    )
    this.#reliefs = new ReliefDesk(this.#state, this.#outbox, this.#incidents, targets, policyFor)
    this.#regions = new RegionDesk(this.#state, this.#outbox, policyFor)
    this.#controls = new ControlDesk(this.#state, this.#outbox, this.#commands, proposals)
    this.#placements = new PlacementDesk(
      this.#state,
      this.#outbox,
      options.policyFor,
      (pool, node) => this.#splits.wentOn(pool, node),
      (node, placement, inConflict) => this.#splits.resync.changed(node, placement, inConflict),
    )
    this.#votes = new VoteDesk(
      options,
      this.#state,
      this.#outbox,
      (node) => this.#evidence.trustOf(node),
      (vote) => this.#evidence.takeVote(vote),
    )
    this.#emergencies = new EmergencyDesk(
      this.#state,
      this.#outbox,
      this.#commands,
      this.#votes,
      policyFor,
    )
    this.#nodes = new NodeDesk(this.#state, this.#outbox)
    this.#facts = new NodeFactDesk(options, this.#state, this.#outbox, this.#incidents)
    this.#assessments = new AssessmentDesk(
      options,
      this.#state,
      this.#outbox,
      this.#facts,
      this.#evidence,
      this.#decisions,
    )
    this.#paths = new PathDesk(this.#state, this.#outbox)
    this.#shards = new ShardDesk(options, this.#state, this.#outbox)
    this.#models = new ModelDesk(options, this.#outbox)
    this.#maintenance = new MaintenanceDesk(options.partition, this.#state, this.#outbox)
  }

  fold(record: LogRecord): readonly Output[] {
    const stepBefore = this.#clock.step
    this.#clock.arrive(record.appendedAtMs)
    this.#outbox.begin(record.offset)
    this.#outbox.nowMs = this.#clock.nowMs
    this.#take(record)
    this.#settle()
    this.#evidence.follow()
    this.#paths.follow()
    this.#shards.follow()
    this.#nodes.publish()
    const isStep = this.#options.topology.clock === 'driven' && this.#clock.step > stepBefore
    if (isStep) this.#outbox.done(this.#clock.step)
    return this.#outbox.take()
  }

  stats(): Readonly<Record<string, number>> {
    return {
      incidentCount: this.#incidents.openedCount,
      commandCount: this.#outbox.commandCount,
      refusalCount: this.#outbox.refusalCount,
      foreseenCount: this.#incidents.foreseenCount,
      missedCount: this.#incidents.missedCount,
      unknownResultCount: this.#commands.unknownResultCount,
      mergedCohortCount: this.#cohorts.mergedCount,
      skippedCount: this.#skippedCount,
      ...this.#reliefs.stats(),
      ...this.#regions.stats(),
      ...this.#votes.stats(),
      ...this.#placements.stats(),
      ...this.#paths.stats(),
      ...this.#state.stats(),
      ...this.#evidence.stats(),
    }
  }

  /** State, history and statistics of each pool's network. */
  networkFigures(): readonly NetworkFigures[] {
    return this.#evidence.network()
  }

  /** How full the rails of each pool are. */
  railFigures(): readonly RailFigures[] {
    const policyFor = (pool: PoolState) => this.#options.policyFor(pool.id)
    return railFigures(this.#state, policyFor, (pool) => this.#splits.figures(pool))
  }

  /** What waits for room, of each pool where something has. */
  waiting(): readonly WaitingQueueView[] {
    return this.#decisions.waiting()
  }

  /** Null where these are not both nodes of the pool. */
  paths(pool: string, from: string, to: string): RoutePaths | null {
    return this.#state.latencies.paths(this.#state, pool, from, to, this.#outbox.nowMs)
  }

  /** The configuration in force, and pools that are watched because of it. */
  configFigures(): ConfigFigures {
    return this.#config.figures()
  }

  /** Of each pool that has shards. */
  shardFigures(): readonly ShardFigures[] {
    return this.#shards.figures()
  }

  #take(record: LogRecord): void {
    switch (kindOf(record) as PoolLogKind | undefined) {
      case 'assessment':
        return this.#assessments.take(logBody<AssessmentRecord>(record))
      case 'node-fact': {
        const event = logBody<NodeEvent>(record)
        this.#facts.take(event)
        return this.#evidence.takeFact(event)
      }
      case 'placement':
        return this.#placements.take(logBody<Placement>(record))
      case 'result': {
        const result = logBody<Result>(record)
        this.#evidence.takeResult(result)
        return this.#commands.take(this.#state.pool(result.pool), result)
      }
      case 'control': {
        const control = logBody<Control>(record)
        if (control.kind === 'model') return this.#models.take(control)
        if (control.kind === 'config') return this.#config.take(control)
        if (control.kind === 'maintenance') return this.#maintenance.take(control)
        if (control.kind === 'silence' || control.kind === 'acknowledge') {
          if (this.#options.partition === 0) this.#controls.noteSaid(control)
          return
        }
        if (control.kind === 'emergency') return this.#emergencies.take(control)
        this.#controls.take(control)
        return this.#shards.wake()
      }
      case 'withheld':
        return this.#commands.keepBack(logBody<WithheldRecord>(record))
      case 'model-outcomes':
        return this.#models.takeOutcomes(logBody<OutcomeRecord>(record))
      case 'model-refused':
        return this.#models.takeRefusal(logBody<ModelRefusal>(record))
      case 'model-proposal':
        return this.#models.takeProposal(logBody<ProposalRecord>(record))
      case 'model-hold-out':
        return this.#models.takeHoldOut(logBody<HoldOutRecord>(record))
      case 'cohort-counts':
        for (const output of this.#cohorts.take(logBody<CohortWindow>(record)))
          this.#outbox.push(output)
        return
      case 'tick':
        return this.#takeTick(logBody<Tick>(record))
      case 'claim':
        this.#state.epoch = record.offset
        return this.#shards.claimed()
      case 'shard-rules':
        return this.#shards.take(logBody<PoolRules>(record))
      case 'shard-page':
        return this.#shards.takePage(logBody<ShardPage>(record))
      case 'evidence':
        return this.#evidence.take(logBody<EvidenceRecord>(record))
      case 'vote':
        return this.#votes.take(logBody<Vote>(record))
      case 'freeze':
        return this.#shards.takeFreeze(logBody<ShardFreeze>(record))
      case undefined:
        this.#skippedCount++
    }
  }

  #takeTick({ source, atMs, step }: Tick): void {
    this.#clock.tick(source, atMs, step)
    this.#outbox.nowMs = this.#clock.nowMs
    this.#evidence.tick()
    this.#votes.tick()
  }

  /** Until nothing follows from anything: closing an incident may free a budget for another. */
  #settle(): void {
    const { nowMs } = this.#outbox
    if (nowMs === 0) return
    this.#config.follow()
    this.#maintenance.turn()
    this.#holdOuts.follow()
    this.#reliefs.follow()
    this.#regions.follow()
    this.#emergencies.follow()
    this.#incidents.returnWhole()
    for (const pool of this.#state.pools.values()) {
      if (nowMs >= pool.dueMs) {
        for (const rail of EVERY_RAIL) pool.woken.add(rail)
        pool.dirty = true
        this.#commands.expire(pool)
      }
      for (let pass = 0; pool.dirty && pass < PASSES_MAX; pass++) this.#decisions.decide(pool)
    }
  }
}

/** A pass that changes something asks for another; this many settle every case that is not a bug. */
const PASSES_MAX = 4
