import zlib from 'node:zlib';
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { DataError, LaOodError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import type { ByteSource } from '../files/byte-source.ts';
import { imageColumn, type LabelColumn, labelColumn } from './parquet-columns.ts';

/** Of images in a row group, which are unpacked together. */
const maxGroupBytes = 1 << 29;
const maxLabel = 1_000_000;

/** Snappy, by which most files are packed, is hyparquet's own. Node has Zstandard from 22.15 on. */
const { gunzipSync, brotliDecompressSync, zstdDecompressSync } = zlib as typeof zlib & {
  zstdDecompressSync?: (bytes: Uint8Array) => Uint8Array;
};
const compressors = {
  GZIP: (bytes: Uint8Array, length: number) => gunzipSync(bytes, { maxOutputLength: length || 1 }),
  BROTLI: (bytes: Uint8Array, length: number) =>
    brotliDecompressSync(bytes, { maxOutputLength: length || 1 }),
  ...(zstdDecompressSync && { ZSTD: (bytes: Uint8Array) => zstdDecompressSync(bytes) }),
};

/** Rows of a file that lie together. */
export interface RowGroup {
  /** The number of the first among the file's rows. */
  readonly first: number;
  readonly count: number;
}

/** A Parquet file of images (https://parquet.apache.org/docs/file-format/) whose metadata have been read. */
export class ParquetFile {
  readonly #source: ByteSource;
  readonly #buffer: AsyncBuffer;
  readonly #metadata: FileMetaData;
  /** The name of the column of images. */
  readonly #column: string;

  private constructor(source: ByteSource, buffer: AsyncBuffer, metadata: FileMetaData) {
    this.#source = source;
    this.#buffer = buffer;
    this.#metadata = metadata;
    this.#column = imageColumn(metadata, source.where);
  }

  /** @throws DataError where it is damaged, or has no column of images */
  static open(source: ByteSource): Promise<ParquetFile> {
    const buffer: AsyncBuffer = {
      byteLength: source.size,
      async slice(start, end = source.size) {
        const bytes = await source.read(start, end - start);
        return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
      },
    };
    return reading(source, async () => new ParquetFile(source, buffer, await parquetMetadataAsync(buffer)));
  }

  /** What to call it in an error. */
  get where(): string {
    return this.#source.where;
  }

  /** @throws DataError where one has more images than can be unpacked together */
  rowGroups(): RowGroup[] {
    let first = 0;
    return this.#metadata.row_groups.map(({ num_rows, columns }) => {
      const group = { first, count: Number(num_rows) };
      const chunks = columns.filter(({ meta_data }) => meta_data?.path_in_schema[0] === this.#column);
      const bytes = chunks.reduce(
        (sum, { meta_data }) => sum + Number(meta_data!.total_uncompressed_size),
        0,
      );
      if (bytes > maxGroupBytes)
        this.#fail(`has ${bytes} bytes of images in a row group`, 'write smaller ones, of 1,000 rows say');
      if (!(group.count >= 0 && group.count <= this.#source.size))
        this.#fail(`claims ${group.count} rows`, 'download it again');
      first += group.count;
      return group;
    });
  }

  /** The values of the column of images. */
  images(group: RowGroup): Promise<unknown[]> {
    return this.#values(this.#column, group);
  }

  /** The column of labels, if there is one. */
  labelColumn(): LabelColumn | undefined {
    return labelColumn(this.#metadata);
  }

  /**
   * Labels of a group; -1 where there is none.
   *
   * @throws DataError where one cannot be a label
   */
  async labels({ name }: LabelColumn, group: RowGroup): Promise<number[]> {
    const values = (await this.#values(name, group)).map((value) => Number(value ?? -1));
    const wrong = values.find((label) => !Number.isInteger(label) || label < -1 || label > maxLabel);
    if (wrong !== undefined) this.#fail(`has the label ${wrong}`, 'is it damaged?');
    return values;
  }

  #values(column: string, { first, count }: RowGroup): Promise<unknown[]> {
    return reading(this.#source, async () => {
      const found = await parquetReadObjects({
        file: this.#buffer,
        metadata: this.#metadata,
        columns: [column],
        rowStart: first,
        rowEnd: first + count,
        utf8: false,
        compressors,
      });
      return found.map((row) => row[column]);
    });
  }

  #fail(problem: string, remedy: string): never {
    throw new DataError(this.where, problem, remedy);
  }
}

/** hyparquet throws plain errors. */
async function reading<T>({ where }: ByteSource, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof LaOodError) throw error;
    const message = printable((error as Error).message.split('\n', 1)[0]);
    const codec = /unsupported compression codec: (\w+)/.exec(message)?.[1];
    if (codec)
      throw new DataError(
        where,
        `is compressed by ${codec}`,
        codec === 'ZSTD' ? 'take Node 22.15 or later' : 'write it with Snappy',
      );
    throw new DataError(where, `is a damaged Parquet file (${message})`, 'download it again');
  }
}
