/**
 * `foreshock models list|show|add|activate|challenge|promote|rollback`: the store of model versions, and
 * which of them serves a class of nodes. What changes the service goes out as a control, like any other word of
 * an operator, and what came of it is in the journal.
 */
import type { Config } from '../config/config.ts'
import { ServiceError } from '../core/errors.ts'
import type { ModelId } from '../core/ids.ts'
import type { ClassModels } from '../core/model-life.ts'
import type { ModelCard } from '../core/model.ts'
import type { ModelControl } from '../core/policy.ts'
import { topicName } from '../core/topics.ts'
import { ModelStore } from '../predict/model-store.ts'
import { ask } from './ask.ts'
import { loadedConfig, openBus } from './bus.ts'
import { type Arguments, type Command, CONFIG_OPTIONS, type ExitCode, type Io } from './command.ts'
import { formatNumber, printJson, table } from './output.ts'

const ACTIONS = ['list', 'show', 'add', 'activate', 'challenge', 'promote', 'rollback'] as const
type Action = (typeof ACTIONS)[number]

export const command: Command = {
  name: 'models',
  summary: 'keep versions of models, and say which of them serves',
  operands: `${ACTIONS.join('|')} [DIR|ID]`,
  options: {
    ...CONFIG_OPTIONS,
    store: {
      kind: 'text',
      value: 'DIR',
      summary: 'the store',
      fallback: 'model_store.directory, else models in the state directory',
    },
    class: { kind: 'text', value: 'NAME', summary: 'node class; that of the card when left out' },
    canary: {
      kind: 'flag',
      summary: 'promote: to the pools of promotion.canary_pools only, and then it is judged there',
    },
    by: { kind: 'text', value: 'NAME', summary: 'who says so', fallback: 'command line' },
    reason: { kind: 'text', value: 'TEXT', summary: 'why; it is written to the journal' },
    url: {
      kind: 'text',
      value: 'URL',
      summary: 'send the control through this console, not over the bus; list: also say who serves',
    },
  },
  async run(args, io) {
    const [named, operand, ...rest] = args.operands
    const action = ACTIONS.find((known) => known === named)
    if (action === undefined || rest.length > 0) {
      throw new ServiceError(
        'USAGE',
        `models: give one of ${ACTIONS.join(', ')} (foreshock models --help)`,
      )
    }
    const config = loadedConfig(args, io)
    const store = new ModelStore(args.text('store') ?? config.modelStore.directory)
    return runAction({ action, operand, store, config, args, io })
  },
}

interface Asked {
  readonly action: Action
  readonly operand: string | undefined
  readonly store: ModelStore
  readonly config: Config
  readonly args: Arguments
  readonly io: Io
}

async function runAction(asked: Asked): Promise<ExitCode> {
  switch (asked.action) {
    case 'list':
      return listModels(asked)
    case 'show':
      return showModel(asked)
    case 'add':
      return addModel(asked)
    case 'activate':
    case 'challenge':
    case 'rollback':
      return sendControl(asked, asked.action)
    case 'promote':
      return sendControl(asked, asked.args.flag('canary') ? 'canary' : 'promote')
    default:
      throw new Error('bug: no such action')
  }
}

/**
 * A damaged model is listed too, with what is wrong with it; the answer is then 1. Who serves is known to
 * a console only.
 */
async function listModels({ store, args, io }: Asked): Promise<ExitCode> {
  const rows: { id: ModelId; card: ModelCard | null; problem: string | null }[] = []
  for (const id of await store.ids()) {
    try {
      rows.push({ id, card: (await store.read(id)).card, problem: null })
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error
      rows.push({ id, card: null, problem: error.message })
    }
  }
  const url = args.text('url')
  const classes = url === undefined ? null : await classesOf(url)
  if (args.flag('json')) {
    const models = rows.map(({ id, card, problem }) => ({ id, ...summaryOf(card), problem }))
    printJson(io, { store: store.directory, models, classes })
  } else if (rows.length === 0) {
    io.stdout(`${store.directory}: no models; foreshock models add DIR takes one in\n`)
  } else {
    const columns = ['id', 'version', 'class', 'horizon', 'PR-AUC'].map((title) => ({ title }))
    const cells = rows.map(({ id, card, problem }) =>
      card === null
        ? [id.slice(0, 12), `damaged: ${problem}`]
        : [
            id.slice(0, 12),
            card.version,
            card.nodeClass,
            `${card.horizonMs / 3_600_000} h`,
            formatNumber(card.test.prAuc),
          ],
    )
    io.stdout(table(columns, cells))
  }
  if (classes !== null && !args.flag('json')) io.stdout(servingTable(classes))
  return rows.some(({ problem }) => problem !== null) ? 1 : 0
}

