/**
 * `foreshock retrain`: trains on what was recorded, keeps the model in the store and has it challenge
 * the one that serves. It does so once, or whenever the service says that a class has drifted, or on
 * a schedule. It is a process of its own, at the lowest priority where nobody waits for it.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { constants, setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { train } from '../../training/train.ts'
import type { Config } from '../config/config.ts'
import type { Bus } from '../core/bus.ts'
import { toText } from '../core/bytes.ts'
import { ServiceError } from '../core/errors.ts'
import type { ModelId } from '../core/ids.ts'
import type { ClassModels } from '../core/model-life.ts'
import type { ModelControl } from '../core/policy.ts'
import { topicName } from '../core/topics.ts'
import { ModelStore } from '../predict/model-store.ts'
import { loadedConfig, openBus } from './bus.ts'
import type { Arguments, Command, Io } from './command.ts'
import { HISTORY_OPTIONS, historyManifest } from './history-source.ts'
import { printJson } from './output.ts'
import { Progress } from './progress.ts'
import { RECORDED_OPTIONS, trainingSource } from './recorded-source.ts'

const WAIT_MS = 500
/** After a retraining nothing is tried again before its challenger can have been judged. */
const GAP_MS = 86_400_000

interface Retrained {
  readonly id: ModelId
  readonly version: string
  readonly nodeClass: string
  readonly because: string
}

export const command: Command = {
  name: 'retrain',
  summary: 'train on the recording and have the model challenge the one that serves',
  options: {
    ...HISTORY_OPTIONS,
    ...RECORDED_OPTIONS,
    once: { kind: 'flag', summary: 'train now, and end' },
    every: {
      kind: 'text',
      value: 'TIME',
      summary: 'train this often, e.g. 7d; else on drift only',
    },
    store: { kind: 'text', value: 'DIR', summary: 'the store', fallback: 'model_store.directory' },
    seed: { kind: 'text', value: 'N', summary: 'of the first training', fallback: '1' },
  },
  async run(args, io) {
    if (args.text('recorded') === undefined && !args.flag('from-kafka')) {
      throw new ServiceError('USAGE', 'retrain: give --recorded DIR or --from-kafka')
    }
    // Who asks for one training waits for it.
    if (!args.flag('once')) setPriority(constants.priority.PRIORITY_LOW)
    const config = loadedConfig(args, io)
    const done: Retrained[] = []
    const retrain = async (bus: Bus, because: string): Promise<void> => {
      const seed = (args.number('seed') ?? 1) + done.length
      done.push(await retrainOnce({ args, io, config, bus, seed, because }))
    }
    const bus = await openBus(config, io)
    try {
      if (args.flag('once')) await retrain(bus, 'asked for')
      else await watch({ args, io, config, bus }, (because) => retrain(bus, because))
    } finally {
      await bus.close()
    }
    if (args.flag('json')) printJson(io, { retrained: done })
    return 0
  },
}

interface Asked {
  readonly args: Arguments
  readonly io: Io
  readonly config: Config
  readonly bus: Bus
}

/** Until a signal: what makes a retraining due, and that it was. */
async function watch(
  { args, io, config, bus }: Asked,
  retrain: (because: string) => Promise<void>,
): Promise<void> {
  const everyMs = args.duration('every') ?? Number.POSITIVE_INFINITY
  const nodeClass = historyManifest(args).nodeClass
  const topic = topicName(config.topology, 'models')
  const reader = await bus.read({ topic, from: 'start' })
  const startedAtMs = bus.nowMs()
  let lastAtMs: number | null = null
  let seen: ClassModels | null = null
  try {
    while (!io.signal.aborted) {
      for (const { value } of await reader.take(WAIT_MS)) {
        const models = value === null ? null : (JSON.parse(toText(value)) as ClassModels)
        if (models?.nodeClass === nodeClass) seen = models
      }
      const idleMs = bus.nowMs() - (lastAtMs ?? startedAtMs)
      const isTried = seen?.trial === 'challenge' || seen?.trial === 'canary'
      const isFree = !isTried && (lastAtMs === null || idleMs >= GAP_MS)
      // People who overrule a model say that it no longer fits, as drift does.
      const isDrifted = seen?.drift?.drifted === true || seen?.overruled === true
      if (!(isFree && isDrifted) && idleMs < everyMs) continue
      lastAtMs = bus.nowMs()
      await retrain(isDrifted ? 'drift' : 'schedule')
    }
  } finally {
    await reader.close()
  }
}

/** The model is kept before it is named to anybody. */
async function retrainOnce(
  asked: Asked & { readonly seed: number; readonly because: string },
): Promise<Retrained> {
  const { args, io, config, bus, seed, because } = asked
  const { release, ...source } = await trainingSource(args, io)
  const directory = await mkdtemp(join(tmpdir(), 'foreshock-retrain-'))
  const progress = new Progress(io, 'retrain')
  try {
    const outDir = join(directory, 'model')
    const { signal } = io
    const card = await train({
      ...source,
      outDir,
      seed,
      signal,
      onProgress: ({ step, doneRatio, detail }) => progress.update(doneRatio, `${step} ${detail}`),
    })
    const store = new ModelStore(args.text('store') ?? config.modelStore.directory)
    const { id } = await store.add(outDir)
    const { version, nodeClass } = card
    const control: ModelControl = {
      kind: 'model',
      pool: null,
      action: 'challenge',
      nodeClass,
      model: id,
      by: 'foreshock retrain',
      reason: because,
    }
    const topic = topicName(config.topology, 'controls')
    const headers = { 'content-type': 'application/json' }
    const value = JSON.stringify(control)
    await bus.produce([{ topic, partition: 0, key: null, value, headers }])
    progress.done(`${version} challenges: ${because}`)
    return { id, version, nodeClass, because }
  } finally {
    await release()
    await rm(directory, { recursive: true, force: true })
  }
}
