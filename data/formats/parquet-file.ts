import { type FileMetaData, parquetMetadata, parquetSchema } from 'hyparquet';
import { getTreePath } from 'hyparquet/src/schema.js';
import { DataError, LaOodError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import type { ByteSource } from '../files/byte-source.ts';
import { imageColumn, type LabelColumn, labelColumn } from './parquet-columns.ts';
import { readColumnChunk } from './parquet-pages.ts';

/** Of images in a row group, which are unpacked together. */
const maxGroupBytes = 1 << 29;
const MAX_LABEL = 1_000_000;
/** Read at once from a file's end, where its metadata are. */
const tailBytes = 1 << 16;

/** Rows of a file that lie together. */
export interface RowGroup {
  /** Its number in the file. */
  readonly index: number;
  /** The number of the first among the file's rows. */
  readonly first: number;
  readonly count: number;
}

/** A Parquet file of images (https://parquet.apache.org/docs/file-format/) whose metadata have been read. */
export class ParquetFile {
  readonly #source: ByteSource;
  readonly #metadata: FileMetaData;
  /** The path of the column of images, from the name of its column to that of the bytes in its structs. */
  readonly #images: readonly string[];

  private constructor(source: ByteSource, metadata: FileMetaData) {
    this.#source = source;
    this.#metadata = metadata;
    this.#images = imageColumn(metadata, source.where);
  }

  /** @throws DataError where it is damaged, or has no column of images */
  static open(source: ByteSource): Promise<ParquetFile> {
    return reading(source, async () => {
      const length = Math.min(source.size, tailBytes);
      const tail = Buffer.from(await source.read(source.size - length, length));
      const needed = tail.length < 8 ? 0 : 8 + tail.readUInt32LE(tail.length - 8);
      const whole = needed <= length ? tail : await source.read(source.size - needed, needed);
      return new ParquetFile(source, parquetMetadata(whole, { geoparquet: false }));
    });
  }

  /** What to call it in an error. */
  get where(): string {
    return this.#source.where;
  }

  /** @throws DataError where one claims more rows than the file can hold */
  rowGroups(): RowGroup[] {
    let first = 0;
    return this.#metadata.row_groups.map(({ num_rows }, index) => {
      const group = { index, first, count: Number(num_rows) };
      if (!(group.count >= 0 && group.count <= this.#source.size))
        this.#fail(`claims ${group.count} rows`, 'download it again');
      first += group.count;
      return group;
    });
  }

  /** The values of the column of images. */
  images(group: RowGroup): Promise<unknown[]> {
    return this.#values(this.#images, group);
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
    const values = (await this.#values([name], group)).map((value) => Number(value ?? -1));
    const wrong = values.find((label) => !Number.isInteger(label) || label < -1 || label > MAX_LABEL);
    if (wrong !== undefined) this.#fail(`has the label ${wrong}`, 'is it damaged?');
    return values;
  }

  #values(column: readonly string[], { index, count }: RowGroup): Promise<unknown[]> {
    return reading(this.#source, async () => {
      const path = getTreePath(parquetSchema(this.#metadata), [...column]);
      const name = column.join('\0');
      const { columns } = this.#metadata.row_groups[index];
      const chunk = columns.find(({ meta_data }) => meta_data?.path_in_schema.join('\0') === name)?.meta_data;
      if (!chunk) throw new Error(`a row group lacks the column ${column.join('.')}`);
      // A dictionary, where there is one, comes first.
      const start = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
      const length = Number(chunk.total_compressed_size);
      if (length > maxGroupBytes)
        this.#fail(`has ${length} bytes of images in a row group`, 'write smaller ones, of 1,000 rows say');
      return readColumnChunk(await this.#source.read(start, length), chunk, path, count);
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
    if (codec) throw new DataError(where, `is compressed by ${codec}`, 'write it with Snappy', error);
    throw new DataError(where, `is a damaged Parquet file (${message})`, 'download it again', error);
  }
}
