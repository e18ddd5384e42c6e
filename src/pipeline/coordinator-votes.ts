/**
 * Ballots of pools: something grave that is asked for opens one, signed votes in the order of the log decide
 * it, and until they have the rail `votes` refuses. Each step is in the journal, where nodes read of it too.
 */
import type { CommandAction } from '../core/command.ts'
import type { EmergencyControl } from '../core/emergency.ts'
import { never } from '../core/errors.ts'
import type { PoolId } from '../core/ids.ts'
import type { Policy } from '../core/policy.ts'
import type { BallotId, BallotRecord, BallotState, Vote, VoteRules } from '../core/vote.ts'
import { Ballot, type Cast } from '../decide/ballot.ts'
import { lasting, percent } from '../decide/explain.ts'
import { isVoteSigned } from '../decide/vote-signature.ts'
import type { NodeKeys } from '../detect/detector.ts'
import { formatDuration } from '../core/time.ts'
import type { Outbox } from './coordinator-outbox.ts'
import { lostRegionOf } from './coordinator-regions.ts'
import type { CoordinatorState, PoolState } from './coordinator-state.ts'
import type { NodeState } from './node-state.ts'

/** Ballots of a pool at once, those included whose end is still remembered; more are refused. */
const BALLOTS_MAX = 64
/** A zone is failed over when more than this share of it is down. */
const ZONE_DOWN_RATIO = 0.5
/** A restart, a cordon or a move of what still runs takes nothing over. */
const TAKES_OVER: ReadonlySet<CommandAction> = new Set(['fence', 'recover', 'promote'])

interface Poll {
  readonly id: BallotId
  readonly pool: PoolId
  readonly subject: string
  readonly question: string
  readonly ballot: Ballot
  state: BallotState
  /** When it is forgotten: an approval is used up, or it may be asked again. */
  untilMs: number
  readonly approved: (() => void) | null
}

export interface VoteOptions {
  readonly keyOf?: NodeKeys
  readonly policyFor: (pool: PoolId) => Policy
}

export class VoteDesk {
  readonly #options: VoteOptions
  readonly #state: CoordinatorState
  readonly #outbox: Outbox
  readonly #trustOf: (node: NodeState) => number
  /** Told of each vote that is signed, for those who watch for manipulation. */
  readonly #seen: (vote: Vote) => void
  readonly #polls = new Map<PoolId, Map<string, Poll>>()
  readonly #counts = { counted: 0, repeated: 0, stranger: 0, late: 0, forged: 0, unknown: 0 }
  #ballotCount = 0

  constructor(
    options: VoteOptions,
    state: CoordinatorState,
    outbox: Outbox,
    trustOf: (node: NodeState) => number,
    seen: (vote: Vote) => void,
  ) {
    this.#options = options
    this.#state = state
    this.#outbox = outbox
    this.#trustOf = trustOf
    this.#seen = seen
  }

