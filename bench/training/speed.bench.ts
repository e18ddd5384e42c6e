/**
 * Growing boosted trees from bins, one thread each: the WASM trainer against LightGBM and XGBoost with
 * the same parameters on the same bins. What counts is CPU time, since other work on the machine
 * stretches the clock; ours includes what V8 compiles and collects meanwhile.
 */
import { loadKernel } from '../../src/commands/package.ts'
import { assert } from '../../src/core/errors.ts'
import { DEFAULT_BOOST, trainBoost, type BoostParams } from '../../training/boost.ts'
import type { Booster } from '../../training/booster.ts'
import { averagePrecision, rocArea } from '../../training/quality.ts'
import { scoreRows } from '../../training/score.ts'
import { type Bench, type BenchRow, missingRow, ratioRow } from '../bench.ts'
import { makeRows, type MadeRows } from './made-rows.ts'
import { PythonTrainers, type Rival, writeRows } from './python-trainers.ts'

const FEATURES = 64
const SIZE = { trainCount: 500_000, testCount: 100_000, trees: 200, rounds: 2 }
const QUICK = { trainCount: 100_000, testCount: 50_000, trees: 50, rounds: 2 }
/** Times faster: 1 / 0.8 and 1 / 1. */
const REACH = { lightgbm: 1.25, xgboost: 1 } as const
const ROC_GAP_MAX = 0.002
const PR_GAP_MAX = 0.005
const NAMES: Readonly<Record<Rival, string>> = {
  lightgbm: 'LightGBM',
  'lightgbm-quantised': 'LightGBM, use_quantized_grad',
  xgboost: 'XGBoost',
}
const RIVALS: readonly Rival[] = ['lightgbm', 'lightgbm-quantised', 'xgboost']

export const bench: Bench = {
  name: 'tree training',
  async run({ quick, log }) {
    const module = await loadKernel()
    const { trainCount, testCount, trees, rounds } = quick ? QUICK : SIZE
    const rows = makeRows(trainCount, testCount, FEATURES, 0.05)
    const params: BoostParams = {
      ...DEFAULT_BOOST,
      treesMax: trees,
      learningRate: 0.1,
      featureRatio: 1,
      rowsMin: 20,
    }
    const work = `${trees} trees × ${params.leavesMax} leaves`
    const what = `training CPU time, ${work}, ${trainCount} rows × ${FEATURES} features`
    const python = await PythonTrainers.start(log)
    if (typeof python === 'string') {
      return (['lightgbm', 'xgboost'] as const).map((rival) =>
        missingRow(what, NAMES[rival], REACH[rival], python),
      )
    }
    try {
      return await compare(module, rows, params, python, { rounds, what, log })
    } finally {
      python.close()
    }
  },
}

interface Frame {
  readonly rounds: number
  readonly what: string
  readonly log: (text: string) => void
}

async function compare(
  module: WebAssembly.Module,
  rows: MadeRows,
  params: BoostParams,
  python: PythonTrainers,
  { rounds, what, log }: Frame,
): Promise<readonly BenchRow[]> {
  const folder = writeRows('speed', rows.train, rows.test)
  const margins: Record<string, Float64Array> = {}
  const binMs: Record<string, number> = {}
  const ours = (): number => {
    const { booster, cpuMs } = trainTimed(module, rows, params)
    assert(booster.trees.length === params.treesMax, 'training stopped early')
    margins['ours'] = scoreRows(module, booster, rows.test)
    log(`ours: ${(cpuMs / 1_000).toFixed(1)} CPU s`)
    return cpuMs
  }
  const theirs = (rival: Rival) => async (): Promise<number> => {
    const trained = await python.train(rival, folder, FEATURES, params)
    margins[rival] = trained.margins
    binMs[rival] = trained.binMs
    log(`${rival}: ${(trained.trainMs / 1_000).toFixed(1)} CPU s`)
    return trained.trainMs
  }
  const candidates = Object.fromEntries(RIVALS.map((rival) => [rival, theirs(rival)]))
  const times = await inTurns(rounds, { ours, ...candidates })
  const rivalRow = (rival: Rival, reach: number): BenchRow =>
    ratioRow(
      what,
      NAMES[rival],
      times,
      { ours: 'ours', rival, reach },
      {
        rivalBinMs: binMs[rival],
      },
    )
  return [
    rivalRow('lightgbm', REACH.lightgbm),
    rivalRow('xgboost', REACH.xgboost),
    // For the record: it rounds gradients far more coarsely than the others.
    { ...rivalRow('lightgbm-quantised', 0), reach: null, ok: true },
    ...qualityRows(rows.test.labels, margins),
  ]
}

/** A run takes so long that none is needed to warm up. */
async function inTurns(
  rounds: number,
  candidates: Readonly<Record<string, () => number | Promise<number>>>,
): Promise<Readonly<Record<string, readonly number[]>>> {
  const names = Object.keys(candidates)
  const times: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const [i] of names.entries()) {
      const name = names[(i + round) % names.length]
      times[name].push(await candidates[name]())
    }
  }
  return times
}

/** CPU time of the whole process, from bins to trees. */
function trainTimed(
  module: WebAssembly.Module,
  { train: rows, bounds }: MadeRows,
  params: BoostParams,
): { readonly booster: Booster; readonly cpuMs: number } {
  const before = process.cpuUsage()
  const booster = trainBoost(module, { rows, bounds, validation: null }, params)
  const { user, system } = process.cpuUsage(before)
  return { booster, cpuMs: (user + system) / 1_000 }
}

function qualityRows(
  labels: Uint8Array,
  margins: Readonly<Record<string, Float64Array>>,
): readonly BenchRow[] {
  const row = (
    what: string,
    rival: Rival,
    reach: number,
    area: (scores: Float64Array, labels: Uint8Array) => number,
  ): BenchRow => {
    const [ours, theirs] = [area(margins['ours'], labels), area(margins[rival], labels)]
    const value = Math.abs(theirs - ours)
    const figures = { ours, theirs }
    return {
      what,
      against: NAMES[rival],
      value,
      reach,
      ok: value <= reach,
      better: 'less',
      figures,
    }
  }
  return (['lightgbm', 'xgboost'] as const).flatMap((rival) => [
    row('ROC-AUC on test rows: how far apart', rival, ROC_GAP_MAX, rocArea),
    row('PR-AUC on test rows: how far apart', rival, PR_GAP_MAX, averagePrecision),
  ])
}
