import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { batches } from '../../data/batches.ts';
import type { ImageSet, ImageSize } from '../../data/image-set.ts';
import { openImageSet } from '../../data/open.ts';
import { buildBackbone } from '../../models/backbone.ts';
import { initialWeights } from '../../models/initial.ts';
import { architectureNamed } from '../../models/registry.ts';
import { UsageError } from '../../src/common/errors.ts';
import { RandomState } from '../../src/common/random.ts';
import { featureGraph } from '../../src/pipeline/features/feature-graph.ts';
import { fastestBatchSize } from '../../src/runtime/batch-size.ts';
import { SessionPool } from '../../src/runtime/session-pool.ts';
import { pythonWithInput } from '../parity/python.ts';
import { type Bench, count, inTemporaryFolder, median, spread, timed } from './bench.ts';

const cores = availableParallelism();

/** From image files to pixels of the network's size, beside Pillow in as many processes as there are cores. */
export const data: Bench = {
  about: 'decoding and resizing: images a second beside Pillow; how long a network waits for images',
  python: true,
  options: {
    // A few hundred are read in 0.2 s, in which it shows that one of the processes has a batch of 32 more to do.
    photographs: { about: 'large images to make and read', default: '1024' },
    rounds: { about: 'rounds: ours, theirs, ours, theirs, …', default: '3' },
    models: { about: 'backbones that are fed, separated by commas', default: 'resnet20,densenet100' },
  },
  async run(values) {
    const rounds = count(values, 'rounds');
    await inTemporaryFolder(async (folder) => {
      const { small, large, wide } = await makeImages(folder, count(values, 'photographs'));
      console.log(`\ndecode and resize, ${cores} threads and ${cores} processes`);
      await compareImages('JPEG 32 × 32', small, square(32), rounds);
      for (const side of [32, 224]) {
        await compareImages('JPEG 256 × 256', large, square(side), rounds);
        await compareImages('JPEG 512 × 384', wide, square(side), rounds);
      }
      await compareCifar(join(folder, 'cifar'), rounds);
      console.log('\nshare of the time that the network waits for images');
      for (const name of values.models!.split(',')) await starvation(name, small);
    });
  },
};

const square = (side: number): ImageSize => ({ height: side, width: side });

/** CIFAR-10's test images as they are, and large images put together from tiny-imagenet's. */
async function makeImages(folder: string, photographs: number) {
  const root = process.env.LA_OOD_REFERENCE;
  if (!root) throw new UsageError('LA_OOD_REFERENCE', 'is not set', 'name the folder of reference data');
  for (const archive of ['cifar10-jpeg', 'tiny-imagenet-test'])
    execFileSync('tar', ['-xf', join(root, 'data', `${archive}.tar.xz`), '-C', folder]);
  const tiny = await openImageSet(join(folder, 'tiny-imagenet-200', 'test', 'images'));
  const [large, wide] = [join(folder, 'large'), join(folder, 'wide')];
  for (const path of [large, wide]) await mkdir(path);
  for (let i = 0; i < photographs; i++) {
    await writeTiles(join(large, `${i}.jpg`), tiny, (13 * i) % 9000, 2, 2);
    await writeTiles(join(wide, `${i}.jpg`), tiny, (13 * i) % 9000, 3, 4);
  }
  return { small: join(folder, 'test'), large, wide };
}

/** One JPEG of `down × across` images, each enlarged to 128 × 128. */
async function writeTiles(
  file: string,
  set: ImageSet,
  first: number,
  down: number,
  across: number,
): Promise<void> {
  const tile = square(128);
  const pixels = await set.read(first, down * across, { ...tile, filter: 'bicubic' });
  const raw = { ...tile, channels: 3 } as const;
  const tiles = Array.from({ length: down * across }, (_, i) => ({
    input: Buffer.from(pixels.subarray(i * 3 * 128 * 128, (i + 1) * 3 * 128 * 128)),
    raw,
    top: 128 * Math.floor(i / across),
    left: 128 * (i % across),
  }));
  const create = { width: 128 * across, height: 128 * down, channels: 3, background: 'black' } as const;
  await sharp({ create }).composite(tiles).removeAlpha().jpeg({ quality: 90 }).toFile(file);
}

