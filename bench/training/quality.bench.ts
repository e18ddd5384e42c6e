/**
 * How well trees rank that are grown with the same parameters on the same bins: ours against LightGBM's,
 * on rows of four kinds, split by node. FORESHOCK_DATA names the folder of the recorded ones.
 *
 * Rounding alone makes trees of one seed part from those of another, and moves their PR-AUC on the drives
 * by up to 0.01; so several seeds are grown on each side, and their mean margins are compared.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { loadKernel } from '../../src/commands/package.ts'
import { findBounds, toBinnedRows } from '../../training/bins.ts'
import { DEFAULT_BOOST, trainBoost, type BoostParams } from '../../training/boost.ts'
import { averagePrecision, rocArea } from '../../training/quality.ts'
import { scoreRows } from '../../training/score.ts'
import { type Bench, type BenchRow, missingRow } from '../bench.ts'
import { BINS_MAX, makeRows, type MadeRows } from './made-rows.ts'
import { PythonTrainers, writeRows } from './python-trainers.ts'

const ROC_GAP_MAX = 0.002
const PR_GAP_MAX = 0.005
const PARAMS: BoostParams = {
  ...DEFAULT_BOOST,
  treesMax: 200,
  learningRate: 0.05,
  featureRatio: 0.7,
  rowsMin: 40,
}
const SEEDS = [1, 2, 3, 4]

interface Source {
  readonly name: string
  /** Null where the data is not here. */
  readonly read: (quick: boolean) => Promise<MadeRows | null>
}

/** Columns `isTest`, `label`, then the features; a node is in one of the two parts. */
const RECORDED: readonly { readonly name: string; readonly file: string; readonly sql: string }[] =
  [
    {
      name: 'drives: values of the day, failure within 30 days',
      file: 'backblaze_smart/smart_intervals.csv.gz',
      sql: `WITH ends AS (
          SELECT *, max(t_stop_h) OVER drive AS end_h, max(fail_at_stop) OVER drive AS failed
          FROM read_csv('{file}') WINDOW drive AS (PARTITION BY serial_number)
        )
        SELECT CAST(md5_number_lower(serial_number) % 3 = 0 AS INT) AS is_test,
          CAST(failed = 1 AND end_h - t_start_h <= 720 AS INT) AS label,
          t_start_h, size_tb, smart_5, smart_10, smart_12, smart_187, smart_188, smart_189,
          smart_196, smart_197, smart_198
        FROM ends WHERE failed = 1 OR end_h - t_start_h > 720 ORDER BY serial_number, t_start_h`,
    },
    {
      name: 'engines: sensors, end of life within 30 cycles',
      file: 'cmapss/FD001_train.csv.gz',
      sql: `SELECT CAST(unit % 3 = 0 AS INT) AS is_test,
          CAST(max(cycle) OVER (PARTITION BY unit) - cycle <= 30 AS INT) AS label,
          cycle, op1, op2, s2, s3, s4, s6, s7, s8, s9, s11, s12, s13, s14, s15, s17, s20, s21
        FROM read_csv('{file}') ORDER BY unit, cycle`,
    },
  ]

const SOURCES: readonly Source[] = [
  {
    name: 'made up, every value there',
    read: async (quick) => makeRows(quick ? 50_000 : 200_000, 100_000, 32, 0),
  },
  {
    name: 'made up, a third missing',
    read: async (quick) => makeRows(quick ? 50_000 : 200_000, 100_000, 32, 0.33),
  },
  ...RECORDED.map(({ name, file, sql }): Source => ({ name, read: () => readRecorded(file, sql) })),
]

export const bench: Bench = {
  name: 'tree quality',
  async run({ quick, log }) {
    const module = await loadKernel()
    const python = await PythonTrainers.start(log)
    if (typeof python === 'string') {
      return SOURCES.map(({ name }) => missingRow(name, 'LightGBM', ROC_GAP_MAX, python))
    }
    try {
      const rows: BenchRow[] = []
      for (const source of SOURCES) rows.push(...(await compare(module, python, source, quick)))
      return rows
    } finally {
      python.close()
    }
  },
}

async function compare(
  module: WebAssembly.Module,
  python: PythonTrainers,
  { name, ...source }: Source,
  quick: boolean,
): Promise<readonly BenchRow[]> {
  const made = await source.read(quick)
  if (made === null) {
    return [missingRow(name, 'LightGBM', ROC_GAP_MAX, 'FORESHOCK_DATA has no such file')]
  }
  const { train, test, bounds } = made
  const folder = writeRows('quality', train, test)
  const [ours, theirs] = [new Float64Array(test.rowCount), new Float64Array(test.rowCount)]
  for (const seed of SEEDS) {
    const params = { ...PARAMS, seed }
    const booster = trainBoost(module, { rows: train, bounds, validation: null }, params)
    add(ours, scoreRows(module, booster, test))
    add(theirs, (await python.train('lightgbm', folder, train.featureCount, params)).margins)
  }
  const row = (what: string, reach: number, area: typeof rocArea): BenchRow => {
    const figures = { ours: area(ours, test.labels), theirs: area(theirs, test.labels) }
    const value = Math.abs(figures.ours - figures.theirs)
    const ok = value <= reach
    return {
      what: `${what}, ${name}`,
      against: 'LightGBM',
      value,
      reach,
      ok,
      better: 'less',
      figures,
    }
  }
  return [
    row('ROC-AUC apart', ROC_GAP_MAX, rocArea),
    row('PR-AUC apart', PR_GAP_MAX, averagePrecision),
  ]
}

function add(sums: Float64Array, margins: Float64Array): void {
  for (const [row, margin] of margins.entries()) sums[row] += margin
}

async function readRecorded(file: string, sql: string): Promise<MadeRows | null> {
  const path = join(process.env['FORESHOCK_DATA'] ?? '', file)
  if (!existsSync(path)) return null
  const connection = await (await DuckDBInstance.create()).connect()
  try {
    const found = await connection.runAndReadAll(sql.replace('{file}', path.replaceAll("'", "''")))
    const [isTest, labels, ...features] = found.getColumns()
    return split(isTest.map(Number), labels.map(Number), features)
  } finally {
    connection.closeSync()
  }
}

function split(
  isTest: readonly number[],
  labels: readonly number[],
  features: readonly (readonly unknown[])[],
): MadeRows {
  const part = (wanted: number) => {
    const rows = [...isTest.keys()].filter((row) => isTest[row] === wanted)
    const values = rows.flatMap((row) => features.map((column) => numberOf(column[row])))
    return {
      matrix: Float32Array.from(values),
      labels: Uint8Array.from(rows, (row) => labels[row]),
    }
  }
  const [train, test] = [part(0), part(1)]
  const bounds = findBounds(train.matrix, features.length, BINS_MAX)
  return {
    bounds,
    train: toBinnedRows(train.matrix, train.labels, bounds),
    test: toBinnedRows(test.matrix, test.labels, bounds),
  }
}

function numberOf(value: unknown): number {
  return value === null ? NaN : Number(value)
}
