import { createHash } from 'node:crypto';
import { DataError } from '../../src/common/errors.ts';
import { type ByteSource, memorySource, sha256Of } from '../files/byte-source.ts';
import type { FileTree } from '../files/file-tree.ts';
import { Names } from '../files/packed-names.ts';
import { allFiles, type ImageFiles } from '../image-files.ts';
import { KIND_BYTES } from '../image-kind.ts';
import { ParquetFile, type RowGroup } from './parquet-file.ts';

/** A row group's images are unpacked together, and those of two groups are kept: that of the last and of the next images. */
const KEPT_GROUPS = 2;

/**
 * Opens Parquet files, each a part of one set: a column of image files, as binary values or as structs that hold them as
 * `bytes`, and one of labels. Class names are those that Hugging Face's files have. Images are named by their numbers, and
 * read row group by row group.
 *
 * @param where what to call them all
 * @throws DataError where one is damaged, or has no such column
 */
export async function openParquet(where: string, sources: readonly ByteSource[]): Promise<ImageFiles> {
  const groups: Group[] = [];
  const labels: number[] = [];
  let classes: readonly string[] | undefined;
  for (const source of sources) {
    const file = await ParquetFile.open(source);
    const label = file.labelColumn();
    for (const rows of file.rowGroups()) {
      groups.push({ file, rows, start: labels.length });
      const own = label && (await file.labels(label, rows));
      for (let i = 0; i < rows.count; i++) labels.push(own ? own[i] : -1);
    }
    classes ??= label?.classes;
  }
  if (labels.length === 0) throw new DataError(where, 'holds no images: it has no rows');
  const greatest = labels.reduce((a, b) => Math.max(a, b));
  if (greatest >= (classes?.length ?? Number.POSITIVE_INFINITY))
    throw new DataError(where, `has the label ${greatest}, and ${classes!.length} classes`, 'is it damaged?');
  const names =
    greatest < 0 ? undefined : (classes ?? Array.from({ length: greatest + 1 }, (_, i) => `${i}`));
  const tree = rowTree(where, sources, groups, labels.length);
  return { tree, files: allFiles(tree), ...(names && { labels: Int32Array.from(labels), classes: names }) };
}

/** Whether these bytes begin a Parquet file. */
export function beginsParquet(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, 4)).toString('latin1') === 'PAR1';
}

/** A row group of one of the files. */
interface Group {
  readonly file: ParquetFile;
  readonly rows: RowGroup;
  /** The number of its first row among all rows of the set. */
  readonly start: number;
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
    const images = kept.get(group) ?? group.file.images(group.rows);
    // The last asked for is the last to be forgotten.
    kept.delete(group);
    kept.set(group, images);
    if (kept.size > KEPT_GROUPS) kept.delete(kept.keys().next().value!);
    return images;
  };
  const groupOf = (index: number) => groups.find(({ start, rows }) => index < start + rows.count)!;
  const describe = (index: number) => `${groupOf(index).file.where}: image ${index}`;
  const read = async (index: number) => {
    const group = groupOf(index);
    const bytes = (await imagesOf(group))[index - group.start];
    if (!(bytes instanceof Uint8Array)) throw new DataError(describe(index), 'is missing: its value is null');
    return bytes;
  };
  return {
    where,
    names,
    describe,
    read,
    head: async (index) => (await read(index)).subarray(0, KIND_BYTES),
    open: async (index) => memorySource(describe(index), [await read(index)]),
    async fingerprint(files) {
      const hash = createHash('sha256');
      for (const source of sources) hash.update(await sha256Of(source));
      return hash.update(files).digest('hex');
    },
  };
}
