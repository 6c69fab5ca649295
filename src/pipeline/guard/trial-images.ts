import type { ImageSet } from '../../../data/image-set.ts';
import { DataError, RunError } from '../../common/errors.ts';
import type { FeatureGraph } from '../features/feature-graph.ts';
import { openRecorded, recordedSet } from '../features/recorded-set.ts';
import type { RunFolder } from '../run-folder.ts';
import { testImages } from './guarded-model.ts';
import type { TrialImages } from './runtimes.ts';

/** So many images, spread over the set. */
const COUNT = 64;

/** Held-out images, for trying what was written; images made for that where the set is no longer there. */
export async function trialImages(
  run: RunFolder,
  heldOut: string,
  graph: FeatureGraph,
): Promise<TrialImages> {
  const { size, batch } = graph;
  try {
    return await imagesForTrial(await openRecorded(recordedSet(run, heldOut)), graph);
  } catch (error) {
    if (!(error instanceof DataError || error instanceof RunError)) throw error;
    const { data, shape } = testImages(graph);
    return { pixels: data as Uint8Array, count: shape[0], size, batch };
  }
}

/** Some images of a set, for trying a guard on. */
export async function imagesForTrial(
  images: ImageSet,
  { size, batch }: Pick<TrialImages, 'size' | 'batch'>,
): Promise<TrialImages> {
  const step = Math.max(1, Math.floor(images.length / COUNT));
  const count = Math.min(COUNT, images.length);
  const pixels = new Uint8Array(count * size.height * size.width * 3);
  for (let i = 0; i < count; i++)
    pixels.set(await images.read(i * step, 1, size), i * size.height * size.width * 3);
  return { pixels, count, size, batch };
}
