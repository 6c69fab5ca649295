import { bytesPerElement, type DType } from '../../src/common/tensor.ts';

/** The element types that are read and written, and the storage class that PyTorch saves each under. */
const storageNames: Readonly<Record<DType, string>> = {
  float64: 'DoubleStorage',
  float32: 'FloatStorage',
  float16: 'HalfStorage',
  bfloat16: 'BFloat16Storage',
  int64: 'LongStorage',
  int32: 'IntStorage',
  int16: 'ShortStorage',
  int8: 'CharStorage',
  uint8: 'ByteStorage',
  bool: 'BoolStorage',
};

/** Element types that PyTorch has and this project has not, with their sizes: legacy files need them to find what follows. */
const foreignStorages: Readonly<Record<string, readonly [dtype: string, bytes: number]>> = {
  ComplexFloatStorage: ['complex64', 8],
  ComplexDoubleStorage: ['complex128', 16],
  QUInt8Storage: ['quint8', 1],
  QInt8Storage: ['qint8', 1],
  QInt32Storage: ['qint32', 4],
  QUInt4x2Storage: ['quint4x2', 1],
  QUInt2x4Storage: ['quint2x4', 1],
  UntypedStorage: ['untyped', 1],
};

const foreignDtypes = [
  'complex32',
  'complex64',
  'complex128',
  'uint16',
  'uint32',
  'uint64',
  'float8_e4m3fn',
  'float8_e4m3fnuz',
  'float8_e5m2',
  'float8_e5m2fnuz',
  'float8_e8m0fnu',
  'float4_e2m1fn_x2',
  'qint8',
  'quint8',
  'qint32',
  'quint4x2',
  'quint2x4',
];

/** What a storage class holds: PyTorch's name of the element type, and its size in bytes. */
export interface StorageType {
  readonly dtype: string;
  readonly bytes: number;
}

/** Every storage class that a checkpoint may name. */
export const storageTypes: ReadonlyMap<string, StorageType> = new Map([
  ...Object.entries(storageNames).map(
    ([dtype, name]) => [name, { dtype, bytes: bytesPerElement(dtype as DType) }] as const,
  ),
  ...Object.entries(foreignStorages).map(([name, [dtype, bytes]]) => [name, { dtype, bytes }] as const),
]);

/** Every `torch.dtype` that a checkpoint may name. */
export const dtypeNames: readonly string[] = [...Object.keys(storageNames), ...foreignDtypes];

export function isDType(name: string): name is DType {
  return Object.hasOwn(storageNames, name);
}

/** The class that `torch.save` names for a storage of `dtype`. */
export function storageName(dtype: DType): string {
  return storageNames[dtype];
}
