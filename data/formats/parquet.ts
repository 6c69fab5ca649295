import { createHash } from 'node:crypto';
import zlib from 'node:zlib';
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { DataError, LaOodError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import { type ByteSource, memorySource, sha256Of } from '../files/byte-source.ts';
import type { FileTree } from '../files/file-tree.ts';
import { Names } from '../files/names.ts';
import { allFiles, type ImageFiles } from '../image-files.ts';

/** A row group's images are unpacked together, and those of two groups are kept: that of the last and of the next images. */
const maxGroupBytes = 1 << 29;
const keptGroups = 2;
const maxLabel = 1_000_000;
/** What columns of labels are called where the file does not say which they are. */
const labelNames = ['label', 'labels', 'fine_label'];

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

/**
 * Opens Parquet files, each a part of one set: a column of image files, as binary values or as structs that hold them as
 * `bytes`, and one of labels. Class names are those that Hugging Face's files have. Images are named by their numbers, and
 * read row group by row group.
 *
 * @param where what to call them all
 * @throws DataError where one is damaged, or has no such column
 */
export async function openParquet(where: string, files: readonly ByteSource[]): Promise<ImageFiles> {
  const groups: Group[] = [];
  const labels: number[] = [];
  let classes: readonly string[] | undefined;
  for (const source of files) {
    const file = await ParquetFile.open(source);
    const label = file.labelColumn();
    for (const group of file.groups(labels.length)) {
      groups.push(group);
      labels.push(...(label ? await file.labels(label, group) : new Array(group.rows).fill(-1)));
    }
    classes ??= label?.classes;
  }
  if (labels.length === 0) throw new DataError(where, 'holds no images: it has no rows');
  const greatest = labels.reduce((a, b) => Math.max(a, b));
  if (greatest >= (classes?.length ?? Number.POSITIVE_INFINITY))
    throw new DataError(where, `has the label ${greatest}, and ${classes!.length} classes`, 'is it damaged?');
  const names =
    greatest < 0 ? undefined : (classes ?? Array.from({ length: greatest + 1 }, (_, i) => `${i}`));
  const tree = rowTree(where, files, groups, labels.length);
  return { tree, files: allFiles(tree), ...(names && { labels: Int32Array.from(labels), classes: names }) };
}

/** Whether these bytes begin a Parquet file. */
export function beginsParquet(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, 4)).toString('latin1') === 'PAR1';
}

/** Rows of a file that lie together. */
interface Group {
  readonly file: ParquetFile;
  /** The number of the first, among all rows of the set and among those of its file. */
  readonly start: number;
  readonly startInFile: number;
  readonly rows: number;
}

interface LabelColumn {
  readonly name: string;
  readonly classes?: readonly string[];
}

/** The rows as files, named by their numbers. */
function rowTree(
  where: string,
  sources: readonly ByteSource[],
  groups: readonly Group[],
  count: number,
): FileTree {
  const names = new Names();
  for (let i = 0; i < count; i++) names.add(String(i));
  const kept = new Map<Group, Promise<unknown[]>>();
  const imagesOf = (group: Group) => {
    const images = kept.get(group) ?? group.file.images(group);
    // The last asked for is the last to be forgotten.
    kept.delete(group);
    kept.set(group, images);
    if (kept.size > keptGroups) kept.delete(kept.keys().next().value!);
    return images;
  };
  const groupOf = (index: number) => groups.find(({ start, rows }) => index < start + rows)!;
  const describe = (index: number) => `${groupOf(index).file.source.where}: image ${index}`;
  const read = async (index: number) => {
    const group = groupOf(index);
    const value = (await imagesOf(group))[index - group.start] as Uint8Array | { bytes?: Uint8Array } | null;
    const bytes = value instanceof Uint8Array ? value : value?.bytes;
    if (!(bytes instanceof Uint8Array)) throw new DataError(describe(index), 'is missing: its value is null');
    return bytes;
  };
  return {
    where,
    names,
    describe,
    read,
    open: async (index) => memorySource(describe(index), [await read(index)]),
    async fingerprint(files) {
      const hash = createHash('sha256');
      for (const source of sources) hash.update(await sha256Of(source));
      return hash.update(files).digest('hex');
    },
  };
}

/** What Hugging Face says of a column. */
interface Feature {
  readonly _type?: string;
  readonly names?: readonly string[];
}

/** A file whose metadata have been read. */
class ParquetFile {
  readonly #file: AsyncBuffer;
  readonly #metadata: FileMetaData;
  readonly #features: Readonly<Record<string, Feature>>;
  readonly #column: string;

  private constructor(
    readonly source: ByteSource,
    file: AsyncBuffer,
    metadata: FileMetaData,
  ) {
    this.#file = file;
    this.#metadata = metadata;
    this.#features = featuresOf(metadata);
    this.#column = this.#imageColumn();
  }

