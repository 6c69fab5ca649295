import { isUtf8 } from 'node:buffer';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DataError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import { type ByteSource, blocksOf } from '../files/byte-source.ts';
import { filesIn, pathIn } from '../files/folder-tree.ts';
import { Names } from '../files/packed-names.ts';
import { allFiles, type ImageFiles } from '../image-files.ts';
import { isListLine, listForm, type ReadLine } from './image-list-line.ts';

const MAX_LINE = 4096;
/** ImageNet-21k has 21,841 classes. */
const MAX_LABEL = 1_000_000;
const LEVELS_ABOVE = 4;

/**
 * Opens a list of image files, a line each, as OpenOOD's `imglist` files and tables with commas are (`listForm` says in
 * which forms). Labels are whole numbers, -1 for none, or names of classes, which are numbered in their order. The order
 * of the images is the list's. Paths are relative to the nearest folder, from the list's own upwards, that has the first
 * one of them in it, or in a sub-folder of it whose name begins with `images`, as OpenOOD's `images_classic` does.
 *
 * @throws DataError where a line is no such line, or leads out of the folder
 */
export async function openImageList(source: ByteSource): Promise<ImageFiles> {
  const names = new Names();
  const labels: string[] = [];
  let read: ReadLine | undefined;
  for await (const { line, isUtf8, number } of lines(source)) {
    if (!read) {
      const form = listForm(line);
      read = form.read;
      if (form.isHead) continue;
    }
    const { path, label } = read(line);
    const fail = (problem: string, remedy: string) => {
      throw new DataError(`${source.where}: line ${number}`, `${printable(path)} ${problem}`, remedy);
    };
    if (path === '') fail('has no path', 'expected a line PATH LABEL');
    if (/^([a-z]:)?[/\\]/i.test(path) || path.split(/[/\\]/).includes('..'))
      fail('leads out of the folder', 'write paths relative to the folder of the images');
    if (names.length > 0 && (label === undefined) !== (labels.length === 0))
      fail(label === undefined ? 'has no label' : 'has a label', 'give all lines a label, or none');
    if (Number(label) > MAX_LABEL) fail(`has the label ${label}`, `labels go up to ${MAX_LABEL}`);
    // A path that is no UTF-8 is the bytes that it is.
    names.add(isUtf8 ? path : Buffer.from(path, 'latin1'));
    if (label !== undefined) labels.push(label);
  }
  if (names.length === 0) throw new DataError(source.where, 'is an empty list', 'expected lines PATH LABEL');
  const root = await findRoot(source.where, names);
  const tree = filesIn(root, names, source.where);
  return { tree, files: allFiles(tree), ...numbered(labels) };
}

/** Whether these bytes begin a list: a line of text that is one of a list, or a table's head. */
export function beginsImageList(head: Uint8Array): boolean {
  const [first] = Buffer.from(head).toString('utf8').replace(byteOrderMark, '').trimStart().split('\n', 1);
  return !/[^\P{Cc}\t\r]/u.test(first) && isListLine(first);
}

/** What editors of Windows write before the first line. */
const byteOrderMark = /^\ufeff/;

/** Labels as numbers; where one is no number all are names of classes. */
function numbered(labels: readonly string[]): Pick<ImageFiles, 'labels' | 'classes'> {
  if (labels.every((label) => /^-?\d+$/.test(label))) {
    const numbers = Int32Array.from(labels, Number);
    const greatest = numbers.reduce((a, b) => Math.max(a, b), -1);
    return greatest < 0
      ? {}
      : { labels: numbers, classes: Array.from({ length: greatest + 1 }, (_, i) => String(i)) };
  }
  const classes = [...new Set(labels)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const number = new Map(classes.map((name, label) => [name, label]));
  return { labels: Int32Array.from(labels, (name) => number.get(name)!), classes };
}

interface ListLine {
  readonly line: string;
  readonly isUtf8: boolean;
  readonly number: number;
}

async function findRoot(list: string, names: Names): Promise<string> {
  let folder = dirname(resolve(list));
  for (let level = 0; level <= LEVELS_ABOVE; level++, folder = dirname(folder)) {
    const beside = await readdir(folder).catch(() => []);
    for (const inner of ['', ...beside.filter((name) => name.startsWith('images')).sort()]) {
      const root = join(folder, inner);
      const first = pathIn(root, names.bytes(0) ?? Buffer.from(names.at(0)));
      if ((await stat(first).catch(() => undefined))?.isFile()) return root;
    }
  }
  throw new DataError(
    list,
    `names ${printable(names.at(0))}, which is not in the list's folder, nor above it`,
    'put the list into the folder that its paths start from',
  );
}

/** Lines that are not empty, with their numbers from 1; those that are no UTF-8 are read as Latin-1. */
async function* lines(source: ByteSource): AsyncGenerator<ListLine> {
  let number = 0;
  // Latin-1 gives the bytes back.
  let rest = '';
  const checked = (line: string) => {
    number++;
    if (line.length > MAX_LINE)
      throw new DataError(source.where, `line ${number} is too long for a list of images`);
    const bytes = Buffer.from(line, 'latin1');
    if (!isUtf8(bytes)) return { line, isUtf8: false, number };
    return { line: bytes.toString('utf8').replace(byteOrderMark, ''), isUtf8: true, number };
  };
  for await (const block of blocksOf(source)) {
    const found = (rest + Buffer.from(block).toString('latin1')).split('\n');
    rest = found.pop()!;
    for (const line of found.map(checked)) if (line.line.trim()) yield line;
    if (rest.length > MAX_LINE) checked(rest);
  }
  const last = checked(rest);
  if (last.line.trim()) yield last;
}
