import type { Rows } from './training.ts';

/**
 * A quantile of all numbers of a stream, exact, in a few hundred kilobytes: the numbers are counted by the upper half of
 * their bits, then those of the wanted upper halves by the lower one. Between two numbers it is interpolated, as NumPy's
 * `percentile` does.
 *
 * @param stream yields the same blocks each time; no number is NaN
 * @param share [0, 1]
 */
export function quantile(stream: () => Iterable<Pick<Rows, 'values'>>, share: number): number {
  const { counts: upper, total } = countUpper(stream());
  const place = share * (total - 1);
  const ranks = [Math.floor(place), Math.ceil(place)];
  const places = ranks.map((rank) => placeOf(upper, rank));
  const lower = new Map(places.map(({ bin }) => [bin, new Float64Array(1 << 16)]));
  for (const { values } of stream())
    for (const [bin, counts] of lower) countLower(bitsOf(values), bin, counts);
  const [below, above] = places.map(({ bin, rest }) =>
    numberOf(((bin << 16) | placeOf(lower.get(bin)!, rest).bin) >>> 0),
  );
  return below + (place - ranks[0]) * (above - below);
}

function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

/** So many numbers at most are counted in 32 bits. */
const MOST = 2 ** 31;

/** Counts by the upper half; in two tables by turns, since many numbers in a row may be the same: 0, behind a ReLU. */
function countUpper(blocks: Iterable<Pick<Rows, 'values'>>): { counts: Float64Array; total: number } {
  const counts = new Float64Array(1 << 16);
  const even = new Uint32Array(1 << 16);
  const odd = new Uint32Array(1 << 16);
  let [total, waiting] = [0, 0];
  const collect = () => {
    for (let bin = 0; bin < counts.length; bin++) counts[bin] += even[bin] + odd[bin];
    even.fill(0);
    odd.fill(0);
    waiting = 0;
  };
  for (const { values } of blocks) {
    const bits = bitsOf(values);
    if (waiting + bits.length > MOST) collect();
    const whole = bits.length & ~1;
    for (let i = 0; i < whole; i += 2) {
      even[ordered(bits[i]) >>> 16]++;
      odd[ordered(bits[i + 1]) >>> 16]++;
    }
    if (whole < bits.length) even[ordered(bits[whole]) >>> 16]++;
    waiting += bits.length;
    total += bits.length;
  }
  collect();
  return { counts, total };
}

/** Counts, by the lower half, those whose upper half is this. */
function countLower(bits: Uint32Array, bin: number, counts: Float64Array): void {
  for (let i = 0; i < bits.length; i++) {
    const key = ordered(bits[i]);
    if (key >>> 16 === bin) counts[key & 0xffff]++;
  }
}

/** A float32's bits as an integer of the same order. */
function ordered(bits: number): number {
  return (bits ^ ((bits >> 31) | 0x80000000)) >>> 0;
}

function numberOf(key: number): number {
  const bits = key >>> 31 ? key & 0x7fffffff : ~key >>> 0;
  return new Float32Array(Uint32Array.of(bits).buffer)[0];
}

/** The bin that holds what has this rank, and the rank within it. */
function placeOf(counts: Float64Array, rank: number): { bin: number; rest: number } {
  let rest = rank;
  let bin = 0;
  while (rest >= counts[bin]) rest -= counts[bin++];
  return { bin, rest };
}
