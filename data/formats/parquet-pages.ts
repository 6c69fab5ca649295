import zlib from 'node:zlib';
import type { ColumnMetaData, SchemaTree } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { decompressPage } from 'hyparquet/src/datapage.js';
import { deltaBinaryUnpack, deltaByteArray, deltaLengthByteArray } from 'hyparquet/src/delta.js';
import { readRleBitPackedHybrid } from 'hyparquet/src/encoding.js';
import { readPlain } from 'hyparquet/src/plain.js';
import { getMaxDefinitionLevel, getMaxRepetitionLevel } from 'hyparquet/src/schema.js';
import { decompressLz4, decompressLz4Raw, decompressZstd } from 'hyparquet-compressors';

/*
 * The pages of a column chunk (https://parquet.apache.org/docs/file-format/data-pages/), read by hyparquet's decoders one by
 * one: its own way through a file leaves promises to themselves, and believes the sizes and counts that pages claim.
 */

/** Of what a chunk's pages unpack to. */
const maxBytes = 1 << 29;
/** No compression packs more into a byte. */
const maxRatio = 1 << 15;
/** Of the blocks that differences are packed in; writers take 128 values and 4 parts. */
const maxBlock = 1 << 16;

/** Node has Zstandard from 22.15 on, and it is faster. */
const { zstdDecompressSync } = zlib as typeof zlib & {
  zstdDecompressSync?: (bytes: Uint8Array, options: object) => Uint8Array;
};

/** Snappy, by which most files are packed, is hyparquet's own. */
const compressors = {
  GZIP: (bytes: Uint8Array, length: number) => zlib.gunzipSync(bytes, { maxOutputLength: length || 1 }),
  BROTLI: (bytes: Uint8Array, length: number) =>
    zlib.brotliDecompressSync(bytes, { maxOutputLength: length || 1 }),
  ZSTD: (bytes: Uint8Array, length: number) =>
    zstdDecompressSync
      ? zstdDecompressSync(bytes, { maxOutputLength: length || 1 })
      : decompressZstd(bytes, new Uint8Array(length)),
  LZ4: decompressLz4,
  LZ4_RAW: decompressLz4Raw,
};

/** A place in bytes, as hyparquet's decoders take it. */
interface Reader {
  readonly view: DataView;
  offset: number;
}

type Values = ArrayLike<unknown>;

/**
 * The values of a column chunk; null where there is none.
 *
 * @param path of the schema's elements from its root to the column
 * @param count of the rows that the chunk is of
 * @throws Error where it is damaged, holds lists, or is packed in a way that is not read
 */
export function readColumnChunk(
  bytes: Uint8Array,
  { codec, type }: ColumnMetaData,
  path: SchemaTree[],
  count: number,
): unknown[] {
  if (getMaxRepetitionLevel(path) > 0) throw new Error('a column of lists');
  const reader = readerOf(bytes);
  const values: unknown[] = [];
  let dictionary: Values | undefined;
  let budget = Math.min(maxBytes, maxRatio * bytes.length);
  while (values.length < count) {
    const header = parquetHeader(reader);
    const packed = header.compressed_page_size;
    const unpacked = header.uncompressed_page_size;
    if (!(packed >= 0 && reader.offset + packed <= bytes.length)) throw new Error('a page is cut short');
    if (!(unpacked >= 0 && (budget -= unpacked) >= 0)) throw new Error(`a page of ${unpacked} bytes`);
    const content = bytes.subarray(reader.offset, reader.offset + packed);
    reader.offset += packed;
    const { data_page_header: v1, data_page_header_v2: v2, dictionary_page_header: words } = header;
    if (header.type === 'DICTIONARY_PAGE' && words) {
      const page = readerOf(decompressPage(content, unpacked, codec, compressors));
      dictionary = plainValues(page, type, words.num_values, path);
    } else if (header.type === 'DATA_PAGE' && v1) {
      const page = readerOf(decompressPage(content, unpacked, codec, compressors));
      const levels = levelsOf(page, path, v1.num_values, count);
      append(values, levels, decode(page, v1.encoding, presentOf(levels, path, v1.num_values)));
    } else if (header.type === 'DATA_PAGE_V2' && v2) {
      const { definition_levels_byte_length: before, repetition_levels_byte_length: none } = v2;
      if (none !== 0 || !(before >= 0 && before <= packed))
        throw new Error('the levels of a page are damaged');
      const levels = levelsOf(readerOf(content.subarray(0, before)), path, v2.num_values, count, before);
      const rest = content.subarray(before);
      // Of no values nothing is packed.
      const isPacked = v2.is_compressed !== false && unpacked > before;
      const page = isPacked ? decompressPage(rest, unpacked - before, codec, compressors) : rest;
      append(values, levels, decode(readerOf(page), v2.encoding, presentOf(levels, path, v2.num_values)));
    } else if (header.type !== 'INDEX_PAGE') throw new Error(`a page of type ${header.type}`);
  }
  if (values.length > count) throw new Error(`${values.length} values in ${count} rows`);
  return values;

  function decode(page: Reader, encoding: string, present: number): Values {
    if (encoding === 'PLAIN') return plainValues(page, type, present, path);
    if (encoding === 'PLAIN_DICTIONARY' || encoding === 'RLE_DICTIONARY') {
      if (!dictionary) throw new Error('a page lacks its dictionary');
      const width = present === 0 ? 0 : page.view.getUint8(page.offset++);
      const places = runs(page, width, present, page.view.byteLength - page.offset);
      return Array.from(places, (place) => {
        if (!(place < dictionary!.length)) throw new Error('a value is not in its dictionary');
        return dictionary![place];
      });
    }
    if (present === 0) return [];
    checkBlocks(page);
    const texts = new Array<Uint8Array>(present);
    if (encoding === 'DELTA_LENGTH_BYTE_ARRAY') deltaLengthByteArray(page, present, texts);
    else if (encoding === 'DELTA_BYTE_ARRAY') deltaByteArray(page, present, texts);
    else if (encoding !== 'DELTA_BINARY_PACKED') throw new Error(`the encoding ${encoding}`);
    else {
      const numbers = type === 'INT32' ? new Int32Array(present) : new BigInt64Array(present);
      deltaBinaryUnpack(page, present, numbers);
      return numbers;
    }
    return texts;
  }
}

