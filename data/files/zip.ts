import { promisify } from 'node:util';
import { crc32, inflateRaw } from 'node:zlib';
import yauzl from 'yauzl';
import { DataError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import { ZipReader } from '../../src/common/zip-reader.ts';
import { isImageName } from '../decode.ts';
import { type ByteSource, memorySource, readingAhead } from './byte-source.ts';
import { archiveTree, type FileTree, isHidden, memberName } from './file-tree.ts';
import { maxDeflateRatio } from './inflate.ts';
import { Names } from './names.ts';

const inflate = promisify(inflateRaw);

const stored = 0;
const deflated = 8;
/** General purpose flags: encryption of three kinds. */
const encrypted = 0x0001 | 0x0040 | 0x2000;
const localHeaderBytes = 30;
/** A file in an archive is unpacked whole into memory. */
const maxFileBytes = 1 << 30;

/**
 * The files in a zip archive, unpacked into memory one at a time as they are read, and compared with their CRC-32.
 *
 * @throws DataError where the archive is damaged, encrypted, a bomb, or holds names that lead out of it
 */
export async function openZip(archive: ByteSource): Promise<FileTree> {
  const names = new Names();
  // By column, since an archive may hold a million files.
  const headers: number[] = [];
  const packed: number[] = [];
  const sizes: number[] = [];
  const sums: number[] = [];
  const methods: number[] = [];
  for await (const entry of entries(archive)) {
    const name = memberName(archive.where, entry.fileName);
    if (name.endsWith('/') || isHidden(name)) continue;
    check(archive, name, entry);
    names.add(name);
    headers.push(entry.relativeOffsetOfLocalHeader);
    packed.push(entry.compressedSize);
    sizes.push(entry.uncompressedSize);
    sums.push(entry.crc32);
    methods.push(entry.compressionMethod);
  }
  return archiveTree(archive, names, async (index) => {
    const where = `${archive.where}: ${printable(names.at(index))}`;
    const content = await packedBytes(archive, where, headers[index], packed[index]);
    const bytes = methods[index] === stored ? content : await unpack(where, content, sizes[index]);
    if (bytes.length !== sizes[index] || crc32(bytes) !== sums[index])
      throw new DataError(where, 'is damaged: its CRC-32 is wrong', 'download the archive again');
    return memorySource(where, [bytes]);
  });
}

/** Whether these bytes begin a zip archive, be it an empty one. */
export function beginsZip(head: Uint8Array): boolean {
  const magic = Buffer.from(head.subarray(0, 4)).toString('hex');
  return magic === '504b0304' || magic === '504b0506';
}

async function* entries(archive: ByteSource): AsyncGenerator<yauzl.Entry> {
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
    );
  }
}

function check(archive: ByteSource, name: string, entry: yauzl.Entry): void {
  const { compressedSize, uncompressedSize, relativeOffsetOfLocalHeader, compressionMethod } = entry;
  const fail = (problem: string, remedy: string) => {
    throw new DataError(`${archive.where}: ${printable(name)}`, problem, remedy);
  };
  if (entry.generalPurposeBitFlag & encrypted) fail('is encrypted', 'unpack the archive with its password');
  if (compressionMethod !== stored && compressionMethod !== deflated)
    fail(`is compressed by method ${compressionMethod}`, 'unpack the archive');
  // The upper half holds the Unix mode.
  if (((entry.externalFileAttributes >>> 16) & 0xf000) === 0xa000 && isImageName(name))
    fail('is a link, which is not followed', 'unpack the archive');
  if (relativeOffsetOfLocalHeader + localHeaderBytes + compressedSize > archive.size)
    fail('lies beyond the end of the archive', 'download it again');
  if (uncompressedSize > maxFileBytes || uncompressedSize > maxDeflateRatio * (compressedSize + 1))
    fail(
      `claims to unpack from ${compressedSize} to ${uncompressedSize} bytes, which is a zip bomb`,
      'do not trust this archive',
    );
}

/** A file's bytes as they are in the archive, behind its local header, whose length only it says. */
async function packedBytes(
  archive: ByteSource,
  where: string,
  position: number,
  length: number,
): Promise<Uint8Array> {
  // Names and extra fields are mostly short: one read is enough then.
  const guess = Math.min(localHeaderBytes + 256 + length, archive.size - position);
  const bytes = Buffer.from(await archive.read(position, guess));
  if (bytes.readUInt32LE() !== 0x04034b50)
    throw new DataError(where, 'has no local header in the archive', 'download the archive again');
  const start = localHeaderBytes + bytes.readUInt16LE(26) + bytes.readUInt16LE(28);
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
    );
  }
}
