/**
 * MT19937 with the derived draws of NumPy's legacy `RandomState`, bit for bit: the original's 70/30 split is
 * `train_test_split(random_state=42)`, which is `RandomState(42).permutation(n)`.
 * Source: Matsumoto and Nishimura 1998; NumPy's `randomkit` for seeding, masked rejection and doubles.
 *
 * @example
 * ```ts
 * import { RandomState } from 'la-ood/methods';
 *
 * console.log(new RandomState(42).permutation(5)); // as numpy.random.RandomState(42).permutation(5)
 * ```
 */
export class RandomState {
  readonly #state = new Uint32Array(624);
  #next = 624;

  /** @param seed an integer in [0, 2^32) */
  constructor(seed: number) {
    const state = this.#state;
    state[0] = seed;
    for (let i = 1; i < 624; i++) {
      const previous = state[i - 1] ^ (state[i - 1] >>> 30);
      state[i] = Math.imul(1812433253, previous) + i;
    }
  }

  /** The next 32 random bits. */
  uint32(): number {
    if (this.#next === 624) this.#refill();
    let bits = this.#state[this.#next++];
    bits ^= bits >>> 11;
    bits ^= (bits << 7) & 0x9d2c5680;
    bits ^= (bits << 15) & 0xefc60000;
    bits ^= bits >>> 18;
    return bits >>> 0;
  }

  /** A double in [0, 1) with 53 random bits, as `random_sample()`. */
  random(): number {
    const high = this.uint32() >>> 5;
    const low = this.uint32() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  /** An integer in [0, max], max < 2^32, by masked rejection. */
  integer(max: number): number {
    if (max === 0) return 0;
    const mask = 0xffffffff >>> Math.clz32(max);
    let value: number;
    do value = (this.uint32() & mask) >>> 0;
    while (value > max);
    return value;
  }

  /** 0 … n-1 in random order, as `permutation(n)`. */
  permutation(n: number): Uint32Array {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i);
      const held = order[i];
      order[i] = order[j];
      order[j] = held;
    }
    return order;
  }

  #spare: number | undefined;

  /** A standard normal number by the polar method, as `standard_normal()`. */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    let x: number;
    let y: number;
    let r: number;
    do {
      x = 2 * this.random() - 1;
      y = 2 * this.random() - 1;
      r = x * x + y * y;
    } while (r >= 1 || r === 0);
    const factor = Math.sqrt((-2 * Math.log(r)) / r);
    this.#spare = factor * x;
    return factor * y;
  }

  #refill(): void {
    const state = this.#state;
    for (let i = 0; i < 624; i++) {
      const bits = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
      state[i] = state[(i + 397) % 624] ^ (bits >>> 1) ^ (bits & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }
}
