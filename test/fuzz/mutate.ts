import type { RandomState } from '../../src/common/random.ts';

/** Bytes and 32-bit numbers at which readers go wrong: nothing, signs, limits. */
const odd = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff];
const oddWords = [0, 1, 0x7f, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x10000, 0x1000000];

const oddValues = [null, true, 0, -1, 0.5, 1e300, 2 ** 53, '', 'a', '\0\n', [], {}, [null], { '': 0 }];

type Change = (bytes: Buffer, random: RandomState, other: Buffer) => Buffer;

const changes: readonly Change[] = [
  (bytes, random) => write(bytes, place(bytes, random), Buffer.of(random.integer(255))),
  (bytes, random) => write(bytes, place(bytes, random), Buffer.of(odd[random.integer(odd.length - 1)])),
  (bytes, random) => {
    const at = place(bytes, random);
    return write(bytes, at, Buffer.of((bytes[at] ?? 0) ^ (1 << random.integer(7))));
  },
  (bytes, random) => {
    const word = Buffer.alloc(4);
    const value = oddWords[random.integer(oddWords.length - 1)];
    if (random.integer(1)) word.writeUInt32LE(value);
    else word.writeUInt32BE(value);
    return write(bytes, place(bytes, random), word.subarray(0, 1 + random.integer(3)));
  },
  (bytes, random) => {
    const at = place(bytes, random);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.integer(15))]);
  },
  (bytes, random) => {
    const at = place(bytes, random);
    const some = bytes.subarray(at, at + 1 + random.integer(31));
    return Buffer.concat([bytes.subarray(0, at), some, bytes.subarray(at)]);
  },
  (bytes, random) => bytes.subarray(0, random.integer(bytes.length)),
  // A part of another valid file, or of this one.
  (bytes, random, other) => {
    const from = place(other, random);
    return write(bytes, place(bytes, random), other.subarray(from, from + 1 + random.integer(63)));
  },
];

/** A valid file with one to six changes: bytes, numbers, parts taken out, put in twice, or from another file; cut off. */
export function mutated(bytes: Uint8Array, random: RandomState, other: Uint8Array): Buffer {
  let result = Buffer.from(bytes);
  for (let left = random.integer(5); left >= 0; left--)
    if (result.length > 0)
      result = Buffer.from(changes[random.integer(changes.length - 1)](result, random, Buffer.from(other)));
  return result;
}

/** Valid JSON of which one to three values are gone, or others: odd ones, or ones from another place. */
export function mutatedJson(bytes: Uint8Array, random: RandomState): Buffer {
  const whole: Json = { root: JSON.parse(Buffer.from(bytes).toString()) };
  for (let left = random.integer(2); left >= 0; left--) {
    const places = [...placesIn(whole)];
    if (places.length === 0) break;
    const [[holder, key], [otherHolder, otherKey]] = [0, 1].map(
      () => places[random.integer(places.length - 1)],
    );
    const kind = random.integer(3);
    if (kind === 0) delete holder[key];
    else
      holder[key] =
        kind === 1
          ? structuredClone(otherHolder[otherKey])
          : structuredClone(oddValues[random.integer(oddValues.length - 1)]);
  }
  return Buffer.from(JSON.stringify(whole.root ?? null));
}

type Json = Record<string, unknown>;

/** Where each value stands: what holds it, and by which key. */
function* placesIn(holder: Json): Generator<[Json, string]> {
  for (const [key, value] of Object.entries(holder)) {
    yield [holder, key];
    if (typeof value === 'object' && value !== null) yield* placesIn(value as Json);
  }
}

/** Headers stand at the beginning, and in some formats at the end: these are hit as often as all the rest. */
function place({ length }: Uint8Array, random: RandomState): number {
  const near = Math.min(length, 200);
  switch (random.integer(3)) {
    case 0:
      return random.integer(Math.max(0, near - 1));
    case 1:
      return length - near + random.integer(Math.max(0, near - 1));
    default:
      return random.integer(Math.max(0, length - 1));
  }
}

function write(bytes: Buffer, at: number, some: Uint8Array): Buffer {
  bytes.set(some.subarray(0, bytes.length - at), at);
  return bytes;
}
