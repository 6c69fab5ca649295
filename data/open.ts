import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { DataError } from '../src/common/errors.ts';
import { nearestName } from '../src/common/suggest.ts';
import { hasWildcards } from '../src/common/wildcards.ts';
import { demoSet, demoSetNames } from './demo/demo-set.ts';
import { derivations, derivedSet, parseDerivation } from './derived/derived-set.ts';
import { folderTree } from './files/folder-tree.ts';
import { imagesFitting } from './files/pattern.ts';
import { imagesFromInput } from './files/standard-input.ts';
import { generatedNames, generatedSet } from './generated/generated-set.ts';
import { imageFileSet } from './image-files.ts';
import type { ImageSet, Part } from './image-set.ts';
import { openTree } from './layouts/open-tree.ts';
import { openFile } from './open-file.ts';
import { randomNumbers, subset } from './subset.ts';

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
  /** Turns and mirrors image files as their EXIF orientation says; by default it is ignored, as in the original. */
  readonly orient?: boolean;
}

/**
 * Opens a set of images by what a person types:
 *
 * - `demo:train`, `demo:test`, `demo:shapes`, …: a set of the built-in demo; `demo:train:16000` for so many images
 * - `pure_color` (the original's synthetic set), `gaussian_noise`, `uniform_noise`, `blobs`: a generated set
 * - `inverted:SET`, `permuted:SET`, `contrast-3:SET`, `contrast@.3:SET`, …: another set, changed (see `derived/`)
 * - a path: a folder, a zip or tar archive, or a file of images (the formats are those of `formats/open-file.ts`, the
 *   ways in which folders and archives are laid out those of `layouts/`)
 * - a pattern, `camera/*.jpg`, where no shell has expanded it (see `files/pattern.ts`); `stdin:`, on the command line `-`,
 *   for paths on standard input
 * - a path and `:train`, `:test` or `:val`: that part of it
 * - any of these and `:50`: so many of its images, drawn by the seed, in their order; all where there are no more
 *
 * @throws DataError where there is nothing to open, or it is damaged
 *
 * @example
 * ```ts
 * import { batches, openImageSet } from 'la-ood/guard';
 *
 * const images = await openImageSet('cifar-10-python.tar.gz:test');
 * for await (const { start, count } of batches(images, { batch: 64, size: { height: 32, width: 32 } }))
 *   console.log(images.imageName(start), count);
 * ```
 */
export async function openImageSet(spec: string, options: OpenOptions = {}): Promise<ImageSet> {
  const generated = generatedSet(spec, options);
  if (generated) return generated;
  const derivation = parseDerivation(spec);
  if (derivation) {
    const source = await openImageSet(derivation.source, { ...options, name: undefined });
    return derivedSet(source, derivation, options);
  }
  const numbered = await someImages(spec, options);
  if (numbered) return numbered;
  const [, demo, count] = /^demo:(.*?)(?::([1-9]\d{0,6}))?$/s.exec(spec) ?? [];
  if (demo !== undefined) return demoSet(demo, { ...options, ...(count && { count: Number(count) }) });
  const [, path, part] = /^(.*?)(?::(train|test|val))?$/s.exec(spec) as unknown as [string, string, Part?];
  const found = await stat(path).catch(() => undefined);
  const request = { name: options.name ?? nameOf(path, part), part, orient: options.orient };
  if (spec === 'stdin:')
    return imageFileSet(await imagesFromInput(), { ...request, name: options.name ?? 'input' });
  const fitting = !found && hasWildcards(path) ? await imagesFitting(path) : undefined;
  if (fitting?.files.length)
    return imageFileSet(fitting, { ...request, name: options.name ?? basename(fitting.tree.where) });
  if (!found) throw await nothingThere(path);
  if (!found.isDirectory()) return openFile(path, request);
  // A part that is a sub-folder is opened without listing the others.
  const inner = part && (await stat(join(path, part)).catch(() => undefined));
  return inner?.isDirectory()
    ? openTree(await folderTree(join(path, part!)), { ...request, part: undefined })
    : openTree(await folderTree(path), request);
}

/** What `SET:50` stands for; undefined where the specification ends otherwise, or is the name of a file. */
async function someImages(spec: string, options: OpenOptions): Promise<ImageSet | undefined> {
  const [, source, digits] = /^(.+):([1-9]\d{0,8})$/s.exec(spec) ?? [];
  // The demo's sets are drawn in whatever number is asked for.
  if (source === undefined || source.startsWith('demo:')) return undefined;
  if (await stat(spec).catch(() => undefined)) return undefined;
  const count = Number(digits);
  const generated = generatedSet(source, { ...options, count });
  if (generated) return generated;
  const whole = await openImageSet(source, options);
  if (count >= whole.length) return whole;
  return subset(whole, randomNumbers(whole.length, count, options.seed ?? 0).sort());
}

/** Endings of archives and arrays, which are no part of a name. */
const endings = /(\.(tar|tgz|gz|zip|npy|mat|hdf5|h5|txt|mdb|parquet|bin))+$/i;

/** The last word of a path that says what the set is: `cifar10/test` is `cifar10_test`. */
function nameOf(path: string, part?: Part): string {
  const full = resolve(path);
  const name = basename(full).replace(endings, '');
  const telling = /^(train|test|val|images|data)$/.test(name) ? `${basename(dirname(full))}_${name}` : name;
  return part ? `${telling}_${part}` : telling;
}

async function nothingThere(path: string): Promise<DataError> {
  const builtIn = [...generatedNames, ...demoSetNames().map((name) => `demo:${name}`)];
  const folder = dirname(path);
  const beside = await readdir(folder).catch(() => []);
  const [prefix, source] = path.split(/:(.*)/s);
  const nearDerivation = source === undefined ? undefined : nearestName(prefix, derivations);
  const nearBuiltIn = nearDerivation ? `${nearDerivation}:${source}` : nearestName(path, builtIn);
  const nearFile = nearestName(basename(path), beside);
  const near = nearBuiltIn ?? (nearFile && join(folder, nearFile));
  return new DataError(
    path,
    'no such file or folder, and no built-in set',
    near ? `did you mean ${near}?` : `built in are ${builtIn.join(', ')}`,
  );
}
