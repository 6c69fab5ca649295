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
  const upper = new Float64Array(1 << 16);
  let total = 0;
  for (const { values } of stream()) {
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    for (let i = 0; i < bits.length; i++) upper[ordered(bits[i]) >>> 16]++;
    total += bits.length;
  }
  const place = share * (total - 1);
  const ranks = [Math.floor(place), Math.ceil(place)];
  const places = ranks.map((rank) => placeOf(upper, rank));
  const lower = new Map(places.map(({ bin }) => [bin, new Float64Array(1 << 16)]));
  for (const { values } of stream()) {
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    for (let i = 0; i < bits.length; i++) {
      const key = ordered(bits[i]);
      const counts = lower.get(key >>> 16);
      if (counts) counts[key & 0xffff]++;
    }
  }
  const [below, above] = places.map(({ bin, rest }) =>
    numberOf(((bin << 16) | placeOf(lower.get(bin)!, rest).bin) >>> 0),
  );
  return below + (place - ranks[0]) * (above - below);
}

/** A float32's bits as an integer of the same order. */
function ordered(bits: number): number {
  return bits >>> 31 ? ~bits >>> 0 : (bits | 0x80000000) >>> 0;
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
