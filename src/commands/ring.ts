/** `foreshock ring owner|plan|load`: who owns a key, what a change of nodes moves, and the loads. */
import { ServiceError } from '../core/errors.ts'
import { BOUND_DEFAULT, NOBODY, ringKeys } from '../core/ring.ts'
import type { RingChange, RingPlan } from '../state/placement.ts'
import { Ring } from '../state/ring.ts'
import type { Arguments, Command, ExitCode, Io } from './command.ts'
import { CONFIG_OPTIONS } from './command.ts'
import { formatNumber, printJson, table } from './output.ts'
import { loadKernel } from './package.ts'
import { parseMember, ringMembers } from './ring-input.ts'

const SHARDS_DEFAULT = 1_000
/** Without --json a table shows so many moves. */
const MOVES_SHOWN = 20

export const command: Command = {
  name: 'ring',
  summary: 'say which node owns a key, what a change of nodes moves, and how the loads are',
  operands: 'owner KEY...|plan|load',
  options: {
    ...CONFIG_OPTIONS,
    node: {
      kind: 'list',
      value: 'NODE[:WEIGHT[:ZONE]]',
      summary: 'a node of the ring; may be repeated',
    },
    nodes: {
      kind: 'text',
      value: 'FILE',
      summary: 'nodes as JSON objects {"node", "weight", "zone"}, one array or one a line',
      fallback: 'the topic nodes of the bus, each with weight 1',
    },
    pool: { kind: 'text', value: 'POOL', summary: 'of the bus, only the nodes of this pool' },
    replicas: { kind: 'text', value: 'N', summary: 'replicas of a key', fallback: '1' },
    shards: {
      kind: 'text',
      value: 'N',
      summary: 'plan, load: how many shards there are; their keys are shard-0, shard-1, ...',
      fallback: String(SHARDS_DEFAULT),
    },
    bound: {
      kind: 'text',
      value: 'RATIO',
      summary: 'plan, load: no node takes more than this share of its fair load',
      fallback: String(BOUND_DEFAULT),
    },
    join: { kind: 'list', value: 'NODE[:WEIGHT[:ZONE]]', summary: 'plan: a node comes' },
    leave: { kind: 'list', value: 'NODE', summary: 'plan: a node goes' },
    weight: { kind: 'list', value: 'NODE:WEIGHT', summary: 'plan: a node has another weight' },
    budget: { kind: 'text', value: 'N', summary: 'plan: moves at most; the rest is deferred' },
  },
  async run(args, io) {
    const [operation, ...keys] = args.operands
    if (operation === 'owner' ? keys.length === 0 : keys.length > 0) throw wrongUse()
    if (operation !== 'owner' && operation !== 'plan' && operation !== 'load') throw wrongUse()
    const change = changeOf(args)
    const changes = [change.join, change.leave, args.list('weight')].some((list) => list?.length)
    if (changes !== (operation === 'plan')) {
      const options = '--join, --leave or --weight'
      throw new ServiceError(
        'USAGE',
        changes ? `ring ${operation}: ${options} belong to plan` : `ring plan: give ${options}`,
      )
    }
    const ring = new Ring(await loadKernel(), await ringMembers(args, io))
    if (operation === 'owner') return printOwners(ring, keys, args, io)
    return operation === 'load' ? printLoads(ring, args, io) : printPlan(ring, change, args, io)
  },
}

function wrongUse(): ServiceError {
  return new ServiceError('USAGE', 'ring: say owner KEY..., plan or load (foreshock ring --help)')
}

function changeOf(args: Arguments): RingChange {
  return {
    join: args.list('join').map((text) => parseMember('--join', text)),
    leave: args.list('leave'),
    change: args.list('weight').map((text) => parseMember('--weight', text)),
  }
}

function replicaCountOf(args: Arguments): number {
  return args.number('replicas', 1) ?? 1
}

function firstPlan(
  ring: Ring,
  args: Arguments,
): { readonly plan: RingPlan; readonly bound: number } {
  const bound = args.number('bound', 1, true) ?? BOUND_DEFAULT
  const count = args.number('shards', 1) ?? SHARDS_DEFAULT
  const keys = ringKeys(Array.from({ length: count }, (_, i) => `shard-${i}`))
  return { plan: ring.place(keys, replicaCountOf(args), { bound }), bound }
}

