import { asStored } from '../../../data/as-stored.ts';
import { corruptedSample } from '../../../data/derived/corrupted-sample.ts';
import { generatedNames } from '../../../data/generated/generated-set.ts';
import type { ImageSet, ImageSize } from '../../../data/image-set.ts';
import { RunError, UsageError } from '../../common/errors.ts';
import type { SetKind } from '../../evaluation/method-table.ts';
import { openImages } from '../open-images.ts';
import type { RunFolder } from '../run-folder.ts';
import type { FeatureOptions } from './extract-features.ts';

/** A set of images: its name, and what to open (see `openImageSet`). */
export interface NamedSet {
  readonly name: string;
  readonly source: string;
  /** Of an OOD set: how far it is from the InD set. */
  readonly kind?: SetKind;
  /** Its images are in the classifier's size already, and are not resized and cropped. */
  readonly asStored?: boolean;
}

/** What a set is for; `corrupted` are training images that something was done to, for the directions of a guard. */
export type Role = 'train' | 'test' | 'ood' | 'corrupted';

/** The name of a set's feature file, without its ending. */
export function fileName(name: string, role: Role): string {
  return `${name}_${role === 'ood' ? 'test' : role}`;
}

/** An OOD set by the name of the InD set would take its place, and InD would be measured against itself. */
export function refuseClashes(run: RunFolder, sets: readonly [NamedSet, Role][]): void {
  const seen = new Set<string>();
  for (const [{ name }, role] of sets) {
    const file = fileName(name, role);
    if (seen.has(file))
      throw new UsageError(`set ${name}`, 'is named twice', 'give each set a name of its own');
    seen.add(file);
    const recorded = run.record(`features/${file}`)?.results.role;
    if (recorded !== undefined && recorded !== role)
      throw new RunError(
        run.file('features', `${file}.hdf5`),
        `is an ${recorded === 'ood' ? 'OOD' : 'InD'} set of this run`,
        'give this set another name, or take another run folder',
      );
  }
}

/** Of the InD sets of a run: what is class 3 in one has to be class 3 in the other. */
export function refuseOtherClasses(run: RunFolder, { images, role, named }: OpenSet): void {
  const { classes } = images;
  if (!classes || role === 'ood') return;
  for (const [step, { results }] of run.records()) {
    const known = results as { role?: Role; classes?: readonly string[]; source?: string };
    const isOther = step.startsWith('features/') && step !== `features/${fileName(named.name, role)}`;
    if (!isOther || (known.role !== 'train' && known.role !== 'test')) continue;
    const differs =
      known.classes?.length === classes.length
        ? (name: string, i: number) => name !== known.classes![i]
        : undefined;
    const at = differs ? classes.findIndex(differs) : -1;
    if (at >= 0)
      throw new RunError(
        named.source,
        `its class ${at} is ${classes[at]}, and that of ${known.source} is ${known.classes![at]}`,
        'give both sets the same classes, in the same order',
      );
  }
}

/** A set of images that is open. */
export interface OpenSet {
  readonly images: ImageSet;
  readonly skipped?: readonly string[];
  readonly role: Role;
  readonly named: NamedSet;
}

/** Images of a generated set at most. */
const GENERATED = 10_000;

/** How many images the run's InD test set has, where it is known. */
function testImages(run: RunFolder): number | undefined {
  const tests = run.records().filter(([, { results }]) => results.role === 'test');
  return tests.length === 0 ? undefined : Math.max(...tests.map(([, { results }]) => Number(results.images)));
}

export async function openSet(
  run: RunFolder,
  named: NamedSet,
  role: Role,
  { compat, seed = 0, orient, skipDamaged, onProgress, onLeftOut }: FeatureOptions,
): Promise<OpenSet> {
  const name = fileName(named.name, role);
  // More images than it is compared with tell nothing more; the original has 10,000.
  const isDrawn = role === 'ood' && generatedNames.includes(named.source) && compat === undefined;
  const count = isDrawn ? Math.min(GENERATED, testImages(run) ?? GENERATED) : undefined;
  const reading = { seed, compat, orient, skipDamaged, ...(count && { count }) };
  const opened = await openImages(named.source, { name, ...reading, onProgress, onLeftOut });
  const images = named.asStored ? asStored(opened.images) : opened.images;
  return { ...opened, images, role, named };
}

export function corruptedSet({ images, named }: OpenSet, size: ImageSize, count?: number): OpenSet {
  const role = 'corrupted';
  return { images: corruptedSample(images, fileName(named.name, role), size, count), role, named };
}
