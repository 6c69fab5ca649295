import { basename } from 'node:path';
import { generatedNames } from '../../../data/generated/generated-set.ts';
import type { ImageSet } from '../../../data/image-set.ts';
import { openImageSet } from '../../../data/open.ts';
import { subset } from '../../../data/subset.ts';
import { DataError, RunError } from '../../common/errors.ts';
import type { RunFolder } from '../run-folder.ts';
import type { NamedSet, Role } from './feature-sets.ts';

/** The set of images that a feature file was computed of, as the manifest has it. */
export interface RecordedSet extends NamedSet {
  readonly role?: Role;
  /** How its images were read. */
  readonly reading: {
    readonly seed?: number;
    readonly count?: number;
    readonly orient?: boolean;
    readonly skipDamaged?: boolean;
    readonly compat?: 'original';
  };
  /** Names of the images that were left out. */
  readonly skipped: readonly string[];
  /** The images' fingerprint at that time. */
  readonly fingerprint: string;
}

/** @throws RunError where the manifest does not say what a feature file was computed of */
export function recordedSet(run: RunFolder, file: string): RecordedSet {
  const name = basename(file, '.hdf5');
  const record = run.record(`features/${name}`);
  const { role, source, skipped, seed, images } = (record?.results ?? {}) as {
    role?: Role;
    images?: number;
    source?: string;
    skipped?: string[];
    seed?: number;
  };
  if (record === undefined || source === undefined)
    throw new RunError(file, 'does not say which images it was computed of', 'compute it again here');
  const reading = {
    ...(seed !== undefined && { seed }),
    // Of a generated set there are as many images as were asked for.
    ...(generatedNames.includes(source) && { count: images }),
    ...(record.settings.orient === true && { orient: true }),
    ...(skipped && { skipDamaged: true }),
    ...(record.settings.precision === 'float64' && { compat: 'original' as const }),
  };
  const named = { name: name.replace(/_(train|test)$/, ''), source };
  return { ...named, role, reading, skipped: skipped ?? [], fingerprint: record.inputs.images };
}

/**
 * Opens the images again, those that could not be decoded left out.
 *
 * @throws DataError where they cannot be opened any more
 */
export async function openRecorded({ name, source, reading, skipped }: RecordedSet): Promise<ImageSet> {
  if (source.endsWith('stdin:'))
    throw new DataError(name, 'its images were named on standard input, and cannot be found again');
  const { seed, count, orient, compat } = reading;
  const set = await openImageSet(source, { name, seed, orient, compat, ...(count && { count }) });
  if (skipped.length === 0) return set;
  const left = new Set(skipped);
  const kept = Uint32Array.from(
    Array.from({ length: set.length }, (_, i) => i).filter((i) => !left.has(set.imageName(i))),
  );
  return subset(set, kept);
}
