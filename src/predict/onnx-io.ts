/**
 * Which input and outputs of an ONNX model are the features, the probability and the margin. Models
 * of ours name them so; those of other trainers have their own names, which are found by type and shape
 * or refused with what to do about it.
 */
import type { InferenceSession } from 'onnxruntime-node'
import { ServiceError } from '../core/errors.ts'

export interface ModelIo {
  /** float32 [rows, features]. */
  readonly input: string
  readonly probability: ProbabilityOutput
  /** Null where the model gives none: the log odds of the probability stand for it. */
  readonly margin: string | null
}

export interface ProbabilityOutput {
  readonly name: string
  /** Of a row: 1, or 2 for a classifier that also gives the probability against. The last one counts. */
  readonly columns: 1 | 2
  /** 1: the output is [rows]. */
  readonly rank: 1 | 2
}

type Metadata = InferenceSession.ValueMetadata

/** ServiceError MODEL_INVALID, naming `file`, the input or output and the mend. */
export function modelIo(file: string, session: InferenceSession, featureCount: number): ModelIo {
  const refuse = (what: string): never => {
    throw new ServiceError('MODEL_INVALID', `${file}: ${what}`)
  }
  const { inputMetadata, outputMetadata } = session
  if (inputMetadata.length !== 1) {
    refuse(
      `it has ${inputMetadata.length} inputs (${names(inputMetadata)}); export it with one float32 input [rows, ${featureCount}]`,
    )
  }
  const input = checkInput(inputMetadata[0], featureCount, refuse)
  const probability = probabilityOutput(outputMetadata, refuse)
  const margin = outputMetadata.find(({ name }) => name === 'margin')
  const isMargin = margin?.isTensor === true && margin.type === 'float32'
  return { input, probability, margin: isMargin ? margin.name : null }
}

type Refuse = (what: string) => never

function checkInput(input: Metadata, featureCount: number, refuse: Refuse): string {
  if (!input.isTensor || input.type !== 'float32') {
    return refuse(
      `its input \`${input.name}\` is ${typeOf(input)}; export it with a float32 input, such as FloatTensorType([None, ${featureCount}])`,
    )
  }
  const [rows, columns] = input.shape
  if (input.shape.length !== 2) {
    return refuse(
      `its input \`${input.name}\` is ${shapeOf(input)}; it must be [rows, ${featureCount}]`,
    )
  }
  if (typeof rows === 'number') {
    return refuse(
      `its input \`${input.name}\` takes ${rows} rows at a time; export it with a free first dimension`,
    )
  }
  if (typeof columns === 'number' && columns !== featureCount) {
    return refuse(
      `its input \`${input.name}\` has ${columns} features but card.json names ${featureCount}; the card is of another model`,
    )
  }
  return input.name
}

function probabilityOutput(outputs: readonly Metadata[], refuse: Refuse): ProbabilityOutput {
  const named = outputs.find(({ name }) => name === 'probability')
  const candidates = outputs.flatMap((output) => {
    const shape = columnsOf(output)
    return shape === null || output.name === 'margin' ? [] : [{ name: output.name, ...shape }]
  })
  const chosen =
    named === undefined ? candidates : candidates.filter(({ name }) => name === named.name)
  if (chosen.length === 1) return chosen[0]
  const zipped = outputs.find(({ isTensor }) => !isTensor)
  if (zipped !== undefined) {
    return refuse(
      `its output \`${zipped.name}\` is a list of maps, not a tensor; export it with zipmap=False`,
    )
  }
  const found = outputs
    .map((output) => `\`${output.name}\` ${typeOf(output)}${shapeOf(output)}`)
    .join(', ')
  return refuse(
    `one of its outputs must be the probability, float32 [rows], [rows, 1] or [rows, 2]${chosen.length > 1 ? ' and named `probability`' : ''}; it has ${found}`,
  )
}

function columnsOf(output: Metadata): Pick<ProbabilityOutput, 'columns' | 'rank'> | null {
  if (!output.isTensor || output.type !== 'float32') return null
  const [, columns] = output.shape
  if (output.shape.length === 1) return { columns: 1, rank: 1 }
  if (output.shape.length !== 2) return null
  return columns === 1 || columns === 2 ? { columns, rank: 2 } : null
}

function names(values: readonly Metadata[]): string {
  return values.map(({ name }) => `\`${name}\``).join(', ')
}

function typeOf(value: Metadata): string {
  return value.isTensor ? value.type : 'no tensor'
}

function shapeOf(value: Metadata): string {
  return value.isTensor ? ` [${value.shape.map((size) => size || 'rows').join(', ')}]` : ''
}
