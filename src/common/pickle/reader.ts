import { CheckpointError } from '../errors.ts';

/** Longest text on a line of a protocol 0 instruction, and longest int in bytes: Python's own limit is 4,300 digits. */
const MAX_LINE = 4300;
/** Longest str unless the dialect says. Checkpoints hold names; whole source files were stored by PyTorch before 1.6. */
const MAX_STRING = 16 << 20;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads the operands of pickle instructions, never past the end. Every error names the byte of the instruction at work. */
export class PickleReader {
  position: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #where: string;
  readonly #maxString: number;
  #instruction: number;

  /**
   * @param where the file, and the place in it, for messages
   * @param maxString longest str in bytes
   */
  constructor(bytes: Uint8Array, start: number, where: string, maxString = MAX_STRING) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#where = where;
    this.#maxString = maxString;
    this.#instruction = start;
    this.position = start;
  }

  fail(problem: string, remedy?: string): never {
    throw new CheckpointError(`${this.#where} at byte ${this.#instruction}`, problem, remedy);
  }

  get remaining(): number {
    return this.#bytes.length - this.position;
  }

  opcode(): number {
    this.#instruction = this.position;
    return this.uint8();
  }

  uint8(): number {
    return this.#bytes[this.#advance(1)];
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  /** An 8-byte length. Those beyond 2^53 are rounded, which is still beyond the end of any file. */
  uint64(): number {
    return Number(this.#view.getBigUint64(this.#advance(8), true));
  }

  /** A double, which pickles store big-endian. */
  float64(): number {
    return this.#view.getFloat64(this.#advance(8));
  }

  /** A copy of the next `length` bytes. */
  take(length: number): Uint8Array {
    const start = this.#advance(length);
    return new Uint8Array(this.#bytes.subarray(start, start + length));
  }

  /** An int of `length` bytes, two's complement, little-endian. */
  long(length: number): number | bigint {
    if (length > MAX_LINE) this.fail(`holds an int of ${length} bytes`);
    const bytes = this.take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
    return narrow(BigInt.asIntN(8 * length, value));
  }

  /** An int in decimal digits on a line of its own; Python 2 appends an L to its longs. */
  decimal(): number | bigint {
    const line = this.line().replace(/L$/, '');
    if (!/^[+-]?\d+$/.test(line)) this.fail('holds an int that is not written in digits');
    return narrow(BigInt(line));
  }

  /** ASCII or Latin-1 text up to the end of the line, without it. */
  line(longest = MAX_LINE): string {
    const end = this.#bytes.subarray(this.position, this.position + longest).indexOf(0x0a);
    if (end < 0) this.fail('is cut short, or holds a line without end');
    const text = this.latin1(end);
    this.position++;
    return text;
  }

  /** A line that holds a str, which in protocol 0 may be the bytes of an array. */
  textLine(): string {
    return this.line(this.#maxString);
  }

  /** Text of Python 2's str: one character a byte, so that binary data survives. */
  latin1(length: number): string {
    const { buffer, byteOffset } = this.#string(length);
    return Buffer.from(buffer, byteOffset, length).toString('latin1');
  }

  utf8(length: number): string {
    const bytes = this.#string(length);
    try {
      return utf8.decode(bytes);
    } catch {
      return this.fail('holds a str that is not valid UTF-8');
    }
  }

  #string(length: number): Uint8Array {
    if (length > this.#maxString)
      this.fail(`holds a str of ${length} bytes, more than the ${this.#maxString} allowed`);
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  #advance(length: number): number {
    const start = this.position;
    if (length > this.remaining)
      this.fail(
        `is cut short: ${length} bytes were expected and ${this.remaining} are left`,
        'download or copy it again',
      );
    this.position += length;
    return start;
  }
}

/** Python's ints have no bounds: `number` where it is exact, else `bigint`. */
function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
