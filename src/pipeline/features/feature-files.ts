import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import type { FeatureFile } from '../../../converters/hdf5/open-features.ts';
import { advice, command, option, RunError, UsageError } from '../../common/errors.ts';
import { nearestName } from '../../common/suggest.ts';
import type { SetKind } from '../../evaluation/method-table.ts';
import type { RunFolder } from '../run-folder.ts';
import type { Role } from './feature-sets.ts';

/** A layer of a feature file. */
export interface FeatureLayer {
  /** Number of its dataset, from 0. */
  readonly index: number;
  /** The tap's name; the number where the file names none, as the original's do not. */
  readonly tap: string;
  readonly width: number;
  /** Whether it gets a detector unless something else is asked for. */
  readonly hasDetector: boolean;
}

/** The layers of a feature file, by its attributes where it is one of ours. */
export function featureLayers({ widths, taps, attributes }: FeatureFile): FeatureLayer[] {
  const names = taps ?? widths.map((_, index) => String(index));
  const listed = attributes.detector_taps;
  const withDetector = new Set<string>(typeof listed === 'string' ? JSON.parse(listed) : names);
  return widths.map((width, index) => ({
    index,
    tap: names[index],
    width,
    hasDetector: withDetector.has(names[index]),
  }));
}

/** The layers of these names or numbers; without any, those that get a detector. */
export function chooseLayers(features: FeatureFile, wanted?: readonly string[]): FeatureLayer[] {
  const layers = featureLayers(features);
  if (!wanted) return layers.filter(({ hasDetector }) => hasDetector);
  return wanted.map((name) => {
    const layer = layers.find(({ tap, index }) => tap === name || String(index) === name);
    if (layer) return layer;
    const nearest = nearestName(
      name,
      layers.map(({ tap }) => tap),
    );
    throw new UsageError(
      `layer ${name}`,
      'there is none of that name',
      nearest ? `did you mean ${nearest}?` : `layers are numbered 0 to ${layers.length - 1}`,
    );
  });
}

/**
 * The run's feature file of an InD part: that of the set named `ind`, else the only one there is.
 *
 * @throws RunError where there is none, or several to choose from
 */
export async function featureFile(run: RunFolder, part: 'train' | 'test', ind?: string): Promise<string> {
  const ending = `_${part}.hdf5`;
  const role: Role = part;
  const names = (await featureSets(run))
    .filter((file) => file.endsWith(ending))
    .filter((file) => {
      const recorded = run.record(`features/${file.slice(0, -'.hdf5'.length)}`)?.results.role;
      return recorded === undefined || recorded === role;
    })
    .map((file) => file.slice(0, -ending.length));
  const where = run.file('features');
  if (ind === undefined && names.length === 1) return run.file('features', `${names[0]}${ending}`);
  if (ind !== undefined && names.includes(ind)) return run.file('features', `${ind}${ending}`);
  if (names.length === 0)
    throw new RunError(
      where,
      `holds no ${part === 'train' ? 'training' : 'test'} features`,
      advice`run ${command('features')} first`,
    );
  if (ind === undefined)
    throw new RunError(
      where,
      `holds features of ${names.join(', ')}`,
      advice`say which is InD with ${option('ind')}`,
    );
  const nearest = nearestName(ind, names);
  throw new RunError(
    where,
    `holds no features of ${ind}`,
    nearest ? `did you mean ${nearest}?` : `there are ${names.join(', ')}`,
  );
}

/** The file of corrupted images that belongs to a training set's feature file. */
export function corruptedFile(train: string): string {
  return train.replace(/_train\.hdf5$/, '_corrupted.hdf5');
}

/** Names of the run's feature files, sorted. */
export async function featureSets(run: RunFolder): Promise<string[]> {
  const files = await readdir(run.file('features')).catch(() => [] as string[]);
  return files.filter((file) => !file.startsWith('.') && file.endsWith('.hdf5')).sort();
}

/** The run's feature files of OOD sets, or of those that are named. */
export async function oodFiles(run: RunFolder, ind: string, names?: readonly string[]): Promise<string[]> {
  const tests = (await featureSets(run))
    .filter((file) => file.endsWith('_test.hdf5'))
    .map((file) => run.file('features', file))
    .filter((file) => file !== ind);
  const chosen = names ? names.map((name) => run.file('features', `${name}_test.hdf5`)) : tests;
  const missing = chosen.find((file) => !tests.includes(file));
  if (missing)
    throw new RunError(
      missing,
      'there are no such features',
      `OOD sets here: ${tests.map(setName).join(', ') || 'none'}`,
    );
  if (chosen.length === 0)
    throw new RunError(
      run.file('features'),
      'holds no OOD set',
      advice`${command('features', option('ood', 'NAME=PATH'))} adds one`,
    );
  return chosen;
}

/** How far the set of an OOD feature file is from the InD set, where that was said when its features were computed. */
export function setKind(run: RunFolder, path: string): SetKind | undefined {
  return run.record(`features/${basename(path, '.hdf5')}`)?.results.kind as SetKind | undefined;
}

/** `runs/x/features/svhn_test.hdf5` holds the set `svhn`. */
export function setName(path: string): string {
  return path.replace(/^.*[\\/]/, '').replace(/_test\.hdf5$/, '');
}
