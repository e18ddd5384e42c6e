/**
 * Calibrations as ONNX nodes from `margin` to `probability`, and read back from them. Only operators that
 * WebGPU has too, and no products of matrices, which a GPU may round: the dense form keeps these nodes.
 */
import { type Calibration, CALIBRATION_KINDS, perWidth } from '../core/calibration.ts'
import { ELEMENT, type OnnxGraph, type OnnxNode } from './onnx-schema.ts'

type Operator = readonly [opType: string, input: readonly string[], output: string]

const OPERATORS: Readonly<Record<Calibration['kind'], readonly Operator[]>> = {
  sigmoid: [
    ['Mul', ['margin', 'slope'], 'scaled'],
    ['Add', ['scaled', 'intercept'], 'logit'],
    ['Sigmoid', ['logit'], 'probability'],
  ],
  beta: [
    ['Abs', ['margin'], 'distance'],
    ['Neg', ['distance'], 'fall'],
    ['Exp', ['fall'], 'odds'],
    ['Add', ['odds', 'one'], 'total'],
    ['Log', ['total'], 'near'],
    ['Relu', ['margin'], 'above'],
    ['Add', ['above', 'near'], 'against'],
    ['Neg', ['margin'], 'turned'],
    ['Relu', ['turned'], 'below'],
    ['Add', ['below', 'near'], 'for'],
    ['Mul', ['against', 'b'], 'risen'],
    ['Mul', ['for', 'a'], 'fallen'],
    ['Sub', ['risen', 'fallen'], 'scaled'],
    ['Add', ['scaled', 'intercept'], 'logit'],
    ['Sigmoid', ['logit'], 'probability'],
  ],
  isotonic: [
    ['Sub', ['margin', 'knots'], 'past'],
    ['Mul', ['past', 'per_width'], 'passed'],
    ['Clip', ['passed', 'zero', 'one'], 'share'],
    ['Mul', ['share', 'rises'], 'risen'],
    ['ReduceSum', ['risen', 'columns'], 'climbed'],
    ['Sub', ['margin', 'last'], 'over'],
    ['Relu', ['over'], 'above'],
    ['Sub', ['first', 'margin'], 'under'],
    ['Relu', ['under'], 'below'],
    ['Sub', ['above', 'below'], 'beyond'],
    ['Mul', ['beyond', 'slope'], 'scaled'],
    ['Add', ['climbed', 'scaled'], 'sum'],
    ['Add', ['sum', 'intercept'], 'logit'],
    ['Sigmoid', ['logit'], 'probability'],
  ],
}

export interface CalibrationGraph {
  readonly node: readonly object[]
  readonly initializer: readonly object[]
}

export function calibrationGraph(calibration: Calibration): CalibrationGraph {
  return {
    node: OPERATORS[calibration.kind].map(([opType, input, output]) => ({
      opType,
      input,
      output: [output],
    })),
    initializer: tensorsOf(calibration),
  }
}

function tensorsOf(calibration: Calibration): readonly object[] {
  const intercept = floats('intercept', [calibration.intercept])
  switch (calibration.kind) {
    case 'sigmoid':
      return [floats('slope', [calibration.slope]), intercept]
    case 'beta':
      return [
        floats('a', [calibration.a]),
        floats('b', [calibration.b]),
        floats('one', [1]),
        intercept,
      ]
    case 'isotonic': {
      const { knots, rises, slope } = calibration
      return [
        floats('knots', knots.slice(0, -1)),
        floats('per_width', widthsOf(knots)),
        floats('rises', rises),
        floats('first', [knots[0]]),
        floats('last', [knots[knots.length - 1]]),
        floats('slope', [slope]),
        limit('zero', 0),
        limit('one', 1),
        { name: 'columns', dataType: ELEMENT.int64, dims: [1], int64Data: [1] },
        intercept,
      ]
    }
    default:
      return calibration satisfies never
  }
}

function widthsOf(knots: readonly number[]): readonly number[] {
  return knots.slice(0, -1).map((_, k) => perWidth(knots, k))
}

function floats(name: string, values: readonly number[]): object {
  return { name, dataType: ELEMENT.float32, dims: [values.length], floatData: values }
}

/** Clip wants its limits without a dimension. */
function limit(name: string, value: number): object {
  return { name, dataType: ELEMENT.float32, dims: [], floatData: [value] }
}

/** `nodes`: what comes after the margin. A text says why they are none of ours. */
export function readCalibration(
  graph: OnnxGraph,
  nodes: readonly OnnxNode[],
): Calibration | string {
  const shape = nodes.map(describeNode).join()
  const kind = CALIBRATION_KINDS.find(
    (one) => OPERATORS[one].map(describeOperator).join() === shape,
  )
  if (kind === undefined) return `after the margin comes ${shape}`
  const many = (name: string) => graph.initializer.find((one) => one.name === name)?.floatData ?? []
  const lacking = singles(kind).find((name) => many(name).length !== 1)
  if (lacking !== undefined) return `${lacking} is not one float`
  const single = (name: string) => many(name)[0]
  const intercept = single('intercept')
  if (kind === 'sigmoid') return { kind, slope: single('slope'), intercept }
  if (kind === 'beta') return { kind, a: single('a'), b: single('b'), intercept }
  const knots = [...many('knots'), single('last')]
  const rises = [...many('rises')]
  const isWhole = rises.length > 0 && knots.length === rises.length + 1
  const isOfKnots =
    single('first') === knots[0] && many('per_width').join() === widthsOf(knots).join()
  if (!isWhole || !isOfKnots) return 'its knots do not fit together'
  return { kind, knots, rises, intercept, slope: single('slope') }
}

function singles(kind: Calibration['kind']): readonly string[] {
  if (kind === 'sigmoid') return ['slope', 'intercept']
  return kind === 'beta'
    ? ['a', 'b', 'one', 'intercept']
    : ['first', 'last', 'slope', 'zero', 'one', 'intercept']
}

export function describeNode({ opType, input, output }: OnnxNode): string {
  return `${opType}(${input.join()})->${output.join()}`
}

function describeOperator([opType, input, output]: Operator): string {
  return `${opType}(${input.join()})->${output}`
}
