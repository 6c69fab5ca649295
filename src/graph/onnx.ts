/**
 * The ONNX messages that this project reads and writes, as plain objects.
 * Field names are those of the ONNX IR specification in camel case. Absent fields are absent (ONNX tells them from
 * empty ones), repeated ones are arrays. A copy made with `{ ...message }` is a whole copy: fields that `schema.ts`
 * does not know travel along in `$unknowns`.
 */
export interface Message {
  /** Fields newer than the schema, as they stood in the file: tag and content. */
  $unknowns?: Uint8Array[];
}

/** A 64-bit integer: a number where it is a safe one, else a bigint (`Slice` ends at 2^63-1). */
export type Int64 = number | bigint;

export interface ModelProto extends Message {
  irVersion: number;
  opsetImport: OperatorSetId[];
  producerName?: string;
  producerVersion?: string;
  domain?: string;
  modelVersion?: Int64;
  docString?: string;
  graph: GraphProto;
  metadataProps: StringEntry[];
  functions: FunctionProto[];
  trainingInfo?: TrainingInfo[];
  configuration?: Message[];
}

export interface OperatorSetId extends Message {
  /** Absent or empty: ONNX's own operators. */
  domain?: string;
  version: number;
}

export interface StringEntry extends Message {
  key: string;
  value: string;
}

export interface GraphProto extends Message {
  name: string;
  node: NodeProto[];
  initializer: TensorProto[];
  sparseInitializer?: SparseTensorProto[];
  input: ValueInfo[];
  output: ValueInfo[];
  valueInfo: ValueInfo[];
  docString?: string;
  quantizationAnnotation?: Message[];
  metadataProps: StringEntry[];
}

export interface NodeProto extends Message {
  name?: string;
  opType: string;
  /** Absent or empty: ONNX's own operators. */
  domain?: string;
  overload?: string;
  /** Empty strings stand for optional inputs that are left out. */
  input: string[];
  output: string[];
  attribute: AttributeProto[];
  docString?: string;
  metadataProps: StringEntry[];
  deviceConfigurations?: Message[];
}

export interface AttributeProto extends Message {
  name: string;
  /** One of `AttributeType`; some writers of old left it out. */
  type?: number;
  f?: number;
  i?: Int64;
  s?: Uint8Array;
  t?: TensorProto;
  g?: GraphProto;
  tp?: TypeProto;
  sparseTensor?: SparseTensorProto;
  floats: number[];
  ints: Int64[];
  strings: Uint8Array[];
  tensors: TensorProto[];
  graphs: GraphProto[];
  sparseTensors?: SparseTensorProto[];
  typeProtos?: TypeProto[];
  /** In a function's body: the function's attribute that gives the value. */
  refAttrName?: string;
  docString?: string;
}

export interface TensorProto extends Message {
  name: string;
  dims: number[];
  /** One of `ElementType`. */
  dataType: number;
  rawData?: Uint8Array;
  floatData: number[];
  int32Data: number[];
  int64Data: Int64[];
  doubleData: number[];
  uint64Data: Int64[];
  stringData: Uint8Array[];
  externalData: StringEntry[];
  /** One of `DataLocation`; external data lie in the file that `externalData` names. */
  dataLocation?: number;
  /** Where `readModel` found the external data. Not a field of the format: it is not written. */
  fileRange?: FileRange;
  docString?: string;
  metadataProps?: StringEntry[];
}

/** Bytes in a file. */
export interface FileRange {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

export interface SparseTensorProto extends Message {
  values?: TensorProto;
  indices?: TensorProto;
  dims: number[];
}

export interface ValueInfo extends Message {
  name: string;
  type?: TypeProto;
  docString?: string;
  metadataProps?: StringEntry[];
}

/** One of the five kinds of type is there; `opaqueType` is a sixth that nobody writes. */
export interface TypeProto extends Message {
  tensorType?: TensorType;
  sequenceType?: { elemType?: TypeProto } & Message;
  mapType?: { keyType?: number; valueType?: TypeProto } & Message;
  optionalType?: { elemType?: TypeProto } & Message;
  sparseTensorType?: TensorType;
  opaqueType?: { domain?: string; name?: string } & Message;
  denotation?: string;
}

export interface TensorType extends Message {
  /** One of `ElementType`. */
  elemType: number;
  /** Absent: not even the number of dimensions is known. */
  shape?: { dim: Dimension[] } & Message;
}

/** A size, a symbol, or neither: unknown. */
export interface Dimension extends Message {
  dimValue?: number;
  dimParam?: string;
  denotation?: string;
}

export interface FunctionProto extends Message {
  name: string;
  domain: string;
  overload?: string;
  input: string[];
  output: string[];
  attribute: string[];
  attributeProto?: AttributeProto[];
  node: NodeProto[];
  opsetImport: OperatorSetId[];
  valueInfo?: ValueInfo[];
  docString?: string;
  metadataProps?: StringEntry[];
}

export interface TrainingInfo extends Message {
  initialization?: GraphProto;
  algorithm?: GraphProto;
  initializationBinding: StringEntry[];
  updateBinding: StringEntry[];
}

/** TensorProto.DataType; from 17 on there are kinds of 8 bits and fewer, which this project passes through unread. */
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

/** TensorProto.DataLocation */
export const DataLocation = { default: 0, external: 1 } as const;
