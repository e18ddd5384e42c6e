/**
 * The part of ONNX's protobuf schema that models of ours, of LightGBM and of XGBoost use. Field numbers are
 * those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto; a field left out here is lost
 * when a model is read and written again. Its int64 are int32 here, which is the same on the wire up to
 * 2^31 and spares an object for each.
 */
import protobuf from 'protobufjs'

const field = (id: number, type: string) => ({ id, type })
const list = (id: number, type: string) => ({ id, type, rule: 'repeated' })

const SCHEMA = {
  nested: {
    ModelProto: {
      fields: {
        irVersion: field(1, 'int32'),
        producerName: field(2, 'string'),
        producerVersion: field(3, 'string'),
        graph: field(7, 'GraphProto'),
        opsetImport: list(8, 'OperatorSetIdProto'),
        metadataProps: list(14, 'StringStringEntryProto'),
      },
    },
    StringStringEntryProto: { fields: { key: field(1, 'string'), value: field(2, 'string') } },
    OperatorSetIdProto: { fields: { domain: field(1, 'string'), version: field(2, 'int32') } },
    GraphProto: {
      fields: {
        node: list(1, 'NodeProto'),
        name: field(2, 'string'),
        initializer: list(5, 'TensorProto'),
        input: list(11, 'ValueInfoProto'),
        output: list(12, 'ValueInfoProto'),
      },
    },
    NodeProto: {
      fields: {
        input: list(1, 'string'),
        output: list(2, 'string'),
        name: field(3, 'string'),
        opType: field(4, 'string'),
        attribute: list(5, 'AttributeProto'),
        domain: field(7, 'string'),
      },
    },
    AttributeProto: {
      fields: {
        name: field(1, 'string'),
        f: field(2, 'float'),
        i: field(3, 'int32'),
        s: field(4, 'bytes'),
        t: field(5, 'TensorProto'),
        floats: list(7, 'float'),
        ints: list(8, 'int32'),
        strings: list(9, 'bytes'),
        type: field(20, 'int32'),
      },
    },
    TensorProto: {
      fields: {
        dims: list(1, 'int32'),
        dataType: field(2, 'int32'),
        floatData: list(4, 'float'),
        int32Data: list(5, 'int32'),
        int64Data: list(7, 'int32'),
        name: field(8, 'string'),
        rawData: field(9, 'bytes'),
        doubleData: list(10, 'double'),
      },
    },
    ValueInfoProto: { fields: { name: field(1, 'string'), type: field(2, 'TypeProto') } },
    TypeProto: { fields: { tensorType: field(1, 'TensorTypeProto') } },
    TensorTypeProto: {
      fields: { elemType: field(1, 'int32'), shape: field(2, 'TensorShapeProto') },
    },
    TensorShapeProto: { fields: { dim: list(1, 'DimensionProto') } },
    DimensionProto: { fields: { dimValue: field(1, 'int32'), dimParam: field(2, 'string') } },
  },
}

/** A field that the file lacks has its default: 0, no text, no elements. */
export interface OnnxModel {
  readonly opsetImport: readonly { readonly domain: string; readonly version: number }[]
  readonly graph: OnnxGraph
}

export interface OnnxGraph {
  readonly node: readonly OnnxNode[]
  readonly initializer: readonly OnnxTensor[]
  readonly input: readonly { readonly name: string }[]
  readonly output: readonly { readonly name: string }[]
}

export interface OnnxNode {
  readonly input: readonly string[]
  readonly output: readonly string[]
  readonly opType: string
  readonly domain: string
  readonly attribute: readonly OnnxAttribute[]
}

export interface OnnxAttribute {
  readonly name: string
  readonly i: number
  readonly s: Uint8Array
  readonly floats: readonly number[]
  readonly ints: readonly number[]
  readonly strings: readonly Uint8Array[]
}

export interface OnnxTensor {
  readonly name: string
  readonly dataType: number
  readonly floatData: readonly number[]
  readonly rawData: Uint8Array
}

/** ONNX's numbers for types of elements. */
export const ELEMENT = { float32: 1, int32: 6, int64: 7 } as const

function modelType(): protobuf.Type {
  return protobuf.Root.fromJSON(SCHEMA).lookupType('ModelProto')
}

/** What does not fit the schema is our own bug, and throws. */
export function encodeOnnx(body: Readonly<Record<string, unknown>>): Uint8Array {
  const type = modelType()
  const problem = type.verify(body)
  if (problem !== null) throw new Error(`bug: ModelProto: ${problem}`)
  return type.encode(type.create(body)).finish()
}

/** Null where the bytes are no ONNX model with a graph. */
export function decodeOnnx(bytes: Uint8Array): OnnxModel | null {
  try {
    const model = modelType().decode(bytes) as unknown as { readonly graph: OnnxGraph | null }
    return model.graph === null ? null : (model as OnnxModel)
  } catch {
    return null
  }
}
