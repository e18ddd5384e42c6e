/**
 * Samples in JSON: one object, a list, or lines. The rows that decode are taken, the others refused
 * one by one, so that one bad node does not silence its neighbours in the same record.
 */
import type { NodeId } from '../core/ids.ts'
import type { NodeClass } from '../core/node.ts'
import { asObject, parseJson, parseText } from './body.ts'
import type { JsonObject } from './body.ts'
import { nodeField, sampleAgeProblem, timeField } from './field.ts'
import type { Field } from './field.ts'
import { inRow, quoted, refuse, typeName } from './refusal.ts'
import type { Refusal } from './refusal.ts'

export interface Sample {
  readonly node: NodeId
  readonly nodeClass: NodeClass
  readonly atMs: number
  /** In the order of the class's metrics; NaN is missing. */
  readonly values: Float64Array
}

export interface SampleContext {
  readonly nodeClasses: ReadonlyMap<string, NodeClass>
  /** For rows that name no class. */
  readonly defaultClass: string
  readonly nowMs: number
  /** Older samples are history and refused; absent: none are. */
  readonly sampleAgeMsMax?: number
}

export type DecodedJson =
  | {
      readonly ok: true
      readonly rows: readonly Sample[]
      readonly refused: readonly Refusal[]
      /** Metrics that the class does not have: ignored, and counted. */
      readonly unknownMetricCount: number
    }
  | Refusal

export function decodeJsonSamples(bytes: Uint8Array, context: SampleContext): DecodedJson {
  const text = parseText(bytes)
  if (!text.ok) return text
  const items = jsonItems(text.value)
  if (!items.ok) return items
  const rows: Sample[] = []
  const refused: Refusal[] = []
  const unknown = { count: 0 }
  for (const [index, item] of items.value.entries()) {
    const sample = item.ok ? decodeSample(item.value, context, unknown) : item
    if (sample.ok) rows.push(sample.value)
    else refused.push(items.value.length === 1 ? sample : inRow(index + 1, sample))
  }
  return { ok: true, rows, refused, unknownMetricCount: unknown.count }
}

/** Lines are tried only when the whole is not JSON, so an object may be spread over several lines. */
function jsonItems(text: string): Field<readonly Field<unknown>[]> {
  const whole = parseJson(text)
  if (whole.ok) {
    const items: readonly unknown[] = Array.isArray(whole.value) ? whole.value : [whole.value]
    return { ok: true, value: items.map((value) => ({ ok: true, value })) }
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const parsed = lines.length > 1 ? lines.map(parseJson) : []
  return parsed.some((line) => line.ok) ? { ok: true, value: parsed } : whole
}

/** One sample, already parsed; metrics that its class lacks are added to `unknown`. */
export function decodeSample(
  value: unknown,
  context: SampleContext,
  unknown: { count: number },
): Field<Sample> {
  const object = asObject(value)
  if (!object.ok) return object
  const node = nodeField(object.value['node'])
  if (!node.ok) return node
  const nodeClass = classField(object.value['class'], context)
  if (!nodeClass.ok) return nodeClass
  const at = timeField(object.value['at'], context.nowMs)
  if (!at.ok) return at
  const age = sampleAgeProblem(at.value, context)
  if (age !== undefined) return age
  const values = metricsField(object.value['metrics'], nodeClass.value, unknown)
  if (!values.ok) return values
  return {
    ok: true,
    value: { node: node.value, nodeClass: nodeClass.value, atMs: at.value, values: values.value },
  }
}

export function classField(
  value: unknown,
  { nodeClasses, defaultClass }: Pick<SampleContext, 'nodeClasses' | 'defaultClass'>,
): Field<NodeClass> {
  const name = value ?? defaultClass
  const nodeClass = typeof name === 'string' ? nodeClasses.get(name) : undefined
  if (nodeClass !== undefined) return { ok: true, value: nodeClass }
  const shown = typeof name === 'string' ? quoted(name) : typeName(name)
  const known = [...nodeClasses.keys()].join(', ')
  return refuse('class-unknown', `\`class\` is ${shown}; known are: ${known}`)
}

/** No metrics at all is a sign of life, and fine. */
function metricsField(
  value: unknown,
  nodeClass: NodeClass,
  unknown: { count: number },
): Field<Float64Array> {
  const values = new Float64Array(nodeClass.metrics.length).fill(NaN)
  if (value === undefined || value === null) return { ok: true, value: values }
  const metrics = asObject(value)
  if (!metrics.ok) return refuse('field-invalid', `\`metrics\`: ${metrics.detail}`)
  let found = 0
  for (const [index, { name }] of nodeClass.metrics.entries()) {
    const metric = ownValue(metrics.value, name)
    if (metric === undefined) continue
    found += 1
    if (metric === null) continue
    if (typeof metric !== 'number') {
      return refuse(
        'metric-not-a-number',
        `metric \`${name}\` is ${typeName(metric)}; expected a number or null`,
      )
    }
    values[index] = metric
  }
  unknown.count += Object.keys(metrics.value).length - found
  return { ok: true, value: values }
}

/** A metric of a class may be called `constructor`; the object's prototype is nobody's telemetry. */
function ownValue(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}
