/**
 * A watcher takes the models that its log names, at the offset where it names them. The record is not
 * folded before they are loaded: what comes after it in the log is scored by them and by nothing else,
 * also when the state is rebuilt, on this machine or another.
 */
import { isServiceError, ServiceError } from '../core/errors.ts'
import type { ModelId, PoolId } from '../core/ids.ts'
import { logOutput } from '../core/log.ts'
import {
  MODEL_POOL_PARTITION,
  type ModelAssignment,
  type ModelRefusal,
} from '../core/model-life.ts'
import type { ModelReference } from '../core/model.ts'
import type { NodeEvent } from '../core/node.ts'
import { topicName, type Topology } from '../core/topics.ts'
import type { LoadedModel } from '../predict/model-library.ts'
import { checkFeatures } from '../predict/session.ts'
import type { NodeTable } from '../state/node-table.ts'
import type { ClassJudge } from './class-judge.ts'
import type { ClassReport, Telling } from './class-report.ts'

export interface ModelSource {
  /** MODEL_MISSING or MODEL_INVALID when it cannot be had in time: the partition is then given back. */
  load(id: ModelId): Promise<LoadedModel>
  /** Node class → identity of the model that the configuration names. */
  readonly first: ReadonlyMap<
    string,
    { readonly id: ModelId; readonly reference: ModelReference | null }
  >
}

interface Watching {
  readonly partition: number
  readonly topology: Topology
  readonly predictors: ReadonlyMap<string, LoadedModel['predictor']>
  readonly modelSource?: ModelSource
}

interface ClassState {
  readonly table: NodeTable
  readonly report: ClassReport
  readonly judge: ClassJudge
}

/** Rows made before are scored and sent by the models before. A model that does not fit is refused. */
export async function assignModels(
  watching: Watching,
  { table, report, judge }: ClassState,
  assignment: ModelAssignment,
  telling: Telling,
): Promise<void> {
  await report.score(telling)
  report.sendBatch(telling)
  judge.tell(telling)
  const refuse = (model: ModelId, reason: string): void => {
    const { partition: source, topology } = watching
    const { nodeClass, trial } = assignment
    const refusal: ModelRefusal = { source, nodeClass, trial, model, reason }
    const topic = topicName(topology, 'pool-log')
    telling.outputs.push(
      logOutput(topic, MODEL_POOL_PARTITION, 'model-refused', nodeClass, refusal),
    )
  }
  const fitting = async (id: ModelId): Promise<LoadedModel | null> => {
    const model = await loaded(watching, id)
    const problem = misfit(model, table)
    if (problem !== null) refuse(id, problem)
    return problem === null ? model : null
  }
  const { champion, challenger } = assignment
  const next = champion === null ? firstOf(watching, assignment) : await fitting(champion)
  const beside = challenger === null ? null : await fitting(challenger)
  if (next === null && champion !== null) return
  const pools = new Set(assignment.canaryPools)
  const canary = beside === null || pools.size === 0 ? null : { model: beside, pools }
  report.serve(next, canary)
  judge.assign(assignment, next, beside, canary?.pools ?? null)
}

/** What the end of a node of `pool`, or work on it, means to the rows that wait for their outcome. */
export function noteFate(judge: ClassJudge, index: number, event: NodeEvent, pool: PoolId): void {
  if (event.kind === 'failure') judge.failed(index, event.atMs, pool)
  else if (event.kind === 'leave') judge.left(index)
  else if (event.kind === 'maintenance') judge.uncertain(index)
}

async function loaded({ modelSource, predictors }: Watching, id: ModelId): Promise<LoadedModel> {
  if (modelSource === undefined) {
    throw new ServiceError(
      'MODEL_MISSING',
      `model ${id} is named by the log, but no store is set up`,
    )
  }
  for (const [nodeClass, first] of modelSource.first) {
    const predictor = predictors.get(nodeClass)
    if (first.id === id && predictor !== undefined) return { ...first, predictor }
  }
  return modelSource.load(id)
}

/** The model of the configuration, as at the beginning of the log. */
function firstOf(
  { modelSource, predictors }: Watching,
  { nodeClass }: ModelAssignment,
): LoadedModel | null {
  const predictor = predictors.get(nodeClass)
  if (predictor === undefined) return null
  return { id: null, reference: null, ...modelSource?.first.get(nodeClass), predictor }
}

function misfit({ predictor }: LoadedModel, table: NodeTable): string | null {
  try {
    checkFeatures(predictor.card, table)
    return null
  } catch (error) {
    if (isServiceError(error)) return error.message
    throw error
  }
}
