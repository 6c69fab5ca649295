import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DataError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import { isImageName } from '../decode.ts';
import { type ByteSource, blocksOf } from '../files/byte-source.ts';
import { filesIn } from '../files/folder-tree.ts';
import { Names } from '../files/names.ts';
import { allFiles, type ImageFiles } from '../image-files.ts';

const maxLine = 4096;
/** ImageNet-21k has 21,841 classes. */
const maxLabel = 1_000_000;
/** Beside or above the list, as OpenOOD's `data/benchmark_imglist/cifar10/train_cifar10.txt`. */
const imageFolders = ['', 'images_classic', 'images_largescale'];
const levelsAbove = 4;

/**
 * Opens a list of image files, a line `PATH LABEL` or `PATH` each, as OpenOOD's `imglist` files are; label -1 stands for
 * none. The order is the list's. Paths are relative to the nearest folder, from the list's own upwards, that has the
 * first one of them in it, in its `images_classic` or in its `images_largescale`.
 *
 * @throws DataError where a line is no such line, or leads out of the folder
 */
export async function openImageList(source: ByteSource): Promise<ImageFiles> {
  const names = new Names();
  const labels: number[] = [];
  let greatest = -1;
  for await (const { line, number } of lines(source)) {
    const [, path, label] = /^(.*?)(?:\s+(-?\d+))?\s*$/s.exec(line)!;
    const fail = (problem: string, remedy: string) => {
      throw new DataError(`${source.where}: line ${number}`, `${printable(path)} ${problem}`, remedy);
    };
    if (/^([a-z]:)?[/\\]/i.test(path) || path.split(/[/\\]/).includes('..'))
      fail('leads out of the folder', 'write paths relative to the folder of the images');
    if (!isImageName(path)) fail('is not named like an image', 'expected a line PATH LABEL');
    if (names.length > 0 && (label === undefined) !== (labels.length === 0))
      fail(label === undefined ? 'has no label' : 'has a label', 'give all lines a label, or none');
    if (Number(label) > maxLabel) fail(`has the label ${label}`, `labels go up to ${maxLabel}`);
    names.add(path);
    if (label !== undefined) labels.push(Number(label));
    greatest = Math.max(greatest, Number(label ?? -1));
  }
  if (names.length === 0) throw new DataError(source.where, 'is an empty list', 'expected lines PATH LABEL');
  const root = await findRoot(source.where, names.at(0));
  const tree = filesIn(root, names, source.where);
  const classes = greatest < 0 ? undefined : Array.from({ length: greatest + 1 }, (_, i) => String(i));
  return { tree, files: allFiles(tree), labels: classes && Int32Array.from(labels), classes };
}

/** Whether these bytes begin a list: a line of text that ends, but for a label, as an image's name does. */
export function beginsImageList(head: Uint8Array): boolean {
  const [first] = Buffer.from(head).toString('utf8').trimStart().split('\n', 1);
  return !/[^\P{Cc}\t\r]/u.test(first) && isImageName(first.trimEnd().replace(/\s+-?\d+$/, ''));
}

async function findRoot(list: string, first: string): Promise<string> {
  let folder = dirname(resolve(list));
  for (let level = 0; level <= levelsAbove; level++, folder = dirname(folder))
    for (const inner of imageFolders) {
      const root = join(folder, inner);
      if ((await stat(join(root, first)).catch(() => undefined))?.isFile()) return root;
    }
  throw new DataError(
    list,
    `names ${printable(first)}, which is not in the list's folder, nor above it`,
    'put the list into the folder that its paths start from',
  );
}

/** Lines that are not empty, with their numbers from 1. */
async function* lines(source: ByteSource): AsyncGenerator<{ line: string; number: number }> {
  const decoder = new TextDecoder('utf-8', { fatal: false });
  let number = 0;
  let rest = '';
  const checked = (line: string) => {
    number++;
    if (line.length > maxLine)
      throw new DataError(source.where, `line ${number} is too long for a list of images`);
    return line;
  };
  for await (const block of blocksOf(source)) {
    const found = (rest + decoder.decode(block, { stream: true })).split('\n');
    rest = found.pop()!;
    for (const line of found) if (checked(line).trim()) yield { line, number };
    if (rest.length > maxLine) checked(rest);
  }
  if (checked(rest).trim()) yield { line: rest, number };
}
