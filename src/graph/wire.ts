import protobuf from 'protobufjs/light.js';
import type { Int64 } from './onnx.ts';

type Long = ReturnType<protobuf.Reader['int64']>;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * protobufjs' reader, which keeps unknown fields, gives 64-bit integers as `Int64`, and throws at damaged text where the
 * plain one would put replacement characters into names.
 */
export class OnnxReader extends protobuf.Reader {
  constructor(bytes: Uint8Array) {
    super(bytes);
    this.discardUnknown = false;
  }

  override int64(): Long {
    return toInt64(super.int64());
  }

  override uint64(): Long {
    return toInt64(super.uint64());
  }

  override string(): string {
    return utf8.decode(this.bytes());
  }
}

/** protobufjs' writer, which takes `Int64` (the plain one writes a bigint as 0). */
export class OnnxWriter extends protobuf.Writer {
  override int64(value: Int64 | Long | string): this {
    return super.int64(fromInt64(value)) as this;
  }

  override uint64(value: Int64 | Long | string): this {
    return super.uint64(fromInt64(value)) as this;
  }

  override int64s(values: (Int64 | Long | string)[]): this {
    return super.int64s(values.map(fromInt64)) as this;
  }

  override uint64s(values: (Int64 | Long | string)[]): this {
    return super.uint64s(values.map(fromInt64)) as this;
  }
}

/** The generated decoders store whatever the reader gives, so only the compiler needs to be told that it is a Long. */
function toInt64({ high, low, unsigned }: Long): Long {
  const top = unsigned ? high >>> 0 : high;
  const value = top * 2 ** 32 + (low >>> 0);
  const exact = Number.isSafeInteger(value) ? value : (BigInt(top) << 32n) | BigInt(low >>> 0);
  return exact as unknown as Long;
}

function fromInt64(value: Int64 | Long | string): number | Long | string {
  if (typeof value !== 'bigint') return value;
  // protobufjs looks at the two halves alone.
  return {
    low: Number(BigInt.asIntN(32, value)),
    high: Number(BigInt.asIntN(32, value >> 32n)),
    unsigned: false,
  } as Long;
}
