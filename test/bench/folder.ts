import { link, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { batches } from '../../data/batches.ts';
import { openImageSet } from '../../data/open.ts';
import { writeImage } from '../data/images.ts';
import { python } from '../parity/python.ts';
import { type Bench, count, inTemporaryFolder, timed } from './bench.ts';

/** File systems let a file have some 65,000 names. */
const linksEach = 50_000;
const size = { height: 32, width: 32 };

/** A very large folder, of hard links to a few images: how soon the first come, and what memory all of them take. */
export const folder: Bench = {
  about: 'a folder of many images: listing beside Python, the first batch, memory while all are read',
  python: true,
  options: {
    images: { about: 'images in the folder', default: '1000000' },
    classes: { about: 'sub-folders that they are in', default: '1000' },
  },
  async run(values) {
    const images = count(values, 'images');
    await inTemporaryFolder(async (root) => {
      await makeFolder(root, images, count(values, 'classes'));
      const theirs = await python<{ seconds: number; peak: number }>(
        '../bench/folder.py',
        join(root, 'images'),
      );
      const before = process.memoryUsage().rss;
      const begin = performance.now();
      const { seconds, result: set } = await timed(() => openImageSet(join(root, 'images')));
      const listed = process.memoryUsage().rss - before;
      let first = 0;
      let done = 0;
      let most = 0;
      for await (const batch of batches(set, { batch: 256, size })) {
        first ||= (performance.now() - begin) / 1000;
        done += batch.count;
        most = Math.max(most, process.memoryUsage().rss - before);
      }
      const rate = done / ((performance.now() - begin) / 1000 - first);
      console.log(
        `${set.length} images: listed in ${seconds.toFixed(2)} s (Python ${theirs.seconds.toFixed(2)} s)`,
      );
      console.log(
        `first batch of 256 after ${first.toFixed(2)} s, all ${done} at ${rate.toFixed(0)} a second`,
      );
      console.log(
        `memory added: ${mebibytes(listed)} by listing, ${mebibytes(most)} at most while reading (Python's list: ${theirs.peak.toFixed(0)} MiB)`,
      );
    });
  },
};

async function makeFolder(root: string, images: number, classes: number): Promise<void> {
  const sources = Math.ceil(images / linksEach);
  for (let i = 0; i < sources; i++) await writeImage(join(root, 'sources', `${i}.jpg`), [i, 90, 200 - i]);
  const className = (index: number) => join(root, 'images', `n${String(index % classes).padStart(8, '0')}`);
  for (let i = 0; i < classes; i++) await mkdir(className(i), { recursive: true });
  for (let start = 0; start < images; start += 1000) {
    const some = Array.from({ length: Math.min(1000, images - start) }, (_, i) => start + i);
    await Promise.all(
      some.map((i) =>
        link(
          join(root, 'sources', `${Math.floor(i / linksEach)}.jpg`),
          join(className(i), `image_${String(i).padStart(8, '0')}.jpg`),
        ),
      ),
    );
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
