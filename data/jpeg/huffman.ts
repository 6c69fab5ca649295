/** Bits by which a code is looked up; longer ones are rare. */
const LOOKUP_BITS = 10;
const LONGEST = 16;

/** Int32 of a table as jpeg-kernels.wat reads it. */
export const tableLength = (1 << LOOKUP_BITS) + 2 * (LONGEST + 1) + 64;

/** Most files have the tables that the standard gives as examples; this many are remembered. */
const REMEMBERED = 16;
const known = new Map<string, Int32Array | undefined>();

/**
 * Makes a table of the codes that a JPEG defines (ITU T.81, annex C): an entry for each of 1,024 beginnings, 0 where the
 * code is longer or there is none. Behind them, by length, the first 16 bits that are beyond its codes, and what to add
 * to a code for its place among the symbols; then the symbols.
 *
 * @param definition 16 counts of codes, by length, and their symbols
 * @returns undefined where there can be no such codes
 */
export function huffmanTable(definition: Uint8Array): Int32Array | undefined {
  const key = String.fromCharCode(...definition);
  if (known.has(key)) return known.get(key);
  const table = compute(definition);
  known.set(key, table);
  if (known.size > REMEMBERED) known.delete(known.keys().next().value!);
  return table;
}

function compute(definition: Uint8Array): Int32Array | undefined {
  const symbols = definition.subarray(LONGEST);
  const table = new Int32Array(tableLength);
  const limits = table.subarray(1 << LOOKUP_BITS);
  const offsets = limits.subarray(LONGEST + 1);
  new Uint8Array(offsets.buffer, offsets.byteOffset + 4 * (LONGEST + 1)).set(symbols);
  let code = 0;
  let place = 0;
  for (let length = 1; length <= LONGEST; length++, code <<= 1) {
    offsets[length] = place - code;
    for (let i = 0; i < definition[length - 1]; i++, code++, place++)
      if (length <= LOOKUP_BITS) {
        const spare = LOOKUP_BITS - length;
        table.fill(entryOf(length, symbols[place]), code << spare, (code + 1) << spare);
      }
    if (code > 1 << length) return undefined;
    limits[length] = code << (LONGEST - length);
  }
  return table;
}

/**
 * An entry's lowest byte is the number of bits of the code and of the value behind it, as the symbol's lower half says;
 * above it are the symbol, and the number of bits of the code alone.
 */
function entryOf(length: number, symbol: number): number {
  return (length + (symbol & 15)) | (symbol << 8) | (length << 16);
}
