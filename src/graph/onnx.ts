/**
 * The ONNX messages that this project reads and writes, as plain objects.
 * Field names are those of the ONNX IR specification in camel case; absent fields are absent, repeated ones are
 * arrays. Fields that this table does not know travel along unseen (see `read.ts`).
 */
export interface ModelProto {
  irVersion: number;
  opsetImport: OperatorSetId[];
  producerName?: string;
  producerVersion?: string;
  domain?: string;
  modelVersion?: number;
  docString?: string;
  graph: GraphProto;
  metadataProps: StringEntry[];
  functions: FunctionProto[];
}

export interface OperatorSetId {
  domain: string;
  version: number;
}

export interface StringEntry {
  key: string;
  value: string;
}

export interface GraphProto {
  name: string;
  node: NodeProto[];
  initializer: TensorProto[];
  input: ValueInfo[];
  output: ValueInfo[];
  valueInfo: ValueInfo[];
  docString?: string;
  metadataProps: StringEntry[];
}

export interface NodeProto {
  name: string;
  opType: string;
  domain: string;
  /** Empty strings stand for optional inputs that are left out. */
  input: string[];
  output: string[];
  attribute: AttributeProto[];
  docString?: string;
  metadataProps: StringEntry[];
}

export interface AttributeProto {
  name: string;
  /** One of `AttributeType`. */
  type: number;
  f?: number;
  i?: number;
  s?: Uint8Array;
  t?: TensorProto;
  g?: GraphProto;
  floats: number[];
  ints: number[];
  strings: Uint8Array[];
  tensors: TensorProto[];
  graphs: GraphProto[];
  refAttrName?: string;
  docString?: string;
}

export interface TensorProto {
  name: string;
  dims: number[];
  /** One of `ElementType`. */
  dataType: number;
  rawData?: Uint8Array;
  floatData: number[];
  int32Data: number[];
  int64Data: number[];
  doubleData: number[];
  uint64Data: number[];
  stringData: Uint8Array[];
  externalData: StringEntry[];
  /** 1 where the data lies in another file, named by `externalData`. */
  dataLocation?: number;
  docString?: string;
}

export interface ValueInfo {
  name: string;
  type?: TypeProto;
  docString?: string;
}

export interface TypeProto {
  tensorType?: { elemType: number; shape?: { dim: Dimension[] } };
  denotation?: string;
}

/** A size, a symbol, or neither: unknown. */
export interface Dimension {
  dimValue?: number;
  dimParam?: string;
}

export interface FunctionProto {
  name: string;
  domain: string;
  overload?: string;
  input: string[];
  output: string[];
  attribute: string[];
  node: NodeProto[];
  opsetImport: OperatorSetId[];
}

/** TensorProto.DataType */
export const ElementType = {
  float: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  double: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
} as const;

/** AttributeProto.AttributeType */
export const AttributeType = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  tensors: 9,
  graphs: 10,
} as const;