async function compareImages(what: string, folder: string, size: ImageSize, rounds: number): Promise<void> {
  const set = await openImageSet(folder);
  const paths = Array.from({ length: set.length }, (_, i) => join(folder, set.imageName(i)));
  const task = JSON.stringify({
    kind: 'images',
    paths,
    size: [size.height, size.width],
    processes: cores,
  });
  await readAll(set, size, Math.min(set.length, 256));
  await compare(`${what} to ${size.height} × ${size.width}`, set.length, rounds, task, () =>
    readAll(set, size, set.length),
  );
}

/** 50,000 records of CIFAR's binary form, from a file that the system has in memory, beside NumPy and a plain copy. */
async function compareCifar(folder: string, rounds: number): Promise<void> {
  const images = 50_000;
  await mkdir(folder);
  const bytes = new Uint8Array(3073 * images).map((_, i) => (Math.imul(i, 0x9e3779b1) >>> 24) % 251);
  for (let i = 0; i < images; i++) bytes[3073 * i] = i % 10;
  const path = join(folder, 'test_batch.bin');
  await writeFile(path, bytes);
  const set = await openImageSet(`${folder}:test`);
  await compare('CIFAR binary', images, rounds, JSON.stringify({ kind: 'cifar', path }), () =>
    readAll(set, square(32), images),
  );
  const plain: number[] = [];
  for (let round = 0; round < rounds; round++)
    plain.push(images / (await timed(() => readFile(path))).seconds);
  console.log(`  a plain read of the file  ${spread(plain, 0)} images/s`);
}

/** Both sides read the same pixels, which their sum shows. */
async function compare(
  what: string,
  images: number,
  rounds: number,
  task: string,
  read: () => Promise<{ seconds: number; checksum: number }>,
): Promise<void> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const mine = await read();
    const other = await pythonWithInput<{ seconds: number; checksum: number }>('../bench/data.py', task);
    if (mine.checksum !== other.checksum) throw new Error(`${what}: the pixels differ`);
    ours.push(images / mine.seconds);
    theirs.push(images / other.seconds);
  }
  console.log(`${what.padEnd(28)}  ratio ${(median(ours) / median(theirs)).toFixed(2)}
  ours    ${spread(ours, 0)} images/s
  theirs  ${spread(theirs, 0)} images/s`);
}

/** The seconds that reading takes, and the sum of all bytes, which is not counted. */
async function readAll(set: ImageSet, size: ImageSize, end: number) {
  const parts: Uint8Array[] = [];
  const { seconds } = await timed(async () => {
    for await (const { pixels } of batches(set, { batch: 32, size, end })) parts.push(pixels);
  });
  let checksum = 0;
  for (const part of parts) for (let i = 0; i < part.length; i++) checksum += part[i];
  return { seconds, checksum };
}

/** Feeds a network as `extractFeatures` does, and adds up the time in which a session has nothing to do. */
async function starvation(name: string, folder: string): Promise<void> {
  const set = await openImageSet(folder);
  const graph = featureGraph(
    buildBackbone(architectureNamed(name), initialWeights(architectureNamed(name), 10, new RandomState(0))),
    name,
  );
  const pool = await SessionPool.open(graph.model, 'cpu');
  try {
    const feeds = (data: Uint8Array, images: number) => ({
      pixels: { dtype: 'uint8', shape: [images, graph.size.height, graph.size.width, 3], data } as const,
    });
    const batch = await fastestBatchSize(pool, (n) => feeds(new Uint8Array(n * 3072), n));
    const running = new Set<Promise<void>>();
    let idle = 0;
    let since = performance.now();
    const tick = () => {
      const now = performance.now();
      idle += ((now - since) * Math.max(0, pool.size - running.size)) / pool.size;
      since = now;
    };
    const start = performance.now();
    for await (const { count: images, pixels } of batches(set, { batch, size: graph.size, end: 3000 })) {
      tick();
      const run: Promise<void> = pool.run(feeds(pixels, images), graph.taps).then(() => {
        tick();
        running.delete(run);
      });
      running.add(run);
      if (running.size >= 2 * pool.size) await Promise.race(running);
    }
    await Promise.all(running);
    const total = performance.now() - start;
    const rate = 3000 / (total / 1000);
    console.log(
      `${name.padEnd(12)}  ${((100 * idle) / total).toFixed(1)} % of ${rate.toFixed(0)} images/s, batch ${batch}`,
    );
  } finally {
    await pool.close();
  }
}
