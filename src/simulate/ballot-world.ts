/**
 * Worlds of votes, drawn from a seed: a pool in which more nodes fall silent than may be fenced without being
 * asked, honest nodes that all want the same, and an adversary with up to a third of the weight. It votes the
 * other way, forges votes of honest nodes, says votes twice, sends them to a ballot that is over, and has
 * made itself new nodes, with keys that are right. What comes of it is judged by the commands alone.
 */
import { createHash } from 'node:crypto'
import type { LogRecord, Output } from '../core/bus.ts'
import { toBytes, toText } from '../core/bytes.ts'
import type { Command, JournalEntry } from '../core/command.ts'
import type { NodeId, PoolId } from '../core/ids.ts'
import { logOutput, type PoolLogKind } from '../core/log.ts'
import type { JoinEvent } from '../core/node.ts'
import { DEFAULT_POLICY, type Policy } from '../core/policy.ts'
import type { Topology } from '../core/topics.ts'
import type { BallotRecord, Choice, Vote, VoteRules } from '../core/vote.ts'
import { type RailCheck, RAILS } from '../decide/admission.ts'
import { voteMac } from '../decide/vote-signature.ts'
import { Random } from '../fleet/random.ts'
import { CoordinatorFold } from '../pipeline/coordinator.ts'

const POOL = 'voting' as PoolId
const START_MS = 1_763_600_000_000
const MINUTE_MS = 60_000
const TOPOLOGY: Topology = {
  prefix: 'votes.',
  nodePartitions: 4,
  poolPartitions: 1,
  clock: 'arrival',
  retentionMs: 86_400_000,
}
const RULES: VoteRules = {
  quorumRatio: 2 / 3,
  deadlineMs: 2 * MINUTE_MS,
  validMs: 10 * MINUTE_MS,
  ageMinMs: 60 * MINUTE_MS,
  trustMinRatio: 0.5,
  electorsMin: 3,
  zoneWeightMaxRatio: 1,
  fenceNodesMax: 1,
  zoneFailover: false,
  regionFailover: false,
  emergency: false,
}
const POLICY: Policy = {
  ...DEFAULT_POLICY,
  version: 'votes',
  mode: 'enforce',
  budgetRatio: 1,
  votes: RULES,
}
const SILENT_NODES = 3
const ELECTORS = { min: 4, max: 24 }
/** A share of the weight that cannot decide alone. */
export const BYZANTINE_RATIO_MAX = 1 / 3

/** What the honest nodes do: they all vote the same, or none of them votes. */
export type Honest = Choice | 'nothing'

export interface BallotWorld {
  readonly honest: Honest
  readonly electorCount: number
  readonly byzantineCount: number
  /** Fenced beside the one that needs no vote. */
  readonly fencedByVoteCount: number
  readonly state: BallotRecord['state'] | 'none'
  readonly forgedCount: number
  readonly refusedCount: number
  /** Empty where it went as the honest nodes wanted. */
  readonly broken: string
}

export interface BallotOptions {
  readonly kernel: WebAssembly.Module
  /** Tests take one away, and give the adversary more. */
  readonly rails?: readonly RailCheck[]
  readonly byzantineRatio?: number
}

/** Plays one world and judges it. */
export function playBallot(seed: number, options: BallotOptions): BallotWorld {
  const random = new Random(seed, 'votes')
  const honest = (['yes', 'no', 'nothing'] as const)[random.index(3)]
  const electorCount = ELECTORS.min + random.index(ELECTORS.max - ELECTORS.min + 1)
  const { byzantineRatio = BYZANTINE_RATIO_MAX } = options
  const byzantineCount = Math.floor(byzantineRatio * electorCount + 1e-9)
  const log = new PoolLog(options)
  const electors = names('elector', electorCount)
  const failing = names('failing', SILENT_NODES)
  for (const node of [...electors, ...failing]) log.join(node)
  log.pass(2 * 60 * MINUTE_MS)
  const minted = names('minted', 1 + random.index(40))
  for (const node of minted) log.join(node)
  log.pass(MINUTE_MS)
  log.silence(failing)
  const ballot = log.ballots().at(-1)
  if (ballot === undefined) return judged(log, honest, electorCount, byzantineCount)
  const early = votesOf(random, { honest, electors, byzantineCount, minted, ballot })
  for (const vote of early) {
    log.feed('vote', vote)
    log.pass(random.index(2_000))
  }
  log.pass(RULES.deadlineMs + 1_000)
  // Whatever was missing comes when it is too late.
  for (const node of electors) log.feed('vote', signed(ballot, node, 'yes'))
  log.pass(MINUTE_MS)
  return judged(log, honest, electorCount, byzantineCount)
}

