import { DataError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import { type ByteSource, memorySource, partOf } from '../files/byte-source.ts';
import { MAX_DEFLATE_RATIO, ZlibReader } from '../files/inflate.ts';

/*
 * MAT-files of level 5 ("MAT-File Format", MathWorks): a header of 128 bytes, then elements, each a tag of its type and
 * size and its data, to the end. An array is an element of elements: flags, dimensions, name, values. Since version 7 it
 * lies in one that is a zlib stream.
 */

const HEADER_BYTES = 128;
const MI_MATRIX = 14;
const MI_COMPRESSED = 15;
/** A compressed array is unpacked whole into memory. SVHN's largest file has 1.6 GB of pixels. */
const MAX_UNPACKED = 2 ** 31;
/** What an array's flags, dimensions and name may take. */
const MAX_DESCRIPTION = 4096;
const REMEDY = 'download it again';

/** The types of elements that hold numbers, and of arrays of them. */
const elementTypes: Readonly<Record<number, string>> = {
  1: 'int8',
  2: 'uint8',
  3: 'int16',
  4: 'uint16',
  5: 'int32',
  6: 'uint32',
  7: 'single',
  9: 'double',
};
const classes: Readonly<Record<number, string>> = {
  1: 'cell',
  2: 'struct',
  3: 'object',
  4: 'char',
  5: 'sparse',
  6: 'double',
  7: 'single',
  8: 'int8',
  9: 'uint8',
  10: 'int16',
  11: 'uint16',
  12: 'int32',
  13: 'uint32',
  14: 'int64',
  15: 'uint64',
};

/** A numeric array. */
export interface MatlabArray {
  readonly name: string;
  /** MATLAB's class: `uint8`, `double`. */
  readonly type: string;
  /** How the values are stored, which may be smaller than the class. */
  readonly stored: string;
  /** The first dimension varies fastest. */
  readonly shape: readonly number[];
  readonly values: ByteSource;
}

/** Whether these bytes begin a MAT-file of level 5 of a little-endian machine. */
export function beginsMatlab(head: Uint8Array): boolean {
  return (
    head.length >= HEADER_BYTES && Buffer.from(head.subarray(124, 128)).toString('latin1') === '\0\x01IM'
  );
}

/**
 * The numeric arrays of a file that have one of these names. Others are passed over.
 *
 * @throws DataError where the file is damaged or cut short
 */
export async function readMatlab(
  source: ByteSource,
  wanted: ReadonlySet<string>,
): Promise<Map<string, MatlabArray>> {
  const found = new Map<string, MatlabArray>();
  for (let position = HEADER_BYTES; position < source.size; ) {
    const tag = Buffer.from(await source.read(position, 8));
    const type = tag.readUInt32LE(0);
    const size = tag.readUInt32LE(4);
    const start = position + 8;
    if (start + size > source.size)
      fail(source, `an element of ${size} bytes at byte ${position} goes beyond its end`);
    const array =
      type === MI_COMPRESSED
        ? await compressed(source, start, start + size, wanted)
        : type === MI_MATRIX
          ? await plain(source, start, size, wanted)
          : fail(source, `the element at byte ${position} is of type ${type}, no array`);
    if (array) found.set(array.name, array);
    position = start + size;
  }
  return found;
}

async function plain(
  source: ByteSource,
  start: number,
  size: number,
  wanted: ReadonlySet<string>,
): Promise<MatlabArray | undefined> {
  const head = Buffer.from(await source.read(start, Math.min(size, MAX_DESCRIPTION)));
  const array = describe(source, head, size);
  if (!wanted.has(array.name)) return undefined;
  return { ...array, values: partOf(source, start + array.start, array.bytes) };
}

async function compressed(
  source: ByteSource,
  start: number,
  end: number,
  wanted: ReadonlySet<string>,
): Promise<MatlabArray | undefined> {
  const reader = new ZlibReader(source, start, end);
  try {
    const tag = Buffer.from(await reader.take(8));
    const size = tag.readUInt32LE(4);
    if (tag.readUInt32LE(0) !== MI_MATRIX) fail(source, `what is compressed at byte ${start} is no array`);
    if (size > MAX_DEFLATE_RATIO * (end - start)) fail(source, `an array claims ${size} bytes`);
    const head = Buffer.from(await reader.take(Math.min(size, MAX_DESCRIPTION)));
    const array = describe(source, head, size);
    if (!wanted.has(array.name)) return undefined;
    if (array.bytes > MAX_UNPACKED) fail(source, `array ${array.name} has ${array.bytes} bytes`);
    const first = head.subarray(array.start, array.start + array.bytes);
    const bytes = new Uint8Array(array.bytes);
    bytes.set(first);
    await reader.fill(bytes.subarray(first.length));
    // Only the end of the stream has its checksum.
    await reader.finish(size - head.length - (array.bytes - first.length));
    return { ...array, values: memorySource(source.where, [bytes]) };
  } finally {
    await reader.close();
  }
}

interface Description extends Omit<MatlabArray, 'values'> {
  /** Where the values begin in the array's element, and how many bytes they are. */
  readonly start: number;
  readonly bytes: number;
}

/** An array's flags, dimensions, name, and the tag of its values. */
function describe(source: ByteSource, head: Buffer, size: number): Description {
  let at = 0;
  const element = () => {
    if (at + 8 > head.length) fail(source, 'an array ends within its description');
    const type = head.readUInt32LE(at);
    // Up to four bytes of data fit into the tag, the upper half of whose type is their number then.
    const isSmall = type > 0xffff;
    const bytes = isSmall ? type >>> 16 : head.readUInt32LE(at + 4);
    const start = at + (isSmall ? 4 : 8);
    at = isSmall ? at + 8 : start + Math.ceil(bytes / 8) * 8;
    if (isSmall && bytes > 4) fail(source, `an element claims to hold ${bytes} bytes in its tag`);
    return { type: type & 0xffff, start, bytes };
  };
  const content = () => {
    const { start, bytes } = element();
    if (start + bytes > head.length) fail(source, 'an array ends within its description');
    return head.subarray(start, start + bytes);
  };
  const flags = content();
  const dimensions = content();
  const name = content().toString('latin1');
  if (flags.length < 8 || dimensions.length % 4 || dimensions.length > 128)
    fail(source, 'an array has no dimensions');
  const type = classes[flags[0]] ?? `class ${flags[0]}`;
  const shape = Array.from({ length: dimensions.length / 4 }, (_, i) => dimensions.readUInt32LE(4 * i));
  // What is no array of numbers is passed over as it is.
  if (flags[0] < 6) return { name, type, stored: '', shape, start: 0, bytes: 0 };
  const values = element();
  if (values.start + values.bytes > size)
    fail(source, `array ${printable(name)} has ${size} bytes and claims ${values.bytes} of values`);
  const stored = elementTypes[values.type] ?? `type ${values.type}`;
  return { name, type, stored, shape, start: values.start, bytes: values.bytes };
}

function fail(source: ByteSource, problem: string): never {
  throw new DataError(source.where, `is a damaged MAT-file: ${problem}`, REMEDY);
}
