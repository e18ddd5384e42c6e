/** Trains a model and its parts by folds, and judges them: out of fold, and once on the test nodes. */
import type { CardPart, Figures, ModelCard, ModelReference } from '../src/core/model.ts'
import type { NodeClass } from '../src/core/node.ts'
import type { ScoredRows } from './alerts.ts'
import { calibrate, chooseCalibration, type ChosenCalibration } from './calibration.ts'
import { describeModel } from './card.ts'
import { featuresEnding, type Dataset } from './dataset.ts'
import { widen } from './ensemble.ts'
import { judgeBaselines, scoredRows } from './evaluate.ts'
import { figuresOf } from './figures.ts'
import { growFolded, type Folded, type FoldedOptions } from './folded.ts'
import { knownFeatures } from './known-features.ts'
import { failureAtMsOf, isKnown, type Lives } from './labels.ts'
import { foldOf, type Manifest, type Part } from './manifest.ts'
import { partDirectory, type ModelFiles } from './model-files.ts'
import { referenceOf } from './reference.ts'
import { pickFacts, type RowFacts } from './row-store.ts'
import { scoreRows } from './score.ts'
import { targetOf, type Goal } from './targets.ts'

export interface FoldedModelOptions {
  readonly manifest: Manifest
  readonly nodeClass: NodeClass
  readonly dataDir: string
  readonly module: WebAssembly.Module
  readonly seed: number
  readonly data: Dataset
  readonly foldCount: number
  /** Doneness 0..1 of the growing of all trees, and what is being grown. */
  readonly onProgress?: (doneRatio: number, detail: string) => void
  readonly signal?: AbortSignal
}

interface Piece {
  /** Null: the model itself. */
  readonly part: Part | null
  readonly goal: Goal
  readonly folded: Folded
  readonly calibrated: ChosenCalibration
  /** Of the judged rows outside the test slice, out of fold. */
  readonly validation: Scored
  readonly test: Scored
}

interface Scored {
  readonly margins: Float64Array
  readonly probabilities: Float64Array
}

/** Rows by which validation judges: those of chosen samples are learned from only. */
interface Judged {
  readonly rows: Uint32Array
  readonly validation: RowFacts
  readonly test: RowFacts
}

export async function trainFolded(options: FoldedModelOptions): Promise<ModelFiles> {
  const { manifest, data } = options
  const facts = data.slices.fit.facts()
  const rows = Uint32Array.from(facts.node.keys()).filter(
    (row) => !data.lives.isOnlyFit(facts.node[row], facts.atMs[row]),
  )
  const judged = { rows, validation: pickFacts(facts, rows), test: data.slices.test.facts() }
  const pieces: Piece[] = []
  for (const part of [null, ...manifest.parts]) {
    pieces.push(await growPiece(options, part, judged, pieces.length))
  }
  const parts = pieces.filter(({ part }) => part !== null)
  const [main] = pieces
  return {
    ...describe(options, main, judged, cardExtra(options, pieces, judged)),
    reference: referenceFor(options, main, judged),
    parts: parts.map((piece) => describe(options, piece, judged, {})),
  }
}

async function growPiece(
  options: FoldedModelOptions,
  part: Part | null,
  { rows, validation }: Judged,
  done: number,
): Promise<Piece> {
  const { manifest, module, data, foldCount, onProgress } = options
  const goal = part ?? { target: 'failure', horizonMs: manifest.horizonMs, failureKind: null }
  const facts = data.slices.fit.facts()
  const pieceCount = 1 + manifest.parts.length
  const fit: FoldedOptions = {
    ...options,
    bounds: data.bounds,
    known: knownFeatures(manifest, options.nodeClass, data),
    rows: data.slices.fit.rows(),
    fold: Uint8Array.from(facts.node, (node) => foldOf(data.lives.hashOf(node), foldCount)),
    onFold: (fold) =>
      onProgress?.((done + fold / foldCount) / pieceCount, part?.name ?? manifest.name),
  }
  const names = Array.from(data.columns, (column) => data.featureNames[column])
  const leftOut = part === null ? [] : featuresEnding(manifest, part.leaveOut, names)
  const folded = await growFolded(fit, targetOf(goal, facts, data.lives), leftOut)
  const margins = Float64Array.from(rows, (row) => folded.margins[row])
  const calibrated = calibrationOf(manifest, goal, margins, validation, data.lives)
  const scored = (of: Float64Array): Scored => ({
    margins: of,
    probabilities: of.map((margin) => calibrate(calibrated.calibration, margin)),
  })
  return {
    part,
    goal,
    folded,
    calibrated,
    validation: scored(margins),
    test: scored(scoreRows(module, folded.booster, data.slices.test.rows())),
  }
}