/** Worlds in which the honest nodes did not get what they wanted, with the first of them in words. */
export function judgeBallots(
  seeds: readonly number[],
  options: BallotOptions,
): { readonly brokenCount: number; readonly first: string; readonly forgedCount: number } {
  const worlds = seeds.map((seed) => ({ seed, world: playBallot(seed, options) }))
  const broken = worlds.filter(({ world }) => world.broken !== '')
  const [first] = broken
  return {
    brokenCount: broken.length,
    first: first === undefined ? '' : `seed ${first.seed}: ${first.world.broken}`,
    forgedCount: worlds.reduce((sum, { world }) => sum + world.forgedCount, 0),
  }
}

interface Campaign {
  readonly honest: Honest
  readonly electors: readonly NodeId[]
  readonly byzantineCount: number
  readonly minted: readonly NodeId[]
  readonly ballot: BallotRecord
}

/** In any order, so that the adversary is also first. */
function votesOf(
  random: Random,
  { honest, electors, byzantineCount, minted, ballot }: Campaign,
): readonly Vote[] {
  const [liars, honestNodes] = [electors.slice(0, byzantineCount), electors.slice(byzantineCount)]
  const wanted: Choice = honest === 'no' ? 'yes' : honest === 'yes' ? 'no' : 'yes'
  const votes: Vote[] = []
  for (const node of honest === 'nothing' ? [] : honestNodes) {
    votes.push(signed(ballot, node, honest as Choice))
  }
  for (const node of liars) {
    const vote = signed(ballot, node, wanted)
    votes.push(vote, vote, signed(ballot, node, honest === 'yes' ? 'yes' : 'no'))
  }
  for (const node of honestNodes) {
    const liar = liars[0] ?? minted[0]
    const own = voteMac(keyOf(liar), { pool: POOL, ballot: ballot.ballot, node, choice: wanted })
    const other = signed({ ballot: `${ballot.ballot}0` as BallotRecord['ballot'] }, node, wanted)
    // With the adversary's own key; and a right vote of another ballot, said to be of this one.
    votes.push({ ...signed(ballot, node, wanted), mac: own })
    votes.push({ ...other, ballot: ballot.ballot })
  }
  for (const node of minted) votes.push(signed(ballot, node, wanted))
  return shuffled(votes, random)
}

function judged(
  log: PoolLog,
  honest: Honest,
  electorCount: number,
  byzantineCount: number,
): BallotWorld {
  const stats = log.stats()
  const fencedByVoteCount = Math.max(0, log.fences() - RULES.fenceNodesMax)
  const state = log.ended() ?? log.ballots()[0]?.state ?? 'none'
  const world = {
    honest,
    electorCount,
    byzantineCount,
    fencedByVoteCount,
    state,
    forgedCount: stats['forgedVoteCount'] ?? 0,
    refusedCount: stats['refusedVoteCount'] ?? 0,
  }
  return { ...world, broken: problem(world) }
}

function problem({
  honest,
  fencedByVoteCount,
  state,
}: Pick<BallotWorld, 'honest' | 'fencedByVoteCount' | 'state'>): string {
  const wanted = honest === 'yes' ? SILENT_NODES - RULES.fenceNodesMax : 0
  const end = { yes: 'approved', no: 'rejected', nothing: 'expired' }[honest]
  if (fencedByVoteCount !== wanted) {
    return `honest nodes want ${honest}, and ${fencedByVoteCount} nodes were fenced by vote, not ${wanted}`
  }
  return state === end ? '' : `honest nodes want ${honest}, and the ballot is ${state}, not ${end}`
}

