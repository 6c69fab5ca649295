import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { readCheckpoint } from '../../converters/pytorch/read-checkpoint.ts';
import { writeCheckpoint } from '../../converters/pytorch/write-checkpoint.ts';
import type { Architecture } from '../../models/architecture.ts';
import { buildBackbone, stateDictOf } from '../../models/backbone.ts';
import { initialWeights } from '../../models/initial.ts';
import { architectureNamed } from '../../models/registry.ts';
import { RandomState } from '../../src/common/random.ts';
import type { StateDict, Tensor } from '../../src/common/tensor.ts';
import { type FeatureGraph, featureGraph } from '../../src/pipeline/features/feature-graph.ts';
import { fastestBatchSize } from '../../src/runtime/batch-size.ts';
import { SessionPool } from '../../src/runtime/session-pool.ts';
import { python } from '../parity/python.ts';
import { type Bench, count, inTemporaryFolder, median, readFloat32, spread, timed } from './bench.ts';

/** Real weights, by architecture, in the folder that `LA_OOD_REFERENCE` names. */
const checkpoints: Readonly<Record<string, string>> = {
  densenet100: 'densenet100-cifar10.pth.tar',
  vgg16: 'vgg16-cifar10.h5',
  resnet34: 'resnet34-cifar10-synthetic.h5',
};

const CLASSES = 10;

/** From pixels to the pooled value of every tap, beside PyTorch eager doing what the original does. */
export const features: Bench = {
  about: 'pixels to pooled features: images a second on the CPU beside PyTorch eager',
  python: true,
  options: {
    models: { about: 'backbones, separated by commas', default: 'densenet100,vgg16' },
    images: { about: 'images a round', default: '384' },
    rounds: { about: 'rounds: ours, theirs, ours, theirs, …', default: '3' },
  },
  async run(values) {
    const [images, rounds] = [count(values, 'images'), count(values, 'rounds')];
    for (const name of values.models!.split(',')) await compare(architectureNamed(name), images, rounds);
  },
};

async function compare(architecture: Architecture, images: number, rounds: number): Promise<void> {
  const { weights, origin } = await weightsOf(architecture);
  const backbone = buildBackbone(architecture, weights);
  const graph = featureGraph(backbone, architecture.name);
  const { height, width } = graph.size;
  const random = new RandomState(0);
  const pixels = Uint8Array.from({ length: images * height * width * 3 }, () => random.uint32() & 255);
  const pool = await SessionPool.open(graph.model, 'cpu');
  try {
    await inTemporaryFolder(async (folder) => {
      const [checkpoint, input, output] = ['weights.pth', 'pixels.bin', 'pooled.bin'].map((file) =>
        join(folder, file),
      );
      await writeCheckpoint(checkpoint, stateDictOf(backbone));
      await writeFile(input, pixels);
      const setup = { checkpoint, input, output, images, size: [height, width], classes: CLASSES };
      const { name, defaultNormalization } = architecture;
      const threads = availableParallelism();
      const task = JSON.stringify({ name, ...defaultNormalization, threads, ...setup });

      const batch = await fastestBatchSize(pool, (size) =>
        feeds(graph, new Uint8Array(size * height * width * 3), 0, size),
      );
      const ours: number[] = [];
      const theirs: number[] = [];
      let difference = 0;
      for (let round = 0; round < rounds; round++) {
        const { seconds, result } = await timed(() => extract(pool, graph, pixels, images, batch));
        ours.push(images / seconds);
        theirs.push(images / (await python<{ seconds: number }>('../bench/features.py', task)).seconds);
        difference = Math.max(difference, largestDifference(result, await readFloat32(output)));
      }
      console.log(`
${name}, ${origin}: ${images} images a round, ${threads} threads on both sides
  ours     ${spread(ours, 1)} images/s, batch ${batch}
  PyTorch  ${spread(theirs, 1)} images/s, batch 128
  ratio    ${(median(ours) / median(theirs)).toFixed(2)}; pooled features differ by ${difference.toExponential(1)} of their layer's largest at most`);
    });
  } finally {
    await pool.close();
  }
}

async function weightsOf(architecture: Architecture): Promise<{ weights: StateDict; origin: string }> {
  const root = process.env.LA_OOD_REFERENCE;
  const file = checkpoints[architecture.name];
  if (root && file) {
    const { stateDict } = await readCheckpoint(join(root, 'checkpoints', file));
    return { weights: stateDict, origin: file };
  }
  return { weights: initialWeights(architecture, CLASSES, new RandomState(0)), origin: 'random weights' };
}

/** What `extractFeatures` does with pixels: batches side by side on all sessions, gathered by layer. */
async function extract(
  pool: SessionPool,
  graph: FeatureGraph,
  pixels: Uint8Array,
  images: number,
  batch: number,
): Promise<Float32Array[]> {
  const { taps, widths } = graph;
  const layers = widths.map((width) => new Float32Array(images * width));
  const running = new Set<Promise<void>>();
  for (let start = 0; start < images; start += batch) {
    const run = pool
      .run(feeds(graph, pixels, start, Math.min(start + batch, images)), taps)
      .then((outputs) => {
        taps.forEach((tap, l) => {
          layers[l].set(outputs[tap].data as Float32Array, start * widths[l]);
        });
        running.delete(run);
      });
    running.add(run);
    if (running.size >= 2 * pool.size) await Promise.race(running);
  }
  await Promise.all(running);
  return layers;
}

function feeds({ size }: FeatureGraph, pixels: Uint8Array, start: number, end: number) {
  const image = size.height * size.width * 3;
  const batch: Tensor = {
    dtype: 'uint8',
    shape: [end - start, size.height, size.width, 3],
    data: pixels.slice(start * image, end * image),
  };
  return { pixels: batch };
}

/** The project's tolerance of pooled features. */
const TOLERANCE = 1e-4;

/** Relative to each layer's largest value. Behind the original's layers we have more, which theirs has not. */
function largestDifference(layers: readonly Float32Array[], expected: Float32Array): number {
  let largest = 0;
  let offset = 0;
  for (const layer of layers) {
    if (offset === expected.length) break;
    let [difference, scale] = [0, 0];
    for (let i = 0; i < layer.length; i++) {
      difference = Math.max(difference, Math.abs(layer[i] - expected[offset + i]));
      scale = Math.max(scale, Math.abs(expected[offset + i]));
    }
    largest = Math.max(largest, difference / scale);
    offset += layer.length;
  }
  if (!(largest <= TOLERANCE))
    throw new Error(`pooled features differ by ${largest} of their layer's largest`);
  return largest;
}
