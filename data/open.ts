import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { DataError } from '../src/common/errors.ts';
import { nearestName } from '../src/common/suggest.ts';
import { openCifar } from './cifar/cifar-set.ts';
import { demoSet, demoSetNames } from './demo/demo-set.ts';
import { openFolder } from './folder.ts';
import type { ImageSet } from './image-set.ts';
import { pureColor } from './pure-color.ts';

/** What a set's specification does not say. */
export interface OpenOptions {
  /** The set's name; by default made from the specification. */
  readonly name?: string;
  /** Seed of a generated set, 0 if not given. */
  readonly seed?: number;
  /** Number of images of a generated set. */
  readonly count?: number;
  /** `original` follows the original implementation where its sets differ. */
  readonly compat?: 'original';
}

/**
 * Opens a set of images by what a person types:
 *
 * - `demo:train`, `demo:test`, `demo:shapes`, …: a set of the built-in demo
 * - `pure_color`: the original's synthetic set
 * - a path: a folder of images, or of CIFAR-10 or CIFAR-100 batches
 * - a path and `:train` or `:test`: that part of it
 *
 * @throws DataError where there is nothing to open, or it is damaged
 */
export async function openImageSet(spec: string, options: OpenOptions = {}): Promise<ImageSet> {
  if (spec === 'pure_color') return pureColor(options);
  if (spec.startsWith('demo:')) return demoSet(spec.slice('demo:'.length), options);
  const [, path, part] = /^(.*?)(?::(train|test))?$/s.exec(spec) as unknown as [string, string, Part?];
  const found = await stat(path).catch(() => undefined);
  if (!found) throw await nothingThere(path);
  if (!found.isDirectory())
    throw new DataError(path, 'is not a set of images', 'expected a folder of images or of CIFAR batches');
  const cifar = await openCifar(path, part, options.name ?? nameOf(path, part));
  if (cifar) return cifar;
  const folder = part ? join(path, part) : path;
  if (part && !(await stat(folder).catch(() => undefined))) throw await nothingThere(folder);
  return openFolder(folder, options.name ?? nameOf(folder));
}

/** One of the two parts that a set is published in. */
export type Part = 'train' | 'test';

/** The last word of a path that says what the set is: `cifar10/test` is `cifar10_test`. */
function nameOf(path: string, part?: Part): string {
  const full = resolve(path);
  const name = basename(full);
  const telling = /^(train|test|val|images)$/.test(name) ? `${basename(dirname(full))}_${name}` : name;
  return part ? `${telling}_${part}` : telling;
}

async function nothingThere(path: string): Promise<DataError> {
  const builtIn = ['pure_color', ...demoSetNames().map((name) => `demo:${name}`)];
  const folder = dirname(path);
  const beside = await readdir(folder).catch(() => []);
  const nearBuiltIn = nearestName(path, builtIn);
  const nearFile = nearestName(basename(path), beside);
  const near = nearBuiltIn ?? (nearFile && join(folder, nearFile));
  return new DataError(
    path,
    'no such file or folder, and no built-in set',
    near ? `did you mean ${near}?` : `built in are ${builtIn.join(', ')}`,
  );
}
