import { isUtf8 } from 'node:buffer';

/**
 * Many names in little memory: a million paths take some 30 MB, a third of what as many strings do.
 * Kept as the bytes that they are, mostly UTF-8, whose order is that of Python's `sorted()`.
 */
export class Names {
  #bytes = Buffer.alloc(1 << 12);
  /** Where each name ends. */
  #ends = new Float64Array(1 << 8);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(name: string | Uint8Array): void {
    const start = this.#start(this.#length);
    // A UTF-16 unit has at most three bytes in UTF-8.
    while (start + 3 * name.length > this.#bytes.length) this.#bytes = grown(this.#bytes, Buffer.alloc);
    if (this.#length === this.#ends.length)
      this.#ends = grown(this.#ends, (length) => new Float64Array(length));
    if (typeof name === 'string') this.#ends[this.#length++] = start + this.#bytes.write(name, start);
    else {
      this.#bytes.set(name, start);
      this.#ends[this.#length++] = start + name.length;
    }
  }

  /** A name as text. Bytes that are no UTF-8 are shown by their numbers, `caf\xe9.png`, so that names stay apart. */
  at(index: number): string {
    return nameText(this.#bytes.subarray(this.#start(index), this.#ends[index]));
  }

  /** A name as the bytes that it is, which its text cannot give back; undefined where the text is the name. */
  bytes(index: number): Buffer | undefined {
    const bytes = this.#bytes.subarray(this.#start(index), this.#ends[index]);
    return isUtf8(bytes) ? undefined : bytes;
  }

  /** The numbers of all names. */
  *keys(): Generator<number> {
    for (let i = 0; i < this.#length; i++) yield i;
  }

  /** Below zero where name `a` comes before name `b`. */
  compare(a: number, b: number): number {
    const bytes = this.#bytes;
    let i = this.#start(a);
    let j = this.#start(b);
    const endA = this.#ends[a];
    const endB = this.#ends[b];
    for (; i < endA && j < endB; i++, j++) if (bytes[i] !== bytes[j]) return bytes[i] - bytes[j];
    return endA - i - (endB - j);
  }

  #start(index: number): number {
    return index === 0 ? 0 : this.#ends[index - 1];
  }
}

/** Text of a name's bytes; those that are no UTF-8 as `\xe9`. */
export function nameText(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (isUtf8(buffer)) return buffer.toString('utf8');
  let text = '';
  for (let at = 0; at < buffer.length; ) {
    // A character has one to four bytes.
    const length = [1, 2, 3, 4].find((bytes) => isUtf8(buffer.subarray(at, at + bytes))) ?? 0;
    text += length ? buffer.toString('utf8', at, at + length) : `\\x${buffer[at].toString(16)}`;
    at += length || 1;
  }
  return text;
}

function grown<T extends Uint8Array | Float64Array>(old: T, make: (length: number) => T): T {
  const larger = make(2 * old.length);
  larger.set(old);
  return larger;
}