  stats(): Readonly<Record<string, number>> {
    const polls = [...this.#polls.values()].flatMap((of) => [...of.values()])
    const { counted, repeated, stranger, late, forged, unknown } = this.#counts
    return {
      ballotCount: this.#ballotCount,
      openBallotCount: polls.filter(({ state }) => state === 'open').length,
      countedVoteCount: counted,
      refusedVoteCount: repeated + stranger + late + unknown,
      forgedVoteCount: forged,
    }
  }

  /** Why it is not done yet; null where no vote is needed, or it was approved. Asked last. */
  reasonFor(pool: PoolState, node: NodeState, action: CommandAction): string | null {
    const { votes: rules } = this.#options.policyFor(pool.id)
    if (rules === null || !TAKES_OVER.has(action)) return null
    const asked =
      regionAsked(this.#state, node, rules) ??
      (action === 'fence' ? (zoneAsked(pool, node, rules) ?? fencesAsked(pool, node, rules)) : null)
    if (asked === null) return null
    return this.#ask(pool, asked.subject, asked.question, rules, null)
  }

  /** Why an emergency that a person declares waits; null where it need not. `approved`: it waits no more. */
  waitFor(pool: PoolState, { by, reason }: EmergencyControl, approved: () => void): string | null {
    const { votes: rules } = this.#options.policyFor(pool.id)
    if (rules === null || !rules.emergency) return null
    const question = `pool ${pool.id} enter an emergency, as ${by} asks (${reason})`
    return this.#ask(pool, 'emergency', question, rules, approved)
  }

  take(vote: Vote): void {
    const poll = [...(this.#polls.get(vote.pool)?.values() ?? [])].find(
      ({ id }) => id === vote.ballot,
    )
    const key = this.#options.keyOf?.(vote.node) ?? null
    if (key === null || !isVoteSigned(key, vote)) {
      this.#counts.forged++
      return
    }
    if (poll === undefined) {
      this.#counts.unknown++
      return
    }
    this.#seen(vote)
    const cast: Cast =
      poll.state === 'open' ? poll.ballot.cast(vote.node, vote.choice, this.#outbox.nowMs) : 'late'
    this.#counts[cast]++
    if (cast !== 'counted') return
    const what = `Node ${vote.node} votes ${vote.choice} in ballot ${poll.id}`
    this.#journal(poll, `${what}: ${tally(poll)}.`, vote)
    this.#follow(poll)
  }

  /** Once a second of the log's time. */
  tick(): void {
    for (const [id, polls] of this.#polls) {
      // Fenced nodes that came back make room for others.
      if (this.#state.pool(id).incidents.refusedCount('votes') > 0) this.#wake(id)
      for (const poll of polls.values()) {
        if (poll.state === 'open') this.#follow(poll)
        else if (this.#outbox.nowMs >= poll.untilMs) {
          polls.delete(poll.subject)
          this.#wake(poll.pool)
        }
      }
    }
  }

  #ask(
    pool: PoolState,
    subject: string,
    question: string,
    rules: VoteRules,
    approved: (() => void) | null,
  ): string | null {
    const polls = this.#polls.get(pool.id) ?? new Map<string, Poll>()
    this.#polls.set(pool.id, polls)
    const { nowMs } = this.#outbox
    let poll = polls.get(subject)
    // An approval is for what was asked while it was valid; what a tick has not seen yet is over all the same.
    if (poll !== undefined && poll.state !== 'open' && nowMs >= poll.untilMs) {
      polls.delete(subject)
      poll = undefined
    }
    if (poll === undefined) {
      if (polls.size >= BALLOTS_MAX) return `${BALLOTS_MAX} ballots are open or just decided`
      poll = this.#open(pool, subject, question, rules, approved)
      polls.set(subject, poll)
    }
    switch (poll.state) {
      case 'approved':
        return null
      case 'open':
        return `ballot ${poll.id} is not decided: ${tally(poll)}`
      case 'rejected':
      case 'expired': {
        const after = lasting(poll.untilMs - nowMs)
        const what = poll.state === 'rejected' ? 'was decided against' : 'ran out'
        return `ballot ${poll.id} ${what} (${tally(poll)}); it is asked again after ${after}`
      }
      default:
        return never(poll.state)
    }
  }

  #open(
    pool: PoolState,
    subject: string,
    question: string,
    rules: VoteRules,
    approved: (() => void) | null,
  ): Poll {
    const { nowMs } = this.#outbox
    const ballot = new Ballot(this.#candidates(pool), rules, nowMs)
    const id = this.#outbox.ballotId(pool.id)
    const poll: Poll = {
      id,
      pool: pool.id,
      subject,
      question,
      ballot,
      state: 'open',
      untilMs: ballot.deadlineAtMs,
      approved,
    }
    this.#ballotCount++
    const who = `${ballot.electorCount} nodes may vote for ${formatDuration(rules.deadlineMs)}`
    const most = `${percent(rules.quorumRatio)} of their weight is asked for`
    this.#journal(poll, `Ballot ${id} is opened: may ${question}? ${who}; ${most}.`)
    return poll
  }

  /** Who is there and on our side of a split network; whether it is old and trusted enough is the ballot's to say. */
  *#candidates({ nodes }: PoolState) {
    for (const node of nodes.values()) {
      if (node.failedAtMs !== null || this.#state.livenessOf(node) !== 'live') continue
      const { id, zone, memberSinceMs } = node
      yield { node: id, zone, memberSinceMs, trust: this.#trustOf(node) }
    }
  }

  #follow(poll: Poll): void {
    const { nowMs } = this.#outbox
    const state = poll.ballot.stateAt(nowMs)
    if (state === 'open') return
    poll.state = state
    const { votes: rules, cooldownMs } = this.#options.policyFor(poll.pool)
    poll.untilMs = nowMs + (state === 'approved' ? (rules?.validMs ?? 0) : cooldownMs)
    const ended = {
      approved: 'approved',
      rejected: 'decided against',
      expired: 'not decided in time',
    }
    const message = `Ballot ${poll.id} is ${ended[state]} (may ${poll.question}?): ${tally(poll)}.`
    this.#journal(poll, message)
    if (state === 'approved') poll.approved?.()
    else this.#tell(poll, message)
    this.#wake(poll.pool)
  }

  #tell({ pool, subject }: Poll, message: string): void {
    this.#outbox.alert({
      kind: 'ballot',
      pool,
      node: null,
      cause: `ballot:${subject}`,
      severity: 'warning',
      message,
      incidentId: null,
    })
  }

  #wake(id: PoolId): void {
    const pool = this.#state.pool(id)
    pool.woken.add('votes')
    pool.dirty = true
  }

