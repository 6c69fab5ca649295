import { GraphError } from '../common/errors.ts';
import {
  bytesPerElement,
  type DType,
  elementCount,
  type Tensor,
  type TensorData,
  viewAs,
} from '../common/tensor.ts';
import { readFileRange } from './external.ts';
import { DataLocation, ElementType, type TensorProto } from './onnx.ts';

const elementTypes: Record<DType, number> = {
  float64: ElementType.double,
  float32: ElementType.float,
  float16: ElementType.float16,
  bfloat16: ElementType.bfloat16,
  int64: ElementType.int64,
  int32: ElementType.int32,
  int16: ElementType.int16,
  int8: ElementType.int8,
  uint8: ElementType.uint8,
  bool: ElementType.bool,
};

/** The element type that an ONNX number stands for; undefined where this project does not compute with it. */
export function dtypeOf(elementType: number): DType | undefined {
  return (Object.keys(elementTypes) as DType[]).find((dtype) => elementTypes[dtype] === elementType);
}

/**
 * The tensor that a message holds, from its raw bytes, its typed fields or its external file. Bytes are shared with
 * the message where their alignment allows it.
 *
 * @param where the file, for errors
 * @throws GraphError where the element type is none of `DType`, or bytes and shape disagree
 */
export function tensorFromProto(proto: TensorProto, where: string): Tensor {
  const { name, dims: shape, dataType } = proto;
  const place = `${where}: tensor ${JSON.stringify(name ?? '')}`;
  const dtype = dtypeOf(dataType);
  if (!dtype) throw new GraphError(place, `element type ${elementTypeName(dataType)} is not supported`);
  if (shape.some((size) => size < 0)) throw new GraphError(place, `its shape [${shape}] has a negative size`);

  const bytes = rawBytes(proto, place);
  const data = bytes ? undefined : typedData(proto, dtype);
  const needed = elementCount(shape) * bytesPerElement(dtype);
  const given = (bytes ?? data!).byteLength;
  if (needed !== given)
    throw new GraphError(place, `${dtype} of shape [${shape}] takes ${needed} bytes, and ${given} are there`);
  return { dtype, shape, data: data ?? viewAs(dtype, bytes!) };
}

/** A message that holds a tensor, as raw bytes shared with it. */
export function tensorToProto(name: string, { dtype, shape, data }: Tensor): TensorProto {
  return {
    name,
    dims: [...shape],
    dataType: elementTypes[dtype],
    rawData: new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
    floatData: [],
    int32Data: [],
    int64Data: [],
    doubleData: [],
    uint64Data: [],
    stringData: [],
    externalData: [],
  };
}

function rawBytes(proto: TensorProto, place: string): Uint8Array | undefined {
  if (proto.fileRange) return readFileRange(proto.fileRange);
  if (proto.dataLocation === DataLocation.external)
    throw new GraphError(
      place,
      'its data is in another file, and the model did not come from a file',
      'use readModel',
    );
  return proto.rawData;
}

/** The typed fields of TensorProto; what is narrower than 32 bits, and the bits of half floats, lie in `int32Data`. */
function typedData(proto: TensorProto, dtype: DType): TensorData {
  const { floatData, doubleData, int32Data, int64Data } = proto;
  switch (dtype) {
    case 'float32':
      return Float32Array.from(floatData);
    case 'float64':
      return Float64Array.from(doubleData);
    case 'int64':
      return BigInt64Array.from(int64Data, BigInt);
    case 'int32':
      return Int32Array.from(int32Data);
    case 'int16':
      return Int16Array.from(int32Data);
    case 'int8':
      return Int8Array.from(int32Data);
    case 'float16':
    case 'bfloat16':
      return Uint16Array.from(int32Data);
    case 'uint8':
    case 'bool':
      return Uint8Array.from(int32Data);
  }
}

function elementTypeName(elementType: number): string {
  const known = Object.entries(ElementType).find(([, number]) => number === elementType);
  return known ? known[0] : String(elementType);
}
