/**
 * `npm run bench [-- --quick] [-- --only AREA] [-- --json] [-- --gate]`: every bench, one after the
 * other, as one table; what it gave is kept in bench/results with the hardware named.
 *
 * Judged are ratios within one run. With --gate a ratio below 0.85 of the one that this kind of CPU
 * reached before fails too; without it that is only told.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Bench, BenchRow } from '../bench/bench.ts'
import { printJson } from '../src/commands/output.ts'
import { renderScoreboard } from '../src/commands/scoreboard.ts'
import { optionsOf } from './options.ts'

const RATIO_OF_STORED_MIN = 0.85
const ROOT = join(import.meta.dirname, '..')
const FOLDER = join(ROOT, 'bench')
const RESULTS = join(FOLDER, 'results')

interface BenchRun {
  readonly name: string
  readonly rows: readonly BenchRow[]
}

/** What one file of bench/results holds. */
interface Results {
  readonly date: string
  readonly commit: string
  /** Whether the files were as that commit has them. */
  readonly clean: boolean
  readonly node: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly quick: boolean
  readonly benches: readonly BenchRun[]
}

const options = optionsOf({
  quick: { type: 'boolean', default: false },
  only: { type: 'string' },
  json: { type: 'boolean', default: false },
  gate: { type: 'boolean', default: false },
})
const log = (text: string) => void process.stderr.write(`${text}\n`)
const cpu = cpus()[0]?.model.trim() ?? 'unknown'
const slug = `${cpu.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}-${cpus().length}`
const kind = options.quick ? `${slug}.quick` : slug

const files = benchFiles(options.only)
if (files.length === 0) {
  log(`--only: no bench is in bench/${options.only ?? ''}; areas: ${areas().join(', ')}`)
  process.exit(2)
}
const stored = newestStored()
const benches: BenchRun[] = []
for (const file of files) benches.push(await runFile(file))
store(benches)
const slower = stored === undefined ? [] : slowerThan(stored, benches)
tell(benches.flatMap(({ name, rows }) => rows.map((row) => named(name, row))))
for (const line of slower) log(line)
const falls = benches.some(({ rows }) => rows.some(({ ok }) => !ok))
process.exit(falls || (options.gate && slower.length > 0) ? 1 : 0)

function benchFiles(only: string | undefined): readonly string[] {
  return readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.bench.ts'))
    .filter((path) => only === undefined || path.startsWith(only))
    .sort()
}

function areas(): readonly string[] {
  return [...new Set(benchFiles(undefined).map((path) => path.split('/')[0]))]
}

/** A bench that breaks is a row that falls short, so that the others are still run. */
async function runFile(file: string): Promise<BenchRun> {
  log(`bench/${file}`)
  try {
    const { bench } = (await import(pathToFileURL(join(FOLDER, file)).href)) as { bench: Bench }
    return { name: bench.name, rows: await bench.run({ quick: options.quick, log }) }
  } catch (error) {
    log(error instanceof Error ? (error.stack ?? error.message) : String(error))
    const what = 'the bench ran to its end'
    return { name: file, rows: [{ what, against: null, value: 'failed', reach: null, ok: false }] }
  }
}

/** The results of the same kind of CPU with the latest date, today's earlier ones included. */
function newestStored(): Results | undefined {
  if (!existsSync(RESULTS)) return undefined
  const newest = readdirSync(RESULTS)
    .filter((name) => name.slice('yyyy-mm-dd-'.length) === `${kind}.json`)
    .sort()
    .at(-1)
  return newest === undefined ? undefined : readResults(join(RESULTS, newest))
}

function readResults(file: string): Results {
  return JSON.parse(readFileSync(file, 'utf8')) as Results
}

/** A run of some areas replaces theirs in today's file and keeps the rest; a run of all keeps nothing. */
function store(runs: readonly BenchRun[]): void {
  const date = new Date().toISOString().slice(0, 10)
  const file = join(RESULTS, `${date}-${kind}.json`)
  const names = new Set(runs.map(({ name }) => name))
  const kept =
    options.only !== undefined && existsSync(file)
      ? readResults(file).benches.filter(({ name }) => !names.has(name))
      : []
  const results: Results = {
    date,
    commit: git('rev-parse', '--short', 'HEAD'),
    clean: git('status', '--porcelain', '--untracked-files=no') === '',
    node: process.version,
    cpu,
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    quick: options.quick,
    benches: [...kept, ...runs].sort((a, b) => (a.name < b.name ? -1 : 1)),
  }
  mkdirSync(RESULTS, { recursive: true })
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
}

function git(...args: readonly string[]): string {
  return spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' }).stdout?.trim() ?? ''
}

/** Only rows with a spread are ratios over rounds; the others are figures of one run. */
function slowerThan(before: Results, runs: readonly BenchRun[]): readonly string[] {
  return runs.flatMap(({ name, rows }) => {
    const old = before.benches.find((bench) => bench.name === name)?.rows ?? []
    return rows.flatMap((row) => {
      const known = old.find(({ what, against }) => what === row.what && against === row.against)
      const { value } = row
      if (typeof value !== 'number' || typeof known?.value !== 'number') return []
      const kept = row.better === 'less' ? known.value / value : value / known.value
      if (row.spread === undefined || kept >= RATIO_OF_STORED_MIN) return []
      const [now, then] = [value, known.value].map((ratio) => ratio.toPrecision(3))
      return [`${name}: ${row.what}: ratio ${now}, was ${then} on ${before.date}`]
    })
  })
}

function named(name: string, row: BenchRow): BenchRow {
  return { ...row, what: `${name}: ${row.what}` }
}

function tell(rows: readonly BenchRow[]): void {
  if (!options.json) {
    process.stdout.write(renderScoreboard(rows))
    return
  }
  const stdout = (text: string) => void process.stdout.write(text)
  printJson(
    {
      stdout,
      stderr: log,
      isTTY: false,
      env: {},
      signal: new AbortController().signal,
      nowMs: Date.now,
    },
    rows,
  )
}