function readerOf(bytes: Uint8Array): Reader {
  return { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
}

/** Values as they are, of which each takes a bit at least. */
function plainValues(page: Reader, type: ColumnMetaData['type'], count: number, path: SchemaTree[]): Values {
  if (!(count >= 0 && count <= 8 * page.view.byteLength)) throw new Error(`a page of ${count} values`);
  return readPlain(page, type, count, path.at(-1)!.element.type_length);
}

/** Whether each row has a value, by the depth to which it is there; undefined where all have to. */
function levelsOf(
  page: Reader,
  path: SchemaTree[],
  count: number,
  rows: number,
  length?: number,
): ArrayLike<number> | undefined {
  if (!(count >= 0 && count <= rows)) throw new Error(`a page of ${count} values for ${rows} rows`);
  const deepest = getMaxDefinitionLevel(path);
  return deepest === 0 ? undefined : runs(page, 32 - Math.clz32(deepest), count, length);
}

function presentOf(levels: ArrayLike<number> | undefined, path: SchemaTree[], count: number): number {
  if (!levels) return count;
  const deepest = getMaxDefinitionLevel(path);
  return Array.from(levels).filter((level) => level === deepest).length;
}

function append(values: unknown[], levels: ArrayLike<number> | undefined, present: Values): void {
  if (!levels || levels.length === present.length) {
    for (let i = 0; i < present.length; i++) values.push(present[i]);
    return;
  }
  const deepest = Array.from(levels).reduce((a, b) => Math.max(a, b), 0);
  for (let i = 0, next = 0; i < levels.length; i++)
    values.push(levels[i] === deepest && next < present.length ? present[next++] : null);
}

/**
 * Numbers of `width` bits in runs, each of one that is repeated or of packed ones.
 *
 * @param length of the runs in bytes; where it is not given they say it themselves
 */
function runs(page: Reader, width: number, count: number, length?: number): ArrayLike<number> {
  const start = page.offset + (length === undefined ? 4 : 0);
  const end = length === undefined ? start + page.view.getUint32(page.offset, true) : start + length;
  if (end > page.view.byteLength || width > 32) throw new Error('the levels of a page are damaged');
  // A run may claim any number of repetitions.
  for (let at = start, seen = 0; seen < count; ) {
    let header = 0;
    for (let shift = 0, more = true; more; shift += 7) {
      const byte = page.view.getUint8(at++);
      header += (byte & 127) * 2 ** shift;
      more = byte > 127 && shift < 28;
    }
    const isPacked = header % 2 === 1;
    const some = Math.floor(header / 2);
    seen += isPacked ? 8 * some : some;
    at += isPacked ? some * width : Math.ceil(width / 8);
    // Packed ones are filled up to eight, and by some writers to more: they have bytes for it.
    if (some === 0 || at > end + 8 || (!isPacked && seen > count)) throw new Error('a run is damaged');
  }
  const numbers = width === 0 ? new Uint8Array(count) : new Array<number>(count);
  if (width > 0) readRleBitPackedHybrid(page, width, numbers, length);
  page.offset = end;
  return numbers;
}

/** The head of packed differences: the size of a block, and of how many parts it is. */
function checkBlocks({ view, offset }: Reader): void {
  for (const limit of [maxBlock, 1 << 10]) {
    let value = 0;
    for (let shift = 0, more = true; more && shift < 35; shift += 7) {
      const byte = view.getUint8(offset++);
      value += (byte & 127) * 2 ** shift;
      more = byte > 127;
    }
    if (value === 0 || value > limit) throw new Error(`differences in blocks of ${value}`);
  }
}
