/**
 * Many names in little memory: a million paths take some 30 MB, a third of what as many strings do.
 * Kept as UTF-8, whose order by bytes is that of Python's `sorted()`.
 */
export class Names {
  #bytes = Buffer.alloc(1 << 12);
  /** Where each name ends. */
  #ends = new Float64Array(1 << 8);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(name: string): void {
    const start = this.#start(this.#length);
    // A UTF-16 unit has at most three bytes in UTF-8.
    while (start + 3 * name.length > this.#bytes.length) this.#bytes = grown(this.#bytes, Buffer.alloc);
    if (this.#length === this.#ends.length)
      this.#ends = grown(this.#ends, (length) => new Float64Array(length));
    this.#ends[this.#length++] = start + this.#bytes.write(name, start);
  }

  at(index: number): string {
    return this.#bytes.toString('utf8', this.#start(index), this.#ends[index]);
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

function grown<T extends Uint8Array | Float64Array>(old: T, make: (length: number) => T): T {
  const larger = make(2 * old.length);
  larger.set(old);
  return larger;
}