  static open(source: ByteSource): Promise<ParquetFile> {
    const file: AsyncBuffer = {
      byteLength: source.size,
      async slice(start, end = source.size) {
        const bytes = await source.read(start, end - start);
        return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
      },
    };
    return reading(source, async () => new ParquetFile(source, file, await parquetMetadataAsync(file)));
  }

  /** @param start the number of the first row in the set */
  groups(start: number): Group[] {
    let startInFile = 0;
    return this.#metadata.row_groups.map(({ num_rows, columns }) => {
      const [rows, first] = [Number(num_rows), startInFile];
      const chunks = columns.filter(({ meta_data }) => meta_data?.path_in_schema[0] === this.#column);
      const bytes = chunks.reduce(
        (sum, { meta_data }) => sum + Number(meta_data!.total_uncompressed_size),
        0,
      );
      if (bytes > maxGroupBytes)
        this.#fail(`has ${bytes} bytes of images in a row group`, 'write smaller ones, of 1,000 rows say');
      if (!(rows >= 0 && rows <= this.source.size)) this.#fail(`claims ${rows} rows`, 'download it again');
      startInFile += rows;
      return { file: this, start: start + first, startInFile: first, rows };
    });
  }

  /** The values of the column of images. */
  images(group: Group): Promise<unknown[]> {
    return this.#values(this.#column, group);
  }

  /** The first column of classes, or the one that is called so. */
  labelColumn(): LabelColumn | undefined {
    const [name, feature] =
      Object.entries(this.#features).find(([, { _type }]) => _type === 'ClassLabel') ?? [];
    if (name !== undefined) return { name, classes: feature!.names };
    const column = this.#columns().find(
      ({ name, type }) => labelNames.includes(name) && /^INT(32|64)$/.test(type ?? ''),
    );
    return column && { name: column.name };
  }

  /** Labels of a group; -1 where there is none. */
  async labels({ name }: LabelColumn, group: Group): Promise<number[]> {
    const values = (await this.#values(name, group)).map((value) => Number(value ?? -1));
    const wrong = values.find((label) => !Number.isInteger(label) || label < -1 || label > maxLabel);
    if (wrong !== undefined) this.#fail(`has the label ${wrong}`, 'is it damaged?');
    return values;
  }

  #values(column: string, { startInFile, rows }: Group): Promise<unknown[]> {
    return reading(this.source, async () => {
      const found = await parquetReadObjects({
        file: this.#file,
        metadata: this.#metadata,
        columns: [column],
        rowStart: startInFile,
        rowEnd: startInFile + rows,
        utf8: false,
        compressors,
      });
      return found.map((row) => row[column]);
    });
  }

  /** Columns, with their type where they are no structs, and the names of what is in them where they are. */
  #columns() {
    const [root, ...elements] = this.#metadata.schema;
    const columns: { name: string; type?: string; isText: boolean; inner: string[] }[] = [];
    for (let at = 0; columns.length < (root.num_children ?? 0) && at < elements.length; ) {
      const { name, type, num_children: children = 0, converted_type } = elements[at];
      const inner = elements.slice(at + 1, at + 1 + children).map((element) => element.name);
      columns.push({ name, type, isText: converted_type === 'UTF8', inner });
      at++;
      // Past all that is below it.
      for (let left = children; left > 0 && at < elements.length; left--)
        left += elements[at++].num_children ?? 0;
    }
    return columns;
  }

  #imageColumn(): string {
    const columns = this.#columns();
    const named = columns.find(({ name }) => this.#features[name]?._type === 'Image');
    const fitting = columns.filter(
      ({ type, isText, inner }) => inner.includes('bytes') || (type === 'BYTE_ARRAY' && !isText),
    );
    if (named) return named.name;
    if (fitting.length === 1) return fitting[0].name;
    const list = (names: readonly { name: string }[]) => printable(names.map(({ name }) => name).join(', '));
    return this.#fail(
      fitting.length === 0
        ? `has no column of images, but ${list(columns) || 'none at all'}`
        : `has several columns that may hold images: ${list(fitting)}`,
      'expected one of binary values, or of structs with `bytes`',
    );
  }

  #fail(problem: string, remedy: string): never {
    throw new DataError(this.source.where, problem, remedy);
  }
}

/** The metadata that Hugging Face's `datasets` writes; another program's are none. */
function featuresOf({ key_value_metadata = [] }: FileMetaData): Record<string, Feature> {
  try {
    const text = key_value_metadata.find(({ key }) => key === 'huggingface')?.value;
    return JSON.parse(text ?? '{}').info?.features ?? {};
  } catch {
    return {};
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
