/**
 * `npm run quality -- --data DIR [--only NAME] [--no-train] [--no-peers | --peers A,B] [--ablation] [--full]
 * [--json]`: trains the
 * models of the manifests, judges them on nodes that training never saw, runs the Python peers on the
 * same rows and splits, and prints what each reached. Training writes models/NAME with its card.
 *
 * `--ablation` puts what each kind of feature is worth onto the card. `--full` adds time and memory of training on every row, ours and LightGBM's. Exit code 1: a figure
 * was missed or a step failed.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadKernel } from '../src/commands/package.ts'
import { formatNumber, right, table } from '../src/commands/output.ts'
import { loadNodeClass } from '../src/config/node-classes.ts'
import type { ModelCard, Quality } from '../src/core/model.ts'
import { readManifest, type Manifest } from '../training/manifest.ts'
import { ablate } from './quality/ablation.ts'
import { judgeFoldedPeers } from './quality/folded-peers.ts'
import { figureOf, isReached, JOBS, reachText, type Job } from './quality/jobs.ts'
import { judgePeer, PEERS, preparePeers, runPeer, type PeerRun } from './quality/peers.ts'
import { writeRows } from './quality/rows.ts'
import { optionsOf } from './options.ts'

const ROOT = join(import.meta.dirname, '..')
const FULL_TREES = 100

const options = optionsOf({
  data: { type: 'string', default: process.env['FORESHOCK_DATA'] ?? '' },
  only: { type: 'string' },
  'no-train': { type: 'boolean', default: false },
  'no-peers': { type: 'boolean', default: false },
  peers: { type: 'string', default: PEERS.join(',') },
  ablation: { type: 'boolean', default: false },
  full: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
})

interface Judged {
  readonly job: string
  /** What `foreshock backtest --json` printed; null: it failed. */
  readonly model: unknown
  /** By peer: a `Quality`, or with folds the figures of folded.py. */
  readonly peers: Readonly<Record<string, unknown>>
  readonly runs: Readonly<Record<string, PeerRun>>
  readonly reach: readonly {
    readonly figure: string
    readonly value: number | null
    readonly reach: string
    readonly reached: boolean
  }[]
}

type Others = Pick<Judged, 'peers' | 'runs'>
const NO_PEERS: Others = { peers: {}, runs: {} }

