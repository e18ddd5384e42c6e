/** The Python rival: an environment of its own in .cache/bench, made once, and runs of pipeline.py. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { SAMPLE_INTERVAL_MS, TelemetryLoad } from '../../src/commands/bench-load.ts'
import { assert } from '../../src/core/errors.ts'
import type { NodeClass } from '../../src/core/node.ts'
import { topicName } from '../../src/core/topics.ts'
import { topologyOf } from '../../test/support/deployment.ts'
import type { BenchDeployment } from './deployment.ts'
import { MODEL_LEAVES, MODEL_TREES } from './model.ts'

const CACHE = join(import.meta.dirname, '../../.cache/bench')
const ENVIRONMENT = join(CACHE, 'pipeline-venv')
const PYTHON = join(ENVIRONMENT, 'bin/python')
const SCRIPT = join(import.meta.dirname, 'pipeline.py')
const PACKAGES = [
  'confluent-kafka==2.16.1',
  'numpy==2.4.6',
  'lightgbm==4.7.0',
  'pyarrow==26.0.1',
  'orjson==3.13.0',
]
/** lleaves asks for any llvmlite, and later ones have dropped what it calls. */
const LLEAVES = ['lleaves==1.3.0', 'llvmlite==0.43.0']
/** Messages of one transaction; of Arrow the best of 8 to 256 that were tried. */
const BATCH_MESSAGES = { arrow: 64, json: 10_000 } as const
const TRAINING = { nodeCount: 20_000, rounds: 6, illFromRound: 3, illOneOf: 20, startMs: 1.7e12 }

/** What it runs its tuned pipeline with, or why there is none. */
export type PythonRival =
  | { readonly model: string; readonly engine: 'lleaves' | 'LightGBM' }
  | { readonly missing: string }

export interface PythonRun {
  readonly model: string
  readonly format: 'arrow' | 'json'
  /** As people write it, or with every setting that was found to help. */
  readonly way: 'usual' | 'tuned'
  readonly processes: number
  /** 0: until it is told to end. */
  readonly samples: number
  readonly nodeCount: number
}

/** Installs, trains and compiles what is not there yet. */
export function preparePython(nodeClass: NodeClass, log: (text: string) => void): PythonRival {
  mkdirSync(CACHE, { recursive: true })
  if (!existsSync(PYTHON) && !runs('python3', ['-m', 'venv', ENVIRONMENT])) {
    return { missing: 'python3 with venv is not installed' }
  }
  const imports = 'import confluent_kafka, numpy, lightgbm, pyarrow, orjson'
  if (!runs(PYTHON, ['-c', imports])) {
    log('installing the Python rival into .cache/bench')
    const installs = runs(PYTHON, ['-m', 'pip', 'install', '-q', ...PACKAGES])
    if (!installs || !runs(PYTHON, ['-c', imports])) return { missing: 'pip could not install it' }
  }
  // LLVM is not on every machine: then the trees are LightGBM's, and the row says so.
  const compiles =
    runs(PYTHON, ['-c', 'import lleaves']) ||
    (runs(PYTHON, ['-m', 'pip', 'install', '-q', ...LLEAVES]) &&
      runs(PYTHON, ['-c', 'import lleaves']))
  const model = trainedModel(nodeClass)
  if (model === null) return { missing: 'its model was not trained' }
  return { model, engine: compiles ? 'lleaves' : 'LightGBM' }
}

/** Of this class, this load and this script; null where training failed. */
function trainedModel(nodeClass: NodeClass): string | null {
  const { recorded, labels } = trainingTelemetry(nodeClass)
  const made = createHash('sha256').update(recorded).update(readFileSync(SCRIPT)).digest('hex')
  const model = join(CACHE, `pipeline-${made.slice(0, 16)}-${MODEL_TREES}-${MODEL_LEAVES}.txt`)
  if (existsSync(model)) return model
  const files = {
    recorded: join(CACHE, 'pipeline.arrows'),
    labels: join(CACHE, 'pipeline.labels'),
  }
  writeFileSync(files.recorded, recorded)
  writeFileSync(files.labels, labels)
  const size = { trees: String(MODEL_TREES), leaves: String(MODEL_LEAVES) }
  const options = { ...files, ...size, model, metrics: metricNames(nodeClass) }
  return runs(PYTHON, [SCRIPT, 'train', ...argumentsOf(options)], 'inherit') ? model : null
}

