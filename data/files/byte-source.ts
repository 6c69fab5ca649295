import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { DataError } from '../../src/common/errors.ts';

/** Bytes that can be read from any place: a file, a part of one, or memory. */
export interface ByteSource {
  /** What holds them, for messages: `cifar.tar: test_batch.bin`. */
  readonly where: string;
  readonly size: number;
  /** The file's path, where they are a whole file on disk: for libraries that open files themselves. */
  readonly path?: string;
  /**
   * @param spare an array, at least so long, that the bytes may be put into instead of new memory
   * @throws DataError where there are fewer bytes than that
   */
  read(position: number, length: number, spare?: Uint8Array): Promise<Uint8Array>;
}

/** Bytes of a file that are read at a time: so few are there sooner than another thread is told to read them. */
const step = 1 << 20;

/**
 * A file on disk. It is open only while it is read, since a set of images has no end at which to close it.
 *
 * @param path text, or bytes where they are no UTF-8
 * @param where what to call it in an error
 */
export async function fileSource(path: string | Buffer, where = path.toString()): Promise<ByteSource> {
  const { size } = await stat(path);
  const read = async (position: number, length: number, spare?: Uint8Array) => {
    checkRange({ where, size }, position, length);
    const file = openSync(path, 'r');
    try {
      const bytes = spare?.subarray(0, length) ?? new Uint8Array(length);
      for (let done = 0; done < length; ) {
        // Whatever else waits has its turn between steps.
        if (done > 0) await setImmediate();
        const bytesRead = readSync(file, bytes, done, Math.min(step, length - done), position + done);
        if (bytesRead === 0) throw cutShort(where, position + done, position + length);
        done += bytesRead;
      }
      return bytes;
    } finally {
      closeSync(file);
    }
  };
  return { where, size, ...(typeof path === 'string' && { path }), read };
}

/** Bytes in memory, in blocks of `blockSize` each but the last. */
export function memorySource(
  where: string,
  blocks: readonly Uint8Array[],
  blockSize = blocks[0]?.length ?? 0,
): ByteSource {
  const size = blocks.reduce((sum, block) => sum + block.length, 0);
  const read = async (position: number, length: number) => {
    checkRange({ where, size }, position, length);
    const first = Math.floor(position / blockSize);
    const within = position - first * blockSize;
    if (length === 0) return new Uint8Array();
    if (within + length <= blocks[first].length) return blocks[first].subarray(within, within + length);
    const bytes = new Uint8Array(length);
    for (let done = 0, block = first, from = within; done < length; block++, from = 0) {
      const some = blocks[block].subarray(from, from + length - done);
      bytes.set(some, done);
      done += some.length;
    }
    return bytes;
  };
  return { where, size, read };
}

/** `size` bytes of a source from `start` on, as a source of their own. */
export function partOf(source: ByteSource, start: number, size: number, where = source.where): ByteSource {
  checkRange(source, start, size);
  const part: ByteSource = {
    where,
    size,
    async read(position, length, spare) {
      checkRange(part, position, length);
      return source.read(start + position, length, spare);
    },
  };
  return part;
}

/**
 * A source's bytes for a reader that goes through them in small steps: they are fetched `window` at a time.
 */
export function readingAhead(source: ByteSource, window = 1 << 18): ByteSource {
  let start = 0;
  let kept = new Uint8Array();
  return {
    where: source.where,
    size: source.size,
    async read(position, length) {
      checkRange(source, position, length);
      if (length > window) return source.read(position, length);
      if (position < start || position + length > start + kept.length) {
        kept = (await source.read(position, Math.min(window, source.size - position))) as typeof kept;
        start = position;
      }
      return kept.subarray(position - start, position - start + length);
    },
  };
}

/** A source's bytes from `start` to `end`, block by block. */
export async function* blocksOf(
  source: ByteSource,
  start = 0,
  end = source.size,
): AsyncGenerator<Uint8Array> {
  const block = 1 << 20;
  for (let position = start; position < end; position += block)
    yield await source.read(position, Math.min(block, end - position));
}

/** Hex SHA-256 of all its bytes. */
export async function sha256Of(source: ByteSource): Promise<string> {
  const hash = createHash('sha256');
  for await (const block of blocksOf(source)) hash.update(block);
  return hash.digest('hex');
}

/** Checked before anything is allocated: lengths come from files. */
function checkRange(
  { where, size }: Pick<ByteSource, 'where' | 'size'>,
  position: number,
  length: number,
): void {
  if (!(position >= 0 && length >= 0 && position + length <= size))
    throw cutShort(where, size, position + length);
}

function cutShort(where: string, end: number, needed: number): DataError {
  return new DataError(
    where,
    `is cut short or damaged: it ends at byte ${end} and should go on to ${needed}`,
    'download it again',
  );
}
