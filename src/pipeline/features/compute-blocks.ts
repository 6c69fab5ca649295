import { batches } from '../../../data/batches.ts';
import type { ImageSet } from '../../../data/image-set.ts';
import type { OnProgress } from '../../common/progress.ts';
import type { FeatureBlocks } from './feature-blocks.ts';
import type { RunBackbone } from './run-backbone.ts';

/** Seconds of work that a cut costs at most. */
const BLOCK_SECONDS = 20;

/** Images whose features are kept in memory at most. */
const BLOCK_IMAGES = 2048;

/** Computes what is not there yet, block by block. */
export async function computeBlocks(
  blocks: FeatureBlocks,
  backbone: RunBackbone,
  images: ImageSet,
  onProgress?: OnProgress,
): Promise<void> {
  const { size, taps, widths } = backbone.graph;
  let done = (await blocks.ranges()).at(-1)?.end ?? 0;
  const tell = () =>
    onProgress?.({ task: `features ${images.name}`, done, total: images.length, unit: 'images' });
  if (done > 0) tell();
  if (done === images.length) return;
  const batch = await backbone.batchSize(images);
  const parallel = await backbone.parallelRuns();
  const running = new Set<Promise<void>>();
  let block = newBlock(done);
  for await (const { start, count, pixels } of batches(images, { batch, size, start: done })) {
    const { layers, start: first } = block;
    const run = backbone.run(pixels, count).then((outputs) => {
      taps.forEach((tap, l) => {
        layers[l].set(outputs[tap].data as Float32Array, (start - first) * widths[l]);
      });
      done += count;
      tell();
      running.delete(run);
    });
    // Whoever waits below is told of a failure; until then Node would take it for a crash.
    run.catch(() => {});
    running.add(run);
    const end = start + count;
    const isFull = end + batch > first + BLOCK_IMAGES || end === images.length;
    if (isFull || performance.now() - block.begin > 1000 * BLOCK_SECONDS) {
      await Promise.all(running);
      await blocks.write(
        first,
        await backbone.device(),
        layers.map((layer, l) => layer.subarray(0, (end - first) * widths[l])),
      );
      block = newBlock(end);
    } else if (running.size >= 2 * parallel) await Promise.race(running);
  }

  function newBlock(start: number) {
    const most = Math.min(Math.max(BLOCK_IMAGES, batch), images.length - start);
    const layers = widths.map((width) => new Float32Array(most * width));
    return { start, layers, begin: performance.now() };
  }
}
