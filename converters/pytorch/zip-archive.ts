import { crc32, inflateRawSync } from 'node:zlib';
import yauzl from 'yauzl';
import { printable } from '../../src/common/printable.ts';
import { ZipReader } from '../../src/common/zip-reader.ts';
import { type CheckpointFile, FETCH_AGAIN } from './file.ts';

const STORED = 0;
const DEFLATED = 8;
/** General purpose flags: encryption of three kinds, and sizes that follow the data instead of preceding it. */
const ENCRYPTED = 0x0001 | 0x0040 | 0x2000;
const DESCRIPTOR = 0x0008;
const IS_ZIP64 = 0xffffffff;
/** Weights hardly compress: what unpacks to more than this many times the file is made to exhaust memory. */
const MAX_EXPANSION = 100;
const MAX_ENTRIES = 1 << 18;

interface Entry {
  readonly name: string;
  readonly start: number;
  readonly dataStart: number;
  readonly compressedSize: number;
  readonly size: number;
  readonly crc32: number;
  readonly method: number;
  readonly flags: number;
}

/**
 * A zip archive that leaves nothing to interpretation: every byte belongs to exactly one header or record, and the local
 * headers say what the central directory says. PKWARE's APPNOTE.TXT has the format.
 */
export class ZipArchive {
  readonly #file: CheckpointFile;
  readonly #entries: ReadonlyMap<string, Entry>;

  private constructor(file: CheckpointFile, entries: ReadonlyMap<string, Entry>) {
    this.#file = file;
    this.#entries = entries;
  }

  /** @throws CheckpointError on an archive that is damaged, ambiguous, encrypted or a bomb */
  static async open(file: CheckpointFile): Promise<ZipArchive> {
    try {
      return new ZipArchive(file, await readDirectory(file));
    } catch (error) {
      // yauzl throws plain errors.
      if (error instanceof Error && error.constructor === Error)
        file.fail(`is a damaged zip archive (${printable(error.message)})`, FETCH_AGAIN);
      throw error;
    }
  }

  get names(): Iterable<string> {
    return this.#entries.keys();
  }

  /** The unpacked size of a record in bytes, or undefined where there is none of this name. */
  size(name: string): number | undefined {
    return this.#entries.get(name)?.size;
  }

  /** A record's bytes, checked against their CRC-32, in memory of their own. */
  async read(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const entry = this.#entries.get(name);
    if (!entry) this.#file.fail(`has no record ${printable(name)}`, FETCH_AGAIN);
    const stored = await this.#file.read(entry.dataStart, entry.compressedSize);
    const bytes = entry.method === STORED ? stored : this.#inflate(entry, stored);
    if (crc32(bytes) !== entry.crc32)
      this.#file.fail(`is damaged: the CRC-32 of ${printable(name)} is wrong`, FETCH_AGAIN);
    return bytes;
  }

  #inflate(entry: Entry, stored: Uint8Array): Uint8Array<ArrayBuffer> {
    try {
      const bytes = new Uint8Array(inflateRawSync(stored, { maxOutputLength: Math.max(entry.size, 1) }));
      if (bytes.length === entry.size) return bytes;
    } catch {
      // Said below, whatever zlib found.
    }
    return this.#file.fail(
      `is damaged: ${printable(entry.name)} does not unpack to its ${entry.size} bytes`,
      FETCH_AGAIN,
    );
  }
}

async function readDirectory(file: CheckpointFile): Promise<Map<string, Entry>> {
  const zip = await yauzl.fromRandomAccessReaderPromise(new ZipReader(file), file.size, {
    autoClose: false,
    strictFileNames: true,
  });
  if (zip.comment) file.fail('carries a comment behind its zip archive', FETCH_AGAIN);
  if (zip.entryCount > MAX_ENTRIES) file.fail(`has ${zip.entryCount} zip entries, more than ${MAX_ENTRIES}`);
  // yauzl's cursor stands at the central directory before the first entry is read, and at its end after the last.
  const directoryStart = Number(zip.readEntryCursor);
  const entries = new Map<string, Entry>();
  for await (const central of zip.eachEntry()) {
    checkReadable(file, central);
    const entry = describeEntry(
      file,
      central,
      await zip.readLocalFileHeaderPromise(central, { minimal: false }),
    );
    if (entries.has(entry.name)) file.fail(`has two zip entries named ${printable(entry.name)}`);
    entries.set(entry.name, entry);
  }
  await checkNoGaps(file, entries.values(), directoryStart, Number(zip.readEntryCursor));
  checkExpansion(file, entries.values());
  return entries;
}

