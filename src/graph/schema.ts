import protobuf from 'protobufjs/light.js';
import type { Message } from './onnx.ts';

/**
 * The messages of the ONNX IR specification (IR version 14), one field a line: number, name, type.
 * `[]` is repeated, `[packed]` repeated in one block. Enumerations are int32 here, so that members newer than this table
 * come through; singular fields all keep whether they are there (proto2).
 */
const messages = {
  ModelProto: `
    1 irVersion int64
    2 producerName string
    3 producerVersion string
    4 domain string
    5 modelVersion int64
    6 docString string
    7 graph GraphProto
    8 opsetImport OperatorSetId[]
    14 metadataProps StringEntry[]
    20 trainingInfo TrainingInfo[]
    25 functions FunctionProto[]
    26 configuration DeviceConfiguration[]`,
  GraphProto: `
    1 node NodeProto[]
    2 name string
    5 initializer TensorProto[]
    10 docString string
    11 input ValueInfo[]
    12 output ValueInfo[]
    13 valueInfo ValueInfo[]
    14 quantizationAnnotation TensorAnnotation[]
    15 sparseInitializer SparseTensorProto[]
    16 metadataProps StringEntry[]`,
  NodeProto: `
    1 input string[]
    2 output string[]
    3 name string
    4 opType string
    5 attribute AttributeProto[]
    6 docString string
    7 domain string
    8 overload string
    9 metadataProps StringEntry[]
    10 deviceConfigurations NodeDeviceConfiguration[]`,
  AttributeProto: `
    1 name string
    2 f float
    3 i int64
    4 s bytes
    5 t TensorProto
    6 g GraphProto
    7 floats float[]
    8 ints int64[]
    9 strings bytes[]
    10 tensors TensorProto[]
    11 graphs GraphProto[]
    13 docString string
    14 tp TypeProto
    15 typeProtos TypeProto[]
    20 type int32
    21 refAttrName string
    22 sparseTensor SparseTensorProto
    23 sparseTensors SparseTensorProto[]`,
  TensorProto: `
    1 dims int64[]
    2 dataType int32
    3 segment Segment
    4 floatData float[packed]
    5 int32Data int32[packed]
    6 stringData bytes[]
    7 int64Data int64[packed]
    8 name string
    9 rawData bytes
    10 doubleData double[packed]
    11 uint64Data uint64[packed]
    12 docString string
    13 externalData StringEntry[]
    14 dataLocation int32
    16 metadataProps StringEntry[]`,
  SparseTensorProto: `
    1 values TensorProto
    2 indices TensorProto
    3 dims int64[]`,
  ValueInfo: `
    1 name string
    2 type TypeProto
    3 docString string
    4 metadataProps StringEntry[]`,
  TypeProto: `
    1 tensorType TensorType
    4 sequenceType ElementOf
    5 mapType MapType
    6 denotation string
    7 opaqueType OpaqueType
    8 sparseTensorType TensorType
    9 optionalType ElementOf`,
  TensorType: `
    1 elemType int32
    2 shape TensorShape`,
  ElementOf: `
    1 elemType TypeProto`,
  MapType: `
    1 keyType int32
    2 valueType TypeProto`,
  OpaqueType: `
    1 domain string
    2 name string`,
  TensorShape: `
    1 dim Dimension[]`,
  Dimension: `
    1 dimValue int64
    2 dimParam string
    3 denotation string`,
  FunctionProto: `
    1 name string
    4 input string[]
    5 output string[]
    6 attribute string[]
    7 node NodeProto[]
    8 docString string
    9 opsetImport OperatorSetId[]
    10 domain string
    11 attributeProto AttributeProto[]
    12 valueInfo ValueInfo[]
    13 overload string
    14 metadataProps StringEntry[]`,
  TrainingInfo: `
    1 initialization GraphProto
    2 algorithm GraphProto
    3 initializationBinding StringEntry[]
    4 updateBinding StringEntry[]`,
  OperatorSetId: `
    1 domain string
    2 version int64`,
  StringEntry: `
    1 key string
    2 value string`,
  TensorAnnotation: `
    1 tensorName string
    2 quantParameterTensorNames StringEntry[]`,
  Segment: `
    1 begin int64
    2 end int64`,
  DeviceConfiguration: `
    1 name string
    2 numDevices int32
    3 device string[]`,
  NodeDeviceConfiguration: `
    1 configurationId string
    2 shardingSpec ShardingSpec[]
    3 pipelineStage int32`,
  ShardingSpec: `
    1 tensorName string
    2 device int64[]
    3 indexToDeviceGroupMap IntIntListEntry[]
    4 shardedDim ShardedDim[]`,
  IntIntListEntry: `
    1 key int64
    2 value int64[]`,
  ShardedDim: `
    1 axis int64
    2 simpleSharding SimpleShardedDim[]`,
  SimpleShardedDim: `
    1 dimValue int64
    2 dimParam string
    3 numShards int64`,
};

export type MessageName = keyof typeof messages;

const root = protobuf.Root.fromJSON({
  nested: Object.fromEntries(
    Object.entries(messages).map(([name, table]) => [name, { edition: 'proto2', fields: fieldsOf(table) }]),
  ),
} as protobuf.INamespace);

/** protobufjs' encoder and decoder of a message. */
export function messageType(name: MessageName): protobuf.Type {
  return root.lookupType(name);
}

/** A protobuf message is at most this many bytes long; larger models keep their weights in external data. */
export const LARGEST_MESSAGE = 2 ** 31 - 1;

/**
 * A copy of a message and all messages in it. Arrays of numbers and bytes are shared with the original.
 *
 * @param change gets a fresh copy of each message, after those inside it, and gives what takes its place
 */
export function mapMessages<T extends Message>(
  message: T,
  name: MessageName,
  change: (copy: Message, name: MessageName) => Message,
): T {
  return copyMessage(message, messageType(name), change) as T;
}

function copyMessage(
  message: Message,
  type: protobuf.Type,
  change: (copy: Message, name: MessageName) => Message,
): Message {
  const copy: Record<string, unknown> & Message = { ...message };
  // protobufjs hides it from enumeration, and it would be lost in the next copy.
  if (message.$unknowns) copy.$unknowns = message.$unknowns;
  for (const field of type.fieldsArray) {
    const { name, resolvedType } = field;
    const value = copy[name];
    if (!(resolvedType instanceof protobuf.Type) || value === undefined) continue;
    copy[name] = field.repeated
      ? (value as Message[]).map((item) => copyMessage(item, resolvedType, change))
      : copyMessage(value as Message, resolvedType, change);
  }
  return change(copy, type.name as MessageName);
}

function fieldsOf(table: string): Record<string, protobuf.IField> {
  return Object.fromEntries(
    table
      .trim()
      .split('\n')
      .map((line) => {
        const [id, name, type] = line.trim().split(' ');
        const [element, repeated] = type.split('[');
        const rule = repeated ? 'repeated' : 'optional';
        return [name, { id: Number(id), type: element, rule, options: { packed: repeated === 'packed]' } }];
      }),
  );
}
