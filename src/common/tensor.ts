/** Element types of a tensor, with PyTorch's names. */
export type DType =
  | 'float64'
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'bool';

export type TensorData =
  | Float64Array
  | Float32Array
  | Uint16Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array;

/**
 * A dense, contiguous, row-major tensor in this machine's (little-endian) byte order.
 * `float16` and `bfloat16` are kept as their bit patterns in a `Uint16Array`, `bool` as bytes 0 and 1.
 */
export interface Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** A PyTorch state dict: parameters and buffers by their dotted module path, in file order. */
export type StateDict = Map<string, Tensor>;

const arrays = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

/** Bytes of one element. */
export function bytesPerElement(dtype: DType): number {
  return arrays[dtype].BYTES_PER_ELEMENT;
}

/** Number of elements of a shape; 1 for a scalar's empty shape. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Views bytes as the elements of `dtype`, copying them only where their alignment forces it. */
export function viewAs(dtype: DType, bytes: Uint8Array): TensorData {
  const type = arrays[dtype];
  const aligned = bytes.byteOffset % type.BYTES_PER_ELEMENT === 0 ? bytes : Uint8Array.from(bytes);
  return new type(
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    bytes.byteLength / type.BYTES_PER_ELEMENT,
  );
}

/** The tensor's values as float32, whatever its element type; the data itself where it is float32 already. */
export function toFloat32(tensor: Tensor): Float32Array {
  const { dtype, data } = tensor;
  switch (dtype) {
    case 'float32':
      return data as Float32Array;
    case 'bfloat16':
      return new Float32Array(Uint32Array.from(data as Uint16Array, (bits) => bits << 16).buffer);
    case 'float16':
      return Float32Array.from(data as Uint16Array, float16ToNumber);
    case 'int64':
      return Float32Array.from(data as BigInt64Array, Number);
    default:
      return Float32Array.from(data as Float64Array);
  }
}

/** Numbers as IEEE 754 binary16 bits, rounded to the nearest one and half to even; infinite beyond 65,504. */
export function toFloat16(values: Float32Array): Uint16Array {
  return Uint16Array.from(new Uint32Array(values.buffer, values.byteOffset, values.length), float16Bits);
}

/** The binary16 bits of a number that is given by its binary32 bits. */
function float16Bits(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  const exponent = magnitude >>> 23;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (exponent > 112) return sign | ((magnitude + 0xfff + ((magnitude >>> 13) & 1) - 0x38000000) >>> 13);
  // Subnormal: a multiple of 2^-24, and the leading one is written out.
  const shift = 126 - exponent;
  if (shift > 24) return sign;
  const significand = 0x800000 | (magnitude & 0x7fffff);
  const half = (1 << (shift - 1)) - 1 + ((significand >>> shift) & 1);
  return sign | ((significand + half) >>> shift);
}

/** IEEE 754 binary16 bits to the number that they stand for. */
function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