function checkReadable(file: CheckpointFile, central: yauzl.Entry): void {
  const name = printable(central.fileName);
  for (const value of [central.compressedSize, central.uncompressedSize, central.relativeOffsetOfLocalHeader])
    if (!Number.isSafeInteger(value))
      file.fail(`zip entry ${name} claims a size or offset beyond 2^53`, FETCH_AGAIN);
  if (central.generalPurposeBitFlag & ENCRYPTED)
    file.fail(`zip entry ${name} is encrypted`, 'unpack it with its password and save the checkpoint again');
  const { compressionMethod } = central;
  if (compressionMethod !== STORED && compressionMethod !== DEFLATED)
    file.fail(
      `zip entry ${name} is compressed by method ${compressionMethod}`,
      'load it with torch.load and save it again',
    );
}

function describeEntry(file: CheckpointFile, central: yauzl.Entry, local: yauzl.LocalFileHeader): Entry {
  const name = central.fileName;
  const flags = central.generalPurposeBitFlag;
  const agrees =
    local.fileName.equals(central.fileNameRaw) &&
    // An extra field may rename an entry, in the central directory alone.
    yauzl.getFileNameLowLevel(flags, local.fileName, [], true) === name &&
    local.generalPurposeBitFlag === flags &&
    local.compressionMethod === central.compressionMethod &&
    (flags & DESCRIPTOR || sizesAgree(local, central));
  if (!agrees)
    file.fail(
      `zip entry ${printable(name)} differs between its local header and the central directory`,
      FETCH_AGAIN,
    );
  return {
    name,
    start: central.relativeOffsetOfLocalHeader,
    dataStart: local.fileDataStart,
    compressedSize: central.compressedSize,
    size: central.uncompressedSize,
    crc32: central.crc32,
    method: central.compressionMethod,
    flags,
  };
}

/** Zip64 moves sizes into an extra field that yauzl reads from the central directory alone. */
function sizesAgree(local: yauzl.LocalFileHeader, central: yauzl.Entry): boolean {
  return (
    local.crc32 === central.crc32 &&
    (local.compressedSize === central.compressedSize || local.compressedSize === IS_ZIP64) &&
    (local.uncompressedSize === central.uncompressedSize || local.uncompressedSize === IS_ZIP64)
  );
}

/** Local entries lie end to end from byte 0, then the directory, then its end record, then nothing. */
async function checkNoGaps(
  file: CheckpointFile,
  entries: Iterable<Entry>,
  directoryStart: number,
  directoryEnd: number,
): Promise<void> {
  let position = 0;
  for (const entry of [...entries].sort((a, b) => a.start - b.start)) {
    if (entry.start !== position) refuseGap(file, entry.name, position, entry.start);
    position = entry.dataStart + entry.compressedSize + (await descriptorSize(file, entry));
  }
  if (directoryStart !== position) refuseGap(file, 'the central directory', position, directoryStart);
  // The end record; before it, in zip64, that format's end record and locator.
  const trailer = file.size - directoryEnd;
  if (trailer !== 22 && trailer !== 56 + 20 + 22)
    file.fail('has data hidden behind the central directory of its zip archive');
}

function refuseGap(file: CheckpointFile, name: string, expected: number, found: number): never {
  const problem = found > expected ? 'data hidden before' : 'overlapping data at';
  return file.fail(
    `has ${problem} ${printable(name)}: it begins at byte ${found} instead of ${expected}`,
    'do not trust this file',
  );
}

/** The data descriptor behind an entry: CRC-32 and both sizes, in 4 or 8 bytes each, with or without a signature. */
async function descriptorSize(file: CheckpointFile, entry: Entry): Promise<number> {
  if (!(entry.flags & DESCRIPTOR)) return 0;
  const end = entry.dataStart + entry.compressedSize;
  const found = Buffer.from(await file.read(end, Math.min(24, file.size - end)));
  for (const signature of [Buffer.from('PK\x07\x08'), Buffer.alloc(0)])
    for (const sizeBytes of [4, 8]) {
      const expected = Buffer.alloc(signature.length + 4 + 2 * sizeBytes);
      signature.copy(expected);
      expected.writeUInt32LE(entry.crc32, signature.length);
      writeSize(expected, entry.compressedSize, signature.length + 4, sizeBytes);
      writeSize(expected, entry.size, signature.length + 4 + sizeBytes, sizeBytes);
      if (found.subarray(0, expected.length).equals(expected)) return expected.length;
    }
  return file.fail(
    `zip entry ${printable(entry.name)} differs between its data descriptor and the central directory`,
    FETCH_AGAIN,
  );
}

function writeSize(target: Buffer, size: number, offset: number, bytes: number): void {
  if (bytes === 8) target.writeBigUInt64LE(BigInt(size), offset);
  else target.writeUInt32LE(size % 2 ** 32, offset);
}

function checkExpansion(file: CheckpointFile, entries: Iterable<Entry>): void {
  let total = 0;
  for (const entry of entries) total += entry.size;
  if (total > MAX_EXPANSION * file.size)
    file.fail(
      `is a zip bomb: ${file.size} bytes claim to unpack to ${total}`,
      'do not trust this file; an honest one can be saved again with torch.save',
    );
}