const log = (text: string) => void process.stderr.write(`${text}\n`)
const jobs = JOBS.filter(({ name }) => options.only === undefined || name === options.only)
if (options.data === '' || jobs.length === 0) {
  log(
    options.data === ''
      ? '--data DIR (or FORESHOCK_DATA) must name the folder of the data sets'
      : `--only: no job is named "${options.only}"; jobs: ${JOBS.map(({ name }) => name).join(', ')}`,
  )
  process.exit(2)
}
const peersMissing = options['no-peers'] ? 'left out by --no-peers' : preparePeers(log)
if (peersMissing !== null) log(`\n*** NO PEERS: ${peersMissing} ***\n`)
const results: Judged[] = []
for (const job of jobs) results.push(await run(job))
if (options.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`)
else for (const result of results) print(result)
process.exit(results.every(({ reach }) => reach.every(({ reached }) => reached)) ? 0 : 1)

async function run(job: Job): Promise<Judged> {
  const manifestFile = join(ROOT, 'training', 'histories', `${job.name}.toml`)
  const dataDir = join(options.data, job.folder)
  const isThere = existsSync(manifestFile) && existsSync(dataDir)
  if (!isThere) log(`${job.name}: skipped: ${manifestFile} or ${dataDir} is not there`)
  const model = isThere ? trainAndJudge(job, dataDir) : null
  if (model !== null && job.kind === 'failure' && options.ablation) {
    await writeAblation(job.name, readManifest(manifestFile), dataDir)
  }
  const isRanked = isThere && job.kind === 'failure' && peersMissing === null
  const others = isRanked
    ? await runPeers(readManifest(manifestFile), dataDir)
    : { ...NO_PEERS, peers: isThere && job.kind === 'anomaly' ? anomalyPeers(job, dataDir) : {} }
  return {
    job: job.name,
    model,
    ...others,
    reach: job.reach.map((reach) => {
      const value = figureOf(model, reach.figure)
      return {
        figure: reach.figure,
        value: value ?? null,
        reach: reachText(reach),
        reached: value !== undefined && isReached(value, reach, ofPeers(others, reach.figure)),
      }
    }),
  }
}

function ofPeers({ peers }: Others, figure: string): readonly number[] {
  return Object.values(peers).flatMap((judged) => figureOf(judged, figure) ?? [])
}

/** They make an environment of their own. */
function anomalyPeers({ name }: Job, dataDir: string): Readonly<Record<string, unknown>> {
  if (peersMissing !== null) return {}
  log(`${name}: peers`)
  const script = join(ROOT, 'training', 'peers', 'anomalies.py')
  const args = [script, '--data', dataDir, '--history', name, '--json']
  const child = spawnSync('python3', args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (child.status === 0) return JSON.parse(child.stdout) as Readonly<Record<string, unknown>>
  log(`*** peers of ${name} FAILED ***`)
  return {}
}

function trainAndJudge({ name, kind }: Job, dataDir: string): unknown {
  const modelDir = join('models', name)
  const source = ['--history', name, '--data', dataDir]
  if (kind === 'failure' && !options['no-train']) {
    log(`${name}: training`)
    if (foreshock(['train', ...source, '--out', modelDir, '--json']) === null) return null
  }
  log(`${name}: backtest`)
  const model = kind === 'failure' ? ['--model', modelDir] : []
  const plot = kind === 'failure' ? ['--plot', join(modelDir, 'tradeoff.svg')] : []
  const printed = foreshock(['backtest', ...source, ...model, ...plot, '--json'])
  return printed === null ? null : (JSON.parse(printed) as unknown)
}

/** What it printed; null when it failed, which it has said on stderr. */
function foreshock(args: readonly string[]): string | null {
  const tsx = join(ROOT, 'node_modules', 'tsx', 'dist', 'cli.mjs')
  const child = spawnSync(process.execPath, [tsx, join(ROOT, 'src', 'main.ts'), ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return child.status === 0 ? child.stdout : null
}

async function writeAblation(name: string, manifest: Manifest, dataDir: string): Promise<void> {
  const nodeClass = loadNodeClass(join(ROOT, 'node-classes'), manifest.nodeClass)
  const ablation = await ablate({
    manifest,
    nodeClass,
    dataDir,
    module: await loadKernel(),
    onModel: (change) => log(`${name}: ablation: ${change}`),
  })
  const file = join(ROOT, 'models', name, 'card.json')
  const card = JSON.parse(readFileSync(file, 'utf8')) as ModelCard
  writeFileSync(file, `${JSON.stringify({ ...card, ablation }, null, 2)}\n`)
}

async function runPeers(manifest: Manifest, dataDir: string): Promise<Others> {
  const nodeClass = loadNodeClass(join(ROOT, 'node-classes'), manifest.nodeClass)
  const module = await loadKernel()
  const wanted = options.peers.split(',')
  // With folds there are no calibration rows of their own to hold the peers to.
  if (manifest.training.folds !== null) {
    log(`${manifest.name}: peers by folds`)
    const judged = await judgeFoldedPeers({
      manifest,
      nodeClass,
      dataDir,
      module,
      peers: wanted,
    })
    if (typeof judged !== 'string') return { peers: judged, runs: {} }
    log(`*** peers by folds FAILED: ${judged} ***`)
    return NO_PEERS
  }
  const folder = join(ROOT, '.cache', 'quality', manifest.name)
  const data = await writeRows({ manifest, nodeClass, dataDir, module, folder })
  // They stop where ours does: on the validation rows, or at the same count of trees.
  const fixedTrees = manifest.training.patience === 0 ? manifest.training.trees : undefined
  const peers: Record<string, Quality> = {}
  const runs: Record<string, PeerRun> = {}
  for (const peer of PEERS.filter((name) => wanted.includes(name))) {
    log(`${manifest.name}: ${peer}`)
    const run = runPeer(peer, folder, fixedTrees)
    if (typeof run === 'string') {
      log(`*** ${peer} FAILED: ${run} ***`)
      continue
    }
    runs[peer] = run
    peers[peer] = judgePeer(peer, folder, data, manifest, nodeClass.predictionIntervalMs)
  }
  if (options.full) {
    const training = { ...manifest.training, negatives: 1, quietNegatives: 1 }
    const everything = { ...manifest, training }
    const all = `${folder}-all`
    await writeRows({ manifest: everything, nodeClass, dataDir, module, folder: all })
    log(`${manifest.name}: ${FULL_TREES} trees on every row`)
    const theirs = runPeer('lightgbm', all, FULL_TREES)
    if (typeof theirs === 'string') log(`*** lightgbm FAILED: ${theirs} ***`)
    else runs['all rows: lightgbm'] = theirs
    runs['all rows: foreshock'] = growAll(all)
  }
  return { peers, runs }
}

function growAll(folder: string): PeerRun {
  const script = join(import.meta.dirname, 'quality', 'grow.ts')
  const tsx = join(ROOT, 'node_modules', 'tsx', 'dist', 'cli.mjs')
  const args = [tsx, script, folder, String(FULL_TREES)]
  const child = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (child.status !== 0) throw new Error(`scripts/quality/grow.ts failed: ${child.stderr}`)
  return JSON.parse(child.stdout) as PeerRun
}

function print({ job, model, peers, runs, reach }: Judged): void {
  const columns = Object.entries(peers)
  const shown = (value: number | undefined | null) =>
    typeof value === 'number' ? formatNumber(value) : 'none'
  process.stdout.write(`\n${job}${model === null ? ': not judged' : ''}\n`)
  process.stdout.write(
    table(
      [
        { title: 'figure' },
        right('foreshock'),
        right('reach'),
        { title: '' },
        ...columns.map(([name]) => right(name)),
      ],
      reach.map(({ figure, value, reach: wanted, reached }) => [
        figure,
        shown(value),
        wanted,
        reached ? 'reached' : 'MISSED',
        ...columns.map(([, quality]) => shown(figureOf(quality, figure))),
      ]),
    ),
  )
  if (Object.keys(runs).length === 0) return
  process.stdout.write(
    `\n${table(
      [{ title: 'training' }, right('CPU s'), right('wall s'), right('peak GB'), right('trees')],
      Object.entries(runs).map(([name, { cpuSeconds, wallSeconds, peakBytes, trees }]) => [
        name,
        formatNumber(cpuSeconds),
        formatNumber(wallSeconds),
        formatNumber(peakBytes / 1e9),
        formatNumber(trees),
      ]),
    )}`,
  )
}
