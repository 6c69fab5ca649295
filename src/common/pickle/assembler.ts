import { opcodes as op } from './opcodes.ts';

/** Writes a pickle instruction by instruction, in protocol 2 as `torch.save` does. Every method returns the assembler. */
export class PickleAssembler {
  readonly #parts: Uint8Array[] = [];

  /** Instructions without operands, by their names, and raw bytes. */
  emit(...parts: (keyof typeof op | Uint8Array)[]): this {
    for (const part of parts) this.#parts.push(typeof part === 'string' ? Uint8Array.of(op[part]) : part);
    return this;
  }

  protocol(version: number): this {
    return this.emit('PROTO', Uint8Array.of(version));
  }

  global(module: string, name: string): this {
    return this.emit('GLOBAL', Buffer.from(`${module}\n${name}\n`));
  }

  string(text: string): this {
    const bytes = Buffer.from(text);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return this.emit('BINUNICODE', length, bytes);
  }

  /** A non-negative safe integer or any bigint of up to 255 bytes. */
  int(value: number | bigint): this {
    if (value >= 0 && value < 256) return this.emit('BININT1', Uint8Array.of(Number(value)));
    const bytes: number[] = [];
    let rest = BigInt(value);
    do {
      bytes.push(Number(rest & 0xffn));
      rest >>= 8n;
    } while ((rest !== 0n && rest !== -1n) || bytes.at(-1)! >> 7 !== (rest < 0n ? 1 : 0));
    return this.emit('LONG1', Uint8Array.of(bytes.length), Uint8Array.from(bytes));
  }

  ints(values: readonly (number | bigint)[]): this {
    this.emit('MARK');
    for (const value of values) this.int(value);
    return this.emit('TUPLE');
  }

  /** The pickle so far. */
  bytes(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}
