import { basename } from 'node:path';
import { advice, command, option, RunError } from '../../common/errors.ts';
import { type RunFolder, readManifest } from '../run-folder.ts';
import type { FoundSet } from './found-sets.ts';

/** How well two guards find an OOD set. */
export interface LostAuroc {
  readonly name: string;
  readonly auroc: number;
  /** Of the guard that it is compared with. */
  readonly aurocBefore: number;
}

/**
 * What a run's guard loses in AUROC to that of another run, of the classifier before it was quantised, say. Each is calibrated by
 * itself.
 *
 * @param sets how the run's own guard finds its OOD sets
 * @param other the other run's folder
 * @throws RunError where that has no guard, or they have no set of the same images
 */
export async function lostAuroc(
  run: RunFolder,
  sets: readonly FoundSet[],
  other: string,
): Promise<LostAuroc[]> {
  const { steps } = await readManifest(other);
  if (!steps.guard)
    throw new RunError(other, 'has no guard', advice`run ${command('guard', option('run', other))} first`);
  const before = steps.guard.results.sets as readonly FoundSet[];
  const imagesOf = (name: string) => `features/${name}_test`;
  const shared = sets.flatMap(({ name, auroc }) => {
    const own = run.record(imagesOf(name))?.inputs.images;
    const same = before.find((set) => set.name === name && steps[imagesOf(name)]?.inputs.images === own);
    return own !== undefined && same ? [{ name, auroc, aurocBefore: same.auroc }] : [];
  });
  if (shared.length === 0)
    throw new RunError(
      other,
      `has no OOD set of the same images as ${basename(run.path)}`,
      advice`run ${command('features', option('ood', 'SET'))} for both, and ${command('guard')} again`,
    );
  return shared;
}
