import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { DetectorError } from '../../src/common/errors.ts';
import { FETCH_AGAIN } from '../pytorch/file.ts';

/** Support vectors hardly compress; what unpacks to more than this many times its size is a bomb. */
const MAX_EXPANSION = 100;
/** Small files may expand to this many bytes in any case. */
const SMALL = 1 << 20;

interface Compression {
  readonly name: string;
  readonly prefix: string;
  readonly unpack?: (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>;
}

/** As joblib's `_COMPRESSORS`, with its own format of before 0.10. No pickle begins like any of them. */
const compressions: readonly Compression[] = [
  { name: 'zlib', prefix: '\x78', unpack: promisify(inflate) },
  { name: 'gzip', prefix: '\x1f\x8b', unpack: promisify(gunzip) },
  { name: 'bz2', prefix: 'BZ' },
  { name: 'lzma', prefix: ']\0' },
  { name: 'xz', prefix: '\xfd7zXZ' },
  { name: 'lz4', prefix: '\x04"M\x18' },
  { name: "joblib's old ZF format", prefix: 'ZF' },
];

/**
 * The bytes of a file that `joblib.dump` may have compressed.
 *
 * @throws DetectorError where they are damaged, a bomb, or compressed in another way than zlib's and gzip's
 */
export async function decompress(bytes: Uint8Array, where: string): Promise<Uint8Array> {
  const head = Buffer.from(bytes.subarray(0, 8)).toString('latin1');
  const compression = compressions.find(({ prefix }) => head.startsWith(prefix));
  if (!compression) return bytes;
  const { name, unpack } = compression;
  if (!unpack)
    throw new DetectorError(
      where,
      `is compressed with ${name}, which is not read`,
      'load it with joblib.load and dump it again with compress=3',
    );
  const maxOutputLength = Math.max(SMALL, MAX_EXPANSION * bytes.length);
  try {
    return await unpack(bytes, { maxOutputLength });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE')
      throw new DetectorError(
        where,
        `is a compression bomb: ${bytes.length} bytes unpack to more than ${maxOutputLength}`,
        'do not trust it',
        error,
      );
    throw new DetectorError(
      where,
      `is damaged: its ${name} data cannot be unpacked (${message})`,
      FETCH_AGAIN,
      error,
    );
  }
}
