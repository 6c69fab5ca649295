import { join } from 'node:path';
import { openFeatures } from '../../converters/hdf5/open-features.ts';
import { writeFeatures } from '../../converters/hdf5/write-features.ts';
import { RandomState } from '../../src/common/random.ts';
import { fitMethods } from '../../src/detectors/methods/fit-methods.ts';
import type { MethodOptions } from '../../src/detectors/methods/method.ts';
import { chooseMethods } from '../../src/detectors/methods/method-registry.ts';
import { methodsModel } from '../../src/detectors/methods/methods-model.ts';
import { Training } from '../../src/detectors/methods/training.ts';
import { readModel } from '../../src/graph/read.ts';
import { writeModel } from '../../src/graph/write.ts';
import { MethodScorer } from '../../src/pipeline/methods/score-methods.ts';
import { trainingFeatures } from '../../src/pipeline/methods/training-features.ts';
import { type Bench, count, inTemporaryFolder, timed } from './bench.ts';

/** Logits of the made images, which neighbours do not read. */
const CLASSES = 2;

/** Made images that are written, or scored, at once. */
const ROWS = 1000;

const GIB = 2 ** 30;

/** Nearest neighbours among more training images than memory holds: a coreset of a feature file that is read as a stream. */
export const methodsBank: Bench = {
  about: 'nearest neighbours of a coreset of more training images than memory holds: time and peak memory',
  python: false,
  options: {
    images: { about: 'training images', default: '1280000' },
    width: { about: 'width of the head input', default: '2048' },
    bank: { about: 'training images that are kept', default: '50000' },
    queries: { about: 'images that are scored', default: '1000' },
  },
  async run(values) {
    const [images, width] = [count(values, 'images'), count(values, 'width')];
    await inTemporaryFolder(async (folder) => {
      const [train, queries] = [join(folder, 'train.hdf5'), join(folder, 'queries.hdf5')];
      const made = await timed(() => writeImages(train, images, width, 1));
      await writeImages(queries, count(values, 'queries'), width, 2);
      const gib = ((4 * images * width) / GIB).toFixed(1);
      console.log(`\n${images} x ${width} head inputs, ${gib} GiB, written in ${made.seconds.toFixed(0)} s`);

      const exact = await timed(() => fitKnn(train, folder, {}));
      console.log(`all of them: ${exact.result || 'fitted'} (${exact.seconds.toFixed(1)} s)`);
      const coreset = await timed(() => fitKnn(train, folder, { bank: count(values, 'bank') }));
      console.log(`${coreset.result} (${coreset.seconds.toFixed(0)} s)`);
      const scored = await timed(async () => {
        const scorer = await MethodScorer.open(await readModel(join(folder, 'methods.onnx')));
        await scorer.score(queries);
        await scorer.close();
      });
      console.log(
        `${values.queries} images scored in ${scored.seconds.toFixed(1)} s, opening the file included`,
      );
      console.log(`peak memory  ${((1024 * process.resourceUsage().maxRSS) / GIB).toFixed(2)} GiB`);
    });
  },
};

/** Fits KNN and writes `methods.onnx`. Gives what it says: why it cannot be had, or what the coreset loses. */
async function fitKnn(train: string, folder: string, options: MethodOptions): Promise<string | undefined> {
  const features = await openFeatures(train);
  try {
    const training = new Training(trainingFeatures(features, {}));
    const { fitted, refused } = await fitMethods(chooseMethods(['knn']), training, options);
    if (refused.length > 0) return refused[0].reason;
    const { width } = training;
    const inputs = { logits: ['logits', CLASSES], headInput: ['head_input', width] } as const;
    await writeModel(join(folder, 'methods.onnx'), methodsModel(fitted, inputs));
    return fitted[0].notes?.join('; ');
  } finally {
    features.close();
  }
}

/** Rows of numbers that are not negative: parts of a pool, from random places. */
function writeImages(path: string, images: number, width: number, seed: number): Promise<void> {
  const random = new RandomState(seed);
  const pool = new Float32Array(1 << 22);
  for (let i = 0; i < pool.length; i++) pool[i] = Math.max(0, random.normal() + 0.3);
  const layout = {
    count: images,
    widths: [CLASSES, width],
    taps: ['logits', 'head_input'],
    attributes: { detector_taps: '[]', logits: 'logits', head_input: 'head_input' },
  };
  return writeFeatures(path, layout, (append) => {
    for (let start = 0; start < images; start += ROWS) {
      const rows = Math.min(ROWS, images - start);
      const values = new Float32Array(rows * width);
      for (let row = 0; row < rows; row++) {
        const from = random.integer(pool.length - width - 1);
        values.set(pool.subarray(from, from + width), row * width);
      }
      append([new Float32Array(rows * CLASSES), values]);
    }
  });
}
