/** The Python rival: an environment of its own in .cache/bench, made once, and runs of pipeline.py. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { topicName } from '../../src/core/topics.ts'
import { type BenchDeployment, PARTITIONS } from './deployment.ts'

const CACHE = join(import.meta.dirname, '../../.cache/bench')
const ENVIRONMENT = join(CACHE, 'venv')
const PYTHON = join(ENVIRONMENT, 'bin/python')
const SCRIPT = join(import.meta.dirname, 'pipeline.py')
const PACKAGES = ['confluent-kafka', 'numpy', 'lightgbm', 'pyarrow', 'orjson']
/** As large as the model that is served, so that both evaluate the same number of splits. */
const TREES = 150
const LEAVES = 15

export type PythonRival = { readonly model: string } | { readonly missing: string }

export interface PythonRun {
  readonly format: 'arrow' | 'json'
  /** As people write it, or with every setting that was found to help. */
  readonly way: 'usual' | 'tuned'
  readonly processes: number
  readonly metrics: readonly string[]
  readonly samples: number
  readonly nodeCount: number
}

/** Installs and trains what is not there yet. */
export function preparePython(metrics: readonly string[]): PythonRival {
  mkdirSync(CACHE, { recursive: true })
  if (!existsSync(PYTHON) && !runs('python3', ['-m', 'venv', ENVIRONMENT])) {
    return { missing: 'python3 with venv is not installed' }
  }
  const imports = 'import confluent_kafka, numpy, lightgbm, pyarrow, orjson'
  if (!runs(PYTHON, ['-c', imports])) {
    const installs = runs(PYTHON, ['-m', 'pip', 'install', '-q', ...PACKAGES])
    if (!installs || !runs(PYTHON, ['-c', imports])) return { missing: 'pip could not install it' }
  }
  const model = join(CACHE, `pipeline-${metrics.length}-${TREES}-${LEAVES}.txt`)
  const size = ['--trees', String(TREES), '--leaves', String(LEAVES)]
  const train = [SCRIPT, 'train', '--model', model, '--metrics', metrics.join(','), ...size]
  if (!existsSync(model) && !runs(PYTHON, train)) return { missing: 'its model was not trained' }
  return { model }
}

function runs(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0
}

/** Elapsed ms of the slowest process; each has as many of the partitions as the others. */
export async function drainThroughPython(
  { brokers, topology }: BenchDeployment,
  model: string,
  run: PythonRun,
): Promise<number> {
  const processes = Array.from({ length: run.processes }, (_, member) => {
    const own = Array.from({ length: PARTITIONS }, (_each, p) => p).filter(
      (p) => p % run.processes === member,
    )
    const options = {
      model,
      brokers: brokers.join(','),
      telemetry: topicName(topology, 'telemetry'),
      commands: topicName(topology, 'commands.migration'),
      group: `${topology.prefix}python`,
      partitions: own.join(','),
      metrics: run.metrics.join(','),
      format: run.format,
      way: run.way,
      samples: String((run.samples * own.length) / PARTITIONS),
      nodes: String(run.nodeCount),
    }
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
    return spawn(PYTHON, [SCRIPT, 'run', ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  })
  try {
    const lines = processes.map((each) => linesOf(each))
    for (const each of lines) await each.next()
    for (const { stdin } of processes) stdin.end('\n')
    const ends = await Promise.all(lines.map((each) => each.next()))
    const answers = ends.map(({ value }) => JSON.parse(value ?? 'null') as { elapsedMs: number })
    return Math.max(...answers.map(({ elapsedMs }) => elapsedMs))
  } finally {
    for (const each of processes) each.kill()
  }
}

function linesOf({ stdout }: ChildProcess): AsyncIterator<string, string | undefined> {
  return createInterface({ input: stdout! })[Symbol.asyncIterator]()
}
