import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DataError } from '../../common/errors.ts';
import type { SetKind } from '../../evaluation/method-table.ts';
import { type ListedSet, OPENOOD_DATA, type OpenOodBenchmark } from '../../evaluation/openood/protocol.ts';
import type { NamedSet } from '../features/feature-sets.ts';

/** A set of the protocol whose list or images are not there. */
export interface MissingSet {
  readonly name: string;
  readonly kind: SetKind;
  /** What was looked for. */
  readonly path: string;
  /** Where to get it, in words. */
  readonly from: string;
}

/** The sets of a benchmark that are in a data folder, ready to be opened. */
export interface OpenOodSets {
  readonly train: NamedSet;
  readonly test: NamedSet;
  readonly others: readonly (NamedSet & { readonly kind: SetKind })[];
  readonly missing: readonly MissingSet[];
}

/**
 * Looks for a benchmark's sets in OpenOOD's `data` folder: lists in `benchmark_imglist`, images in `images_classic` and
 * `images_largescale`. A set is there if its list is, and the first image that it names.
 *
 * @param fullSpectrum whether the shifted sets are wanted too
 * @throws DataError where InD images are missing, or every near and far set is
 */
export async function findOpenOodSets(
  data: string,
  benchmark: OpenOodBenchmark,
  fullSpectrum: boolean,
): Promise<OpenOodSets> {
  const { train, test, near, far, shifted } = benchmark;
  for (const set of [train, test]) {
    const path = await missingPath(data, set);
    if (path)
      throw new DataError(path, `is missing, and the benchmark cannot do without ${set.name}`, from(set));
  }
  const wanted = [
    ...near.map((set) => ({ set, kind: 'near' as const })),
    ...far.map((set) => ({ set, kind: 'far' as const })),
    ...(fullSpectrum ? shifted : []).map((set) => ({ set, kind: 'shifted' as const })),
  ];
  const others: (NamedSet & { kind: SetKind })[] = [];
  const missing: MissingSet[] = [];
  for (const { set, kind } of wanted) {
    const path = await missingPath(data, set);
    if (path) missing.push({ name: set.name, kind, path, from: from(set) });
    else others.push({ ...named(data, set), kind });
  }
  if (!others.some(({ kind }) => kind !== 'shifted'))
    throw new DataError(
      data,
      'holds no near or far set of the benchmark',
      missing.map(({ name, path }) => `${name} was looked for at ${path}`).join(', '),
    );
  return { train: named(data, train), test: named(data, test), others, missing };
}

function named(data: string, { name, list, asStored }: ListedSet): NamedSet {
  return { name, source: listPath(data, list), ...(asStored && { asStored }) };
}

function listPath(data: string, list: string): string {
  return join(data, 'benchmark_imglist', list);
}

function from({ url }: ListedSet): string {
  return `get it from ${OPENOOD_DATA}; published at ${url}`;
}

/** The list, or the first image that it names, where it is not there. */
async function missingPath(data: string, { list, images }: ListedSet): Promise<string | undefined> {
  const path = listPath(data, list);
  if (!(await isFile(path))) return path;
  const first = await firstLine(path);
  const image = join(data, images, first.replace(/\s+-?\d+\s*$/, ''));
  return (await isFile(image)) ? undefined : image;
}

async function firstLine(path: string): Promise<string> {
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
  for await (const line of lines)
    if (line.trim()) {
      lines.close();
      return line;
    }
  throw new DataError(path, 'is an empty list', 'download it again');
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
