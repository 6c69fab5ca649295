import { pipeline, Readable, type Transform } from 'node:stream';
import { createGunzip, createInflate } from 'node:zlib';
import { DataError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import { type ByteSource, blocksOf, memorySource } from './byte-source.ts';

/** More than this is not unpacked into memory. CIFAR and DTD are 180 and 630 MB. */
const maxUnpacked = 1 << 30;

/** Deflate packs at most about 1,032 bytes into one. */
export const MAX_DEFLATE_RATIO = 1032;

/** The bytes in a source, unpacked where they are gzipped. */
export async function ungzipped(source: ByteSource): Promise<ByteSource> {
  const head = await source.read(0, Math.min(2, source.size));
  return head[0] === 0x1f && head[1] === 0x8b ? gunzip(source) : source;
}

/**
 * Unpacks a gzip file into memory: its bytes can only be had in order, and images are wanted in any.
 *
 * @throws DataError where it is damaged, or unpacks to more than `limit` bytes
 */
export async function gunzip(source: ByteSource, limit = maxUnpacked): Promise<ByteSource> {
  const tooLarge = () =>
    new DataError(
      source.where,
      `unpacks to more than ${limit >> 20} MiB, which is too much to keep in memory`,
      'gunzip it first: what comes out is read in place',
    );
  // The size at the end of the file is not believed: of one that is cut short it is anything.
  if (source.size > limit) throw tooLarge();
  const blockSize = Math.min(limit, 1 << 24, MAX_DEFLATE_RATIO * source.size);
  const blocks: Uint8Array[] = [];
  let size = 0;
  for await (let chunk of unpacked(source, 0, source.size, createGunzip({ chunkSize: 1 << 18 }))) {
    if (size + chunk.length > limit) throw tooLarge();
    while (chunk.length > 0) {
      const within = size % blockSize;
      if (within === 0) blocks.push(new Uint8Array(blockSize));
      const some = chunk.subarray(0, blockSize - within);
      blocks.at(-1)!.set(some, within);
      size += some.length;
      chunk = chunk.subarray(some.length);
    }
  }
  if (blocks.length > 0)
    blocks[blocks.length - 1] = blocks.at(-1)!.subarray(0, size - (blocks.length - 1) * blockSize);
  return memorySource(source.where, blocks, blockSize);
}

/** A zlib stream inside a source, unpacked from its beginning as far as it is asked for. */
export class ZlibReader {
  readonly #where: string;
  readonly #chunks: AsyncGenerator<Uint8Array>;
  #left: Uint8Array = new Uint8Array();

  constructor(source: ByteSource, start: number, end: number) {
    this.#where = source.where;
    this.#chunks = unpacked(source, start, end, createInflate({ chunkSize: 1 << 18 }));
  }

  /**
   * The next `length` bytes; the caller has compared them with what the stream can hold.
   *
   * @throws DataError where the stream is damaged or ends before
   */
  async take(length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    await this.fill(bytes);
    return bytes;
  }

  /** The next bytes, as many as there is room for. */
  async fill(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      if (this.#left.length === 0) await this.#next();
      const some = this.#left.subarray(0, bytes.length - done);
      bytes.set(some, done);
      done += some.length;
      this.#left = this.#left.subarray(some.length);
    }
  }

  /** Passes over the last `length` bytes, behind which the stream has its checksum. */
  async finish(length: number): Promise<void> {
    for (let left = length; left > 0; ) {
      if (this.#left.length === 0) await this.#next();
      const some = Math.min(left, this.#left.length);
      this.#left = this.#left.subarray(some);
      left -= some;
    }
    if (this.#left.length > 0 || !(await this.#chunks.next()).done)
      throw new DataError(this.#where, 'is damaged: its compressed data go on too long', 'download it again');
  }

  async #next(): Promise<void> {
    const { value, done } = await this.#chunks.next();
    if (done)
      throw new DataError(this.#where, 'is damaged: its compressed data end early', 'download it again');
    this.#left = value;
  }

  /** Unpacks no further. */
  async close(): Promise<void> {
    await this.#chunks.return(undefined);
  }
}

async function* unpacked(
  source: ByteSource,
  start: number,
  end: number,
  unpack: Transform,
): AsyncGenerator<Uint8Array> {
  // Failures come out of the loop below.
  pipeline(Readable.from(blocksOf(source, start, end)), unpack, () => {});
  try {
    for await (const chunk of unpack) yield chunk;
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(
      source.where,
      `is damaged: it cannot be unpacked (${printable((error as Error).message)})`,
      'download it again',
      error,
    );
  } finally {
    unpack.destroy();
  }
}