function printOwners(ring: Ring, keys: readonly string[], args: Arguments, io: Io): ExitCode {
  const replicaCount = replicaCountOf(args)
  const sets = ring.replicas(ringKeys(keys), replicaCount)
  const rows = keys.map((key, i) => ({
    key,
    owners: [...sets.subarray(i * replicaCount, (i + 1) * replicaCount)]
      .filter((owner) => owner !== NOBODY)
      .map((owner) => ring.nodeAt(owner)),
  }))
  if (args.flag('json')) printJson(io, rows)
  else {
    const titles = [{ title: 'key' }, { title: 'owners' }]
    io.stdout(
      table(
        titles,
        rows.map(({ key, owners }) => [key, owners.join(', ')]),
      ),
    )
  }
  return rows.every(({ owners }) => owners.length === replicaCount) ? 0 : 1
}

function printLoads(ring: Ring, args: Arguments, io: Io): ExitCode {
  const { plan, bound } = firstPlan(ring, args)
  const nodes = ring.loads(plan.placement, bound).map(({ member, load, capacity }) => {
    return { ...member, load, capacity }
  })
  const weights = nodes.reduce((sum, { weight }) => sum + weight, 0)
  const total = nodes.reduce((sum, { load }) => sum + load, 0)
  const ratios = nodes
    .filter(({ weight }) => weight > 0)
    .map(({ load, weight }) => load / ((total * weight) / weights))
  const ratioMax = Math.max(0, ...ratios)
  const { unplacedCount } = plan
  if (args.flag('json')) printJson(io, { nodes, ratioMax, unplacedCount })
  else {
    io.stdout(
      table(
        [
          { title: 'node' },
          { title: 'zone' },
          { title: 'weight', align: 'right' },
          { title: 'shards', align: 'right' },
          { title: 'at most', align: 'right' },
        ],
        nodes.map(({ node, zone, weight, load, capacity }) => [
          node,
          zone ?? '',
          ...[weight, load, capacity].map(formatNumber),
        ]),
      ),
    )
    io.stdout(`largest load: ${formatNumber(ratioMax)} of the fair share\n${remark(unplacedCount)}`)
  }
  return unplacedCount === 0 ? 0 : 1
}

function printPlan(ring: Ring, change: RingChange, args: Arguments, io: Io): ExitCode {
  const { plan: first, bound } = firstPlan(ring, args)
  const movesMax = args.number('budget')
  const zones = new Map(ring.members().map(({ node, zone }) => [node, zone]))
  const weighed = change.change?.map((to) => ({ ...to, zone: zones.get(to.node) ?? null })) ?? []
  const plan = ring.plan(
    first.placement,
    { ...change, change: weighed },
    { bound, ...(movesMax === undefined ? {} : { movesMax }) },
  )
  const { replicaCount } = plan.placement
  const moves = plan.moves.map(({ slot, from, to }) => ({
    shard: `shard-${Math.floor(slot / replicaCount)}`,
    from: from === NOBODY ? null : ring.nodeAt(from),
    to: ring.nodeAt(to),
  }))
  const { deferredCount, unplacedCount, excessCount } = plan
  if (args.flag('json')) printJson(io, { moves, deferredCount, unplacedCount, excessCount })
  else {
    io.stdout(
      table(
        [{ title: 'shard' }, { title: 'from' }, { title: 'to' }],
        moves.slice(0, MOVES_SHOWN).map(({ shard, from, to }) => [shard, from ?? '', to]),
      ),
    )
    const shown = moves.length > MOVES_SHOWN ? `, of which ${MOVES_SHOWN} are shown` : ''
    io.stdout(`${moves.length} moves${shown}; ${deferredCount} deferred by the budget\n`)
    io.stdout(remark(unplacedCount))
  }
  return unplacedCount === 0 ? 0 : 1
}

function remark(unplacedCount: number): string {
  if (unplacedCount === 0) return ''
  return `${unplacedCount} replicas fit nowhere within the bound: raise --bound, or add nodes\n`
}