function names(kind: string, count: number): readonly NodeId[] {
  return Array.from({ length: count }, (_, i) => `${kind}${i}` as NodeId)
}

function keyOf(node: NodeId): string {
  return createHash('sha256').update(`key of ${node}`).digest('hex')
}

function signed({ ballot }: Pick<BallotRecord, 'ballot'>, node: NodeId, choice: Choice): Vote {
  const vote = { pool: POOL, ballot, node, choice }
  return { ...vote, atMs: START_MS, mac: voteMac(keyOf(node), vote) }
}

/** Fisher and Yates. */
function shuffled<Item>(items: readonly Item[], random: Random): readonly Item[] {
  const list = [...items]
  for (let i = list.length - 1; i > 0; i--) {
    const j = random.index(i + 1)
    ;[list[i], list[j]] = [list[j], list[i]]
  }
  return list
}

/** A coordinator and its log. */
class PoolLog {
  readonly #fold: CoordinatorFold
  readonly #outputs: Output[] = []
  #offset = 0
  #nowMs = START_MS

  constructor({ kernel, rails = RAILS }: BallotOptions) {
    const options = {
      partition: 0,
      topology: TOPOLOGY,
      kernel,
      policyFor: () => POLICY,
      keyOf,
      sign: () => 'unsigned',
      source: '/votes',
    }
    this.#fold = new CoordinatorFold(options, rails)
    this.feed('claim', { role: 'coordinator', owner: 'votes' })
  }

  feed(kind: PoolLogKind, body: unknown): void {
    const { value, headers = {} } = logOutput('votes.pool-log', 0, kind, null, body)
    const record: LogRecord = {
      topic: 'votes.pool-log',
      partition: 0,
      offset: this.#offset++,
      appendedAtMs: this.#nowMs,
      key: null,
      value: toBytes(value as string),
      headers,
    }
    this.#outputs.push(...this.#fold.fold(record))
  }

  pass(ms: number): void {
    this.#nowMs += ms
    this.feed('tick', { source: 0, atMs: 0, step: 0 })
  }

  join(node: NodeId): void {
    const event: JoinEvent = {
      kind: 'join',
      node,
      atMs: this.#nowMs,
      class: 'server',
      pool: POOL,
      labels: {},
      place: { zone: null, region: null, latitude: null, longitude: null },
      capacity: { cpu: 8, memoryBytes: 1e9, gpu: null },
    }
    this.feed('node-fact', event)
  }

  /** All of them in one record: none of them is an elector of the ballot that follows. */
  silence(nodes: readonly NodeId[]): void {
    const rows = nodes.map((node) => ({
      node,
      pool: POOL,
      class: 'server',
      liveness: 'silent',
      lastSeenAtMs: this.#nowMs - 16_000,
      silentForMs: 16_000,
      health: null,
      probability: null,
      trigger: 'liveness',
      top: [],
    }))
    this.feed('assessment', { source: 0, atMs: this.#nowMs, model: null, late: false, rows })
  }

  stats(): Readonly<Record<string, number>> {
    return this.#fold.stats()
  }

  fences(): number {
    const commands = this.#texts('commands.recovery').map((text) => JSON.parse(text) as Command)
    return commands.filter(({ action }) => action === 'fence').length
  }

  /** What was said of ballots, in order. */
  ballots(): readonly BallotRecord[] {
    const entries = this.#texts('journal').map((text) => JSON.parse(text) as JournalEntry)
    return entries.flatMap(({ ballot }) => ballot ?? [])
  }

  /** How the first ballot ended; undefined where none did. */
  ended(): BallotRecord['state'] | undefined {
    const all = this.ballots()
    return all.find(({ ballot, state }) => ballot === all[0].ballot && state !== 'open')?.state
  }

  #texts(topic: string): readonly string[] {
    return this.#outputs.flatMap(({ topic: of, value }) => {
      if (of !== TOPOLOGY.prefix + topic || value === null) return []
      return [typeof value === 'string' ? value : toText(value)]
    })
  }
}