  #journal(poll: Poll, reason: string, vote?: Vote): void {
    const { id, pool, subject, question, ballot, state } = poll
    const record: BallotRecord = {
      ballot: id,
      subject,
      question,
      state,
      openedAtMs: ballot.openedAtMs,
      deadlineMs: ballot.deadlineAtMs,
      electorCount: ballot.electorCount,
      voteCount: ballot.voteCount,
      yesRatio: ballot.yesRatio,
      noRatio: ballot.noRatio,
    }
    this.#outbox.journal({
      kind: 'ballot',
      pool,
      node: vote?.node ?? null,
      reasons: [reason],
      ballot: record,
    })
  }
}

interface Asked {
  readonly subject: string
  readonly question: string
}

/** Also of work whose node was fenced before the last one of its region was lost. */
function regionAsked(state: CoordinatorState, node: NodeState, rules: VoteRules): Asked | null {
  const lost = rules.regionFailover ? lostRegionOf(state, node) : null
  if (lost === null) return null
  const { region, nodes } = lost
  const question = `the CRITICAL and HIGH work of region ${region} go to other regions (all of its ${nodes.size} nodes were down)`
  return { subject: `region:${region}`, question }
}

function zoneAsked(pool: PoolState, { zone: name }: NodeState, rules: VoteRules): Asked | null {
  const zone = name === null ? undefined : pool.zones.get(name)
  if (!rules.zoneFailover || zone === undefined) return null
  const { nodeCount, failingCount } = zone
  if (failingCount < 2 || failingCount <= ZONE_DOWN_RATIO * nodeCount) return null
  const question = `the work of zone ${name} be taken over (${failingCount} of ${nodeCount} nodes are down)`
  return { subject: `zone:${name}`, question }
}

/** Beside the nodes that are fenced already, and still out. */
function fencesAsked(pool: PoolState, node: NodeState, rules: VoteRules): Asked | null {
  const fenced = new Set<NodeState>()
  for (const { node: other, steps } of pool.incidents.all()) {
    if (fenced.size === rules.fenceNodesMax) break
    if (other !== node && (steps.get('fence')?.attempts ?? 0) > 0) fenced.add(other)
  }
  if (fenced.size < rules.fenceNodesMax) return null
  const question = `more than ${rules.fenceNodesMax} nodes of pool ${pool.id} be fenced at once, beginning with ${node.id}`
  return { subject: 'fences', question }
}

function tally({ ballot }: Poll): string {
  const { yesRatio, noRatio, electorCount, voteCount } = ballot
  const sides = `${percent(yesRatio)} yes and ${percent(noRatio)} no`
  return `${sides}, ${voteCount} of ${electorCount} nodes have voted`
}
