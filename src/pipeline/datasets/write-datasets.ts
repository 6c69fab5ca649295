import { writeHdf5Images } from '../../../data/formats/write-hdf5.ts';
import { randomNumbers, subset } from '../../../data/subset.ts';
import { UsageError } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import type { NamedSet } from '../features/feature-sets.ts';
import { type OnLeftOut, openImages } from '../open-images.ts';
import type { RunFolder } from '../run-folder.ts';

export interface DatasetOptions {
  /** InD images to train on, written to `<name>_train.hdf5`. */
  readonly train?: NamedSet;
  /** InD images to test on, written to `<name>.hdf5`. */
  readonly test?: NamedSet;
  /** OOD images, written to `<name>.hdf5`. */
  readonly ood?: readonly NamedSet[];
  /** Height and width in pixels, 32 if not given; images of another size are stretched with Pillow's Lanczos filter. */
  readonly side?: number;
  /** OOD images that are kept of a set that has more, 10,000 if not given. */
  readonly limit?: number;
  /** Seed of the choice, and of generated sets; 0 if not given. */
  readonly seed?: number;
  /** `original` writes float64, as the original does, and follows it where its sets differ. */
  readonly compat?: 'original';
  /** Turns image files as their EXIF orientation says; the original does not. */
  readonly orient?: boolean;
  /** Leaves out the images that cannot be decoded, where they would end the work. */
  readonly skipDamaged?: boolean;
  readonly onProgress?: OnProgress;
  readonly onLeftOut?: OnLeftOut;
}

export interface DatasetReport {
  /** Name of the file without its ending: `cifar10_train`. */
  readonly set: string;
  readonly images: number;
  /** Images that the set has, before it was cut. */
  readonly of: number;
  /** Names of the images that were left out because they cannot be decoded. */
  readonly skipped?: readonly string[];
  readonly seconds: number;
  readonly done: 'now' | 'before';
}

/**
 * Writes sets of images as the original's dataset files (see `writeHdf5Images`) into a folder, whose manifest says
 * where they come from. Of an OOD set with more than `limit` images the first `limit` of a random order are
 * kept, which is what the original does with SVHN; the manifest has their numbers as `chosen`.
 *
 * @throws UsageError where two sets have one name; DataError where images cannot be read
 *
 * @example
 * ```ts
 * import { RunFolder, writeDatasets } from 'la-ood/guard';
 *
 * await RunFolder.use('datasets', (folder) =>
 *   writeDatasets(folder, { ood: [{ name: 'svhn', source: 'downloads/svhn:test' }], side: 32 }),
 * );
 * ```
 */
export async function writeDatasets(folder: RunFolder, options: DatasetOptions): Promise<DatasetReport[]> {
  const { train, test, ood = [], limit = 10_000 } = options;
  const sets: Dataset[] = ood.map((set) => ({ ...set, limit }));
  if (test) sets.unshift(test);
  if (train) sets.unshift({ ...train, name: `${train.name}_train` });
  sets.forEach(({ name }, i) => {
    if (sets.findIndex((set) => set.name === name) < i)
      throw new UsageError(`set ${name}`, 'is named twice', 'give each set a name of its own');
  });
  const reports: DatasetReport[] = [];
  for (const set of sets) reports.push(await writeDataset(folder, set, options));
  return reports;
}

interface Dataset extends NamedSet {
  readonly limit?: number;
}

async function writeDataset(
  folder: RunFolder,
  { name, source, limit = Number.POSITIVE_INFINITY }: Dataset,
  { side = 32, seed = 0, compat, orient, skipDamaged, onProgress, onLeftOut }: DatasetOptions,
): Promise<DatasetReport> {
  const reading = { name, seed, compat, orient, skipDamaged };
  const { images: all, skipped } = await openImages(source, { ...reading, onProgress, onLeftOut });
  const of = all.length + (skipped?.length ?? 0);
  const chosen = all.length > limit ? randomNumbers(all.length, limit, seed) : undefined;
  const images = chosen ? subset(all, chosen) : all;
  const precision = compat === 'original' ? 'float64' : 'uint8';
  const output = `${name}.hdf5`;
  const { record, done } = await folder.do({
    name,
    settings: { side, precision, ...(orient && { orient }) },
    inputs: { images: await images.fingerprint() },
    run: async () => {
      const size = { height: side, width: side };
      await writeHdf5Images(folder.file(output), images, { size, precision, onProgress });
      return {
        outputs: [output],
        results: {
          source,
          images: images.length,
          of,
          ...(skipped && { skipped }),
          ...(images.leftOut && { leftOut: images.leftOut }),
          ...(chosen && { seed, chosen: [...chosen] }),
        },
      };
    },
  });
  return { set: name, images: images.length, of, skipped, seconds: record.seconds, done };
}