function servingTable(classes: readonly ClassModels[]): string {
  if (classes.length === 0) return 'no class is served by a model of the store yet\n'
  const columns = ['class', 'serves', 'challenger', 'trial', 'canary pools', 'failures']
  const short = (id: ModelId | null) => id?.slice(0, 12) ?? '-'
  const cells = classes.map(
    ({ nodeClass, champion, challenger, trial, canaryPools, failureCount }) => [
      nodeClass,
      short(champion),
      short(challenger),
      trial ?? '-',
      canaryPools.join(', ') || '-',
      String(failureCount),
    ],
  )
  return `\n${table(
    columns.map((title) => ({ title })),
    cells,
  )}`
}

async function showModel({ operand, store, args, io }: Asked): Promise<ExitCode> {
  const { id, directory, card, bytes } = await store.read(await store.find(needed(operand, 'ID')))
  if (args.flag('json')) printJson(io, { id, directory, bytes, card })
  else {
    const { test, actingPoint } = card
    io.stdout(`${id}\n${card.version}, class ${card.nodeClass}, ${bytes} bytes in ${directory}\n`)
    io.stdout(
      `on nodes never seen: PR-AUC ${formatNumber(test.prAuc)}, Brier ${formatNumber(test.brier)}`,
    )
    io.stdout(
      `, recall ${formatNumber(test.recall)} at the acting point ${formatNumber(actingPoint)}\n`,
    )
  }
  return 0
}

async function addModel({ operand, store, args, io }: Asked): Promise<ExitCode> {
  const { id, directory, card, bytes } = await store.add(needed(operand, 'DIR'))
  if (args.flag('json')) printJson(io, { id, directory, bytes, ...summaryOf(card) })
  else io.stdout(`${id}\n${card.version}, class ${card.nodeClass}, ${bytes} bytes\n`)
  return 0
}

/** Only what this store holds whole can be sent: a machine that lacks it must find it somewhere. */
async function sendControl(asked: Asked, action: ModelControl['action']): Promise<ExitCode> {
  const { operand, store, args, io } = asked
  const isNamed = action === 'activate' || action === 'challenge' || operand !== undefined
  const model =
    action === 'rollback' || !isNamed
      ? null
      : await store.read(await store.find(needed(operand, 'ID')))
  if (action === 'rollback' && operand !== undefined) {
    throw new ServiceError(
      'USAGE',
      'models rollback: takes no model, it goes back to the one before',
    )
  }
  const nodeClass = args.text('class') ?? model?.card.nodeClass
  const { action: word } = asked
  if (args.flag('canary') && word !== 'promote') {
    throw new ServiceError('USAGE', `models ${word}: --canary goes with promote`)
  }
  if (nodeClass === undefined) throw new ServiceError('USAGE', `models ${word}: give --class NAME`)
  if (model !== null && model.card.nodeClass !== nodeClass) {
    throw new ServiceError(
      'MODEL_MISMATCH',
      `model ${model.card.version} is of class \`${model.card.nodeClass}\`, not of \`${nodeClass}\``,
    )
  }
  const control: ModelControl = {
    kind: 'model',
    pool: null,
    action,
    nodeClass,
    model: model?.id ?? null,
    by: args.text('by') ?? 'command line',
    reason: args.text('reason') ?? `foreshock models ${word}`,
  }
  const url = args.text('url')
  if (url === undefined) await produce(asked, control)
  else await ask(url, '/v1/controls', control)
  if (args.flag('json')) printJson(io, control)
  else
    io.stdout(
      `${word} ${model?.card.version ?? ''} for class ${nodeClass}: sent; the journal says what came of it\n`,
    )
  return 0
}

async function produce({ config, io }: Asked, control: ModelControl): Promise<void> {
  const bus = await openBus(config, io)
  try {
    const topic = topicName(config.topology, 'controls')
    const value = JSON.stringify(control)
    const headers = { 'content-type': 'application/json' }
    await bus.produce([{ topic, partition: 0, key: null, value, headers }])
  } finally {
    await bus.close()
  }
}

async function classesOf(url: string): Promise<readonly ClassModels[]> {
  const response = await ask(url, '/v1/models')
  return ((await response.json()) as { classes: readonly ClassModels[] }).classes
}

function summaryOf(card: ModelCard | null) {
  if (card === null) return null
  const { name, version, nodeClass, horizonMs, featureHash, actingPoint, test } = card
  const { prAuc, brier } = test
  return { name, version, nodeClass, horizonMs, featureHash, actingPoint, test: { prAuc, brier } }
}

function needed(operand: string | undefined, what: 'DIR' | 'ID'): string {
  if (operand !== undefined) return operand
  const hint = what === 'DIR' ? "a model's directory" : 'the first digits of its id'
  throw new ServiceError('USAGE', `models: give ${hint} (foreshock models --help)`)
}
