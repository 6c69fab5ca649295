import { promisify } from 'node:util';
import { constants, crc32, inflateRaw } from 'node:zlib';
import yauzl from 'yauzl';
import { DataError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import { ZipReader } from '../../src/common/zip-reader.ts';
import { isImageName, KIND_BYTES } from '../image-kind.ts';
import { type ByteSource, memorySource, partOf, readingAhead } from './byte-source.ts';
import { archiveTree, type FileTree, isHidden, memberName } from './file-tree.ts';
import { MAX_DEFLATE_RATIO } from './inflate.ts';
import { Names } from './packed-names.ts';

const inflate = promisify(inflateRaw);

const STORED = 0;
const DEFLATED = 8;
/** General purpose flags: encryption of three kinds. */
const encrypted = 0x0001 | 0x0040 | 0x2000;
const LOCAL_HEADER_BYTES = 30;
/** The end of the central directory: how it begins, and its size without its comment. */
const endRecord = Buffer.from('PK\x05\x06', 'latin1');
const END_RECORD_BYTES = 22;
/** A file in an archive is unpacked whole into memory. */
const maxFileBytes = 1 << 30;

/**
 * The files in a zip archive, unpacked into memory one at a time as they are read, and compared with their CRC-32.
 *
 * @throws DataError where the archive is damaged, encrypted, a bomb, or holds names that lead out of it
 */
export async function openZip(archive: ByteSource): Promise<FileTree> {
  const names = new Names();
  // What is stored twice is there once when it is unpacked: the last counts.
  const places = new Map<string, number>();
  // By column, since an archive may hold a million files.
  const headers: number[] = [];
  const packed: number[] = [];
  const sizes: number[] = [];
  const sums: number[] = [];
  const methods: number[] = [];
  // A file that is not looked at does not matter: each is judged when it is read.
  const problems = new Map<number, Problem>();
  for await (const entry of entries(archive)) {
    const name = memberName(archive.where, entry.fileName);
    if (name.endsWith('/') || isHidden(name)) continue;
    const place = places.get(name) ?? names.length;
    if (place === names.length) names.add(name);
    places.set(name, place);
    headers[place] = entry.relativeOffsetOfLocalHeader;
    packed[place] = entry.compressedSize;
    sizes[place] = entry.uncompressedSize;
    sums[place] = entry.crc32;
    methods[place] = entry.compressionMethod;
    const problem = problemOf(archive, entry);
    if (problem) problems.set(place, problem);
    else problems.delete(place);
  }
  const describe = (index: number) => `${archive.where}: ${printable(names.at(index))}`;
  const check = (index: number) => {
    const problem = problems.get(index);
    if (problem) throw new DataError(describe(index), ...problem);
  };
  const open = async (index: number) => {
    check(index);
    const where = describe(index);
    const content = await packedBytes(archive, where, headers[index], packed[index]);
    const bytes = methods[index] === STORED ? content : await unpack(where, content, sizes[index]);
    if (bytes.length !== sizes[index] || crc32(bytes) !== sums[index])
      throw new DataError(where, 'is damaged: its CRC-32 is wrong', 'download the archive again');
    return memorySource(where, [bytes]);
  };
  // So much of it as tells the kind is unpacked of a file that may be none of the images.
  const head = async (index: number) => {
    check(index);
    const content = await packedBytes(archive, describe(index), headers[index], Math.min(packed[index], 512));
    return methods[index] === STORED
      ? content.subarray(0, KIND_BYTES)
      : inflate(content, { finishFlush: constants.Z_SYNC_FLUSH }).catch(() => new Uint8Array([0]));
  };
  return { ...archiveTree(archive, names, open), head };
}

/** Whether these bytes begin a zip archive, be it an empty one. */
export function beginsZip(head: Uint8Array): boolean {
  const magic = Buffer.from(head.subarray(0, 4)).toString('hex');
  return magic === '504b0304' || magic === '504b0506';
}

async function* entries(file: ByteSource): AsyncGenerator<yauzl.Entry> {
  const archive = await withoutTrailer(file);
  try {
    const reader = new ZipReader(readingAhead(archive));
    const zip = await yauzl.fromRandomAccessReaderPromise(reader, archive.size, { autoClose: false });
    for await (const entry of zip.eachEntry()) yield entry;
  } catch (error) {
    // yauzl throws plain errors.
    if (!(error instanceof Error) || error.constructor !== Error) throw error;
    throw new DataError(
      archive.where,
      `is a damaged zip archive (${printable(error.message)})`,
      'download it again',
      error,
    );
  }
}

/**
 * An archive up to the end of its last record, behind which something may stand: a line break, a signature. A record
 * that says how long its comment is counts where this does not go beyond the end.
 */
async function withoutTrailer(file: ByteSource): Promise<ByteSource> {
  const length = Math.min(file.size, END_RECORD_BYTES + 0xffff);
  const tail = Buffer.from(await file.read(file.size - length, length));
  for (let at = tail.lastIndexOf(endRecord); at >= 0; at = tail.lastIndexOf(endRecord, at - 1)) {
    const end = at + END_RECORD_BYTES;
    const whole = end <= tail.length ? end + tail.readUInt16LE(end - 2) : Number.POSITIVE_INFINITY;
    if (whole <= tail.length) return partOf(file, 0, file.size - length + whole);
    if (at === 0) break;
  }
  return file;
}

/** What is wrong with a file in an archive, and how it is mended. */
type Problem = readonly [problem: string, remedy: string];

function problemOf(archive: ByteSource, entry: yauzl.Entry): Problem | undefined {
  const { compressedSize, uncompressedSize, relativeOffsetOfLocalHeader, compressionMethod } = entry;
  if (entry.generalPurposeBitFlag & encrypted)
    return ['is encrypted', 'unpack the archive with its password'];
  if (compressionMethod !== STORED && compressionMethod !== DEFLATED)
    return [`is compressed by method ${compressionMethod}`, 'unpack the archive'];
  // The upper half holds the Unix mode.
  if (((entry.externalFileAttributes >>> 16) & 0xf000) === 0xa000 && isImageName(entry.fileName))
    return ['is a link, which is not followed', 'unpack the archive'];
  if (relativeOffsetOfLocalHeader + LOCAL_HEADER_BYTES + compressedSize > archive.size)
    return ['lies beyond the end of the archive', 'download it again'];
  if (uncompressedSize > maxFileBytes || uncompressedSize > MAX_DEFLATE_RATIO * (compressedSize + 1))
    return [
      `claims to unpack from ${compressedSize} to ${uncompressedSize} bytes, which is a zip bomb`,
      'do not trust this archive',
    ];
  return undefined;
}

/** A file's bytes as they are in the archive, behind its local header, whose length only it says. */
async function packedBytes(
  archive: ByteSource,
  where: string,
  position: number,
  length: number,
): Promise<Uint8Array> {
  // Names and extra fields are mostly short: one read is enough then.
  const guess = Math.min(LOCAL_HEADER_BYTES + 256 + length, archive.size - position);
  const bytes = Buffer.from(await archive.read(position, guess));
  if (bytes.readUInt32LE() !== 0x04034b50)
    throw new DataError(where, 'has no local header in the archive', 'download the archive again');
  const start = LOCAL_HEADER_BYTES + bytes.readUInt16LE(26) + bytes.readUInt16LE(28);
  return start + length <= bytes.length
    ? bytes.subarray(start, start + length)
    : archive.read(position + start, length);
}

async function unpack(where: string, bytes: Uint8Array, size: number): Promise<Uint8Array> {
  try {
    return await inflate(bytes, { maxOutputLength: Math.max(size, 1) });
  } catch (error) {
    throw new DataError(
      where,
      `is damaged: it cannot be unpacked (${printable((error as Error).message)})`,
      'download the archive again',
      error,
    );
  }
}