/** Messages of the load, one after the other, and of each row whether its node was ill. */
function trainingTelemetry(nodeClass: NodeClass): {
  readonly recorded: Uint8Array
  readonly labels: Uint8Array
} {
  const { nodeCount, rounds, illFromRound, illOneOf, startMs } = TRAINING
  const load = new TelemetryLoad({ topology: topologyOf(''), nodeClass, nodeCount, seed: 7 })
  const messages: Uint8Array[] = []
  const labels: number[] = []
  for (let round = 0; round < rounds; round++) {
    const isIll = (node: number) => node % illOneOf <= round - illFromRound
    for (let group = 0; group < load.groupCount; group++) {
      const { value } = load.message(group, startMs + round * SAMPLE_INTERVAL_MS, isIll)
      assert(value instanceof Uint8Array, 'a message is an Arrow stream')
      messages.push(value)
      for (const node of load.nodesOf(group)) labels.push(isIll(node) ? 1 : 0)
    }
  }
  return { recorded: Buffer.concat(messages), labels: Uint8Array.from(labels) }
}

function metricNames({ metrics }: NodeClass): string {
  return metrics.map(({ name }) => name).join(',')
}

function argumentsOf(options: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
}

function runs(
  program: string,
  args: readonly string[],
  stderr: 'ignore' | 'inherit' = 'ignore',
): boolean {
  return spawnSync(program, args, { stdio: ['ignore', 'ignore', stderr] }).status === 0
}

/** Elapsed ms of the slowest process; each has as many of the partitions as the others. */
export async function drainThroughPython(
  deployment: BenchDeployment,
  run: PythonRun,
): Promise<number> {
  const processes = await startPython(deployment, run)
  try {
    return await processes.ended()
  } finally {
    processes.kill()
  }
}

export interface PythonProcesses {
  /** Tells those that have no number of samples to end; elapsed ms of the slowest. */
  ended(): Promise<number>
  kill(): void
}

/** Started level: the clock of each begins when all can read. */
export async function startPython(
  { brokers, topology, nodeClass }: BenchDeployment,
  run: PythonRun,
): Promise<PythonProcesses> {
  const { nodePartitions } = topology
  const processes = Array.from({ length: run.processes }, (_, member) => {
    const own = Array.from({ length: nodePartitions }, (_each, p) => p).filter(
      (p) => p % run.processes === member,
    )
    const options = {
      model: run.model,
      brokers: brokers.join(','),
      telemetry: topicName(topology, 'telemetry'),
      commands: topicName(topology, 'commands.migration'),
      group: `${topology.prefix}python-${run.way}`,
      partitions: own.join(','),
      metrics: metricNames(nodeClass),
      format: run.format,
      way: run.way,
      samples: String((run.samples * own.length) / nodePartitions),
      nodes: String(run.nodeCount),
      batch: String(BATCH_MESSAGES[run.format]),
    }
    return spawn(PYTHON, [SCRIPT, 'run', ...argumentsOf(options)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
  })
  const lines = processes.map((each) => linesOf(each))
  for (const each of lines) {
    const { value } = await each.next()
    assert(value === 'ready', 'the Python pipeline ended before it could read')
  }
  for (const { stdin } of processes) stdin.write('\n')
  return {
    ended: async () => {
      for (const { stdin } of processes) stdin.end()
      const ends = await Promise.all(lines.map((each) => each.next()))
      const answers = ends.map(({ value }) => JSON.parse(value ?? 'null') as { elapsedMs: number })
      return Math.max(...answers.map(({ elapsedMs }) => elapsedMs))
    },
    kill: () => {
      for (const each of processes) each.kill()
    },
  }
}

function linesOf({ stdout }: ChildProcess): AsyncIterator<string, string | undefined> {
  return createInterface({ input: stdout! })[Symbol.asyncIterator]()
}