/** Held to the base rate of the judged rows; also that of a share, which so tells of the horizon too. */
function calibrationOf(
  { training }: Manifest,
  goal: Goal,
  margins: Float64Array,
  facts: RowFacts,
  lives: Lives,
): ChosenCalibration {
  const { rows, labels } = targetOf(goal, facts, lives)
  return chooseCalibration(training.calibration, {
    margins: Float64Array.from(rows, (row) => margins[row]),
    labels,
    node: Uint32Array.from(rows, (row) => facts.node[row]),
  })
}

function describe(
  { manifest, nodeClass, dataDir, seed, data }: FoldedModelOptions,
  { part, goal, folded, calibrated, ...scores }: Piece,
  judged: Judged,
  extra: Partial<ModelCard>,
): ModelFiles {
  const rowsOf = (slice: 'validation' | 'test') =>
    goalRows(
      goal,
      judged[slice],
      data.lives,
      scores[slice].probabilities,
      nodeClass.predictionIntervalMs,
    )
  const { featureNames, featureHash, lives } = data
  return describeModel(
    {
      manifest,
      nodeClass,
      dataDir,
      seed,
      name: part === null ? manifest.name : `${manifest.name}-${part.name}`,
      horizonMs: goal.horizonMs,
      featureNames,
      featureHash,
      lives,
      movedLabels: data.movedLabels,
      booster: widen(folded.booster, data.columns, featureNames.length),
      calibrated,
      validation: rowsOf('validation'),
      test: rowsOf('test'),
    },
    extra,
  )
}

/** Of the judged rows alone: chosen samples lie as no fleet's rows do. */
function referenceFor(
  { nodeClass, data }: FoldedModelOptions,
  { validation }: Piece,
  judged: Judged,
): ModelReference {
  const rows = data.slices.fit.rows()
  const weights = new Float32Array(rows.rowCount)
  for (const row of judged.rows) weights[row] = 1
  return referenceOf({
    nodeClass,
    featureNames: Array.from(data.columns, (column) => data.featureNames[column]),
    bounds: data.bounds,
    rows: { ...rows, weights },
    nodes: judged.validation.node,
    scores: validation.probabilities,
    scoreNodes: judged.validation.node,
  })
}

/** Rows labelled for a goal; those whose label is unknown are left out. */
function goalRows(
  { horizonMs, failureKind }: Goal,
  facts: RowFacts,
  lives: Lives,
  scores: Float64Array,
  intervalMs: number,
): ScoredRows {
  const labels = Array.from(facts.node, (node, i) =>
    lives.labelOf(node, facts.atMs[i], horizonMs, failureKind ?? undefined),
  )
  const known = Uint32Array.from(labels.keys()).filter((i) => isKnown(labels[i]))
  const picked = pickFacts(facts, known)
  const labelled = {
    ...picked,
    labels: Uint8Array.from(known, (i) => (labels[i].kind === 'positive' ? 1 : 0)),
    failureAtMs: Float64Array.from(known, (i) => failureAtMsOf(labels[i])),
  }
  const chosen = Float64Array.from(known, (i) => scores[i])
  return scoredRows(labelled, chosen, intervalMs, horizonMs)
}

/** What only the card of the whole says. */
function cardExtra(
  { manifest, nodeClass, data, foldCount }: FoldedModelOptions,
  pieces: readonly Piece[],
  judged: Judged,
): Partial<ModelCard> {
  const intervalMs = nodeClass.predictionIntervalMs
  const figures = (slice: 'validation' | 'test'): Figures =>
    figuresOf({
      facts: judged[slice],
      lives: data.lives,
      probabilities: pieces[0][slice].probabilities,
      parts: pieces.flatMap(({ part, ...scored }) =>
        part === null ? [] : [{ part: cardPart(part), scores: partScores(part, scored[slice]) }],
      ),
      intervalMs,
    })
  return {
    baselines: judgeBaselines(manifest, judged.test, intervalMs),
    parts: manifest.parts.map((part): CardPart => ({
      ...part,
      directory: partDirectory(part.name),
    })),
    figures: { validation: figures('validation'), test: figures('test') },
    notes: [
      `Split by node hash: below ${manifest.split.validation} in ${foldCount} folds, each judged by trees of the others (validation); the rest is the test slice, never seen.`,
    ],
  }
}

function partScores({ target }: Part, { margins, probabilities }: Scored): Float64Array {
  return target === 'remaining' ? margins : probabilities
}

function cardPart({ name, target, horizonMs, failureKind }: Part): CardPart {
  return { name, directory: partDirectory(name), target, horizonMs, failureKind }
}
