import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { DataError } from '../../src/common/errors.ts';
import { sha256, sha256File } from '../../src/common/files.ts';
import type { ImageSet } from '../image-set.ts';
import { resizeEach } from '../resample.ts';
import { type CifarBatch, cifarSize, imageBytes, plane } from './batch.ts';
import { openBinaryBatch, readBinaryNames } from './binary.ts';
import { openPythonBatch, readPythonNames } from './python.ts';

/** A published form of CIFAR-10 or CIFAR-100 (https://www.cs.toronto.edu/~kriz/cifar.html). */
interface Form {
  /** The files of each part, in order. */
  readonly train: readonly string[];
  readonly test: readonly string[];
  open(file: string): Promise<CifarBatch>;
  /** Class names by label, undefined where their file is missing. */
  names(folder: string): Promise<readonly string[] | undefined>;
}

const fiveBatches = (ending: string) => [1, 2, 3, 4, 5].map((i) => `data_batch_${i}${ending}`);

const forms: readonly Form[] = [
  {
    train: fiveBatches('.bin'),
    test: ['test_batch.bin'],
    open: (file) => openBinaryBatch(file, 1),
    names: (folder) => readBinaryNames(join(folder, 'batches.meta.txt')),
  },
  {
    train: ['train.bin'],
    test: ['test.bin'],
    // The coarse label comes first.
    open: (file) => openBinaryBatch(file, 2),
    names: (folder) => readBinaryNames(join(folder, 'fine_label_names.txt')),
  },
  {
    train: fiveBatches(''),
    test: ['test_batch'],
    open: (file) => openPythonBatch(file, 'labels'),
    names: (folder) => readPythonNames(join(folder, 'batches.meta'), 'label_names'),
  },
  {
    train: ['train'],
    test: ['test'],
    open: (file) => openPythonBatch(file, 'fine_labels'),
    names: (folder) => readPythonNames(join(folder, 'meta'), 'fine_label_names'),
  },
];

/**
 * Opens a folder of CIFAR-10 or CIFAR-100 batches, in their binary or their Python form.
 *
 * @param part which half of the set
 * @returns undefined where the folder holds no such batches
 * @throws DataError where no part is named, or a batch is missing or damaged
 */
export async function openCifar(
  folder: string,
  part: 'train' | 'test' | undefined,
  name: string,
): Promise<ImageSet | undefined> {
  const entries = await readdir(folder, { withFileTypes: true });
  // Folders do not count: an image set may well have `train` and `test`.
  const present = new Set(entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name));
  const form = forms.find(({ train, test }) => [...train, ...test].some((file) => present.has(file)));
  if (!form) return undefined;
  if (!part)
    throw new DataError(
      folder,
      'holds CIFAR batches to train and to test on',
      `say ${folder}:train or :test`,
    );
  const missing = form[part].find((file) => !present.has(file));
  if (missing) throw new DataError(folder, `lacks the CIFAR batch ${missing}`, 'unpack the whole archive');
  const batches: CifarBatch[] = [];
  for (const file of form[part]) batches.push(await form.open(join(folder, file)));
  return set(name, batches, await form.names(folder));
}

function set(name: string, batches: readonly CifarBatch[], classes: readonly string[] | undefined): ImageSet {
  /** The batch that image `index` is in, and its place there. */
  const locate = (index: number): [CifarBatch, number] => {
    let i = 0;
    while (index >= batches[i].labels.length) index -= batches[i++].labels.length;
    return [batches[i], index];
  };
  return {
    name,
    length: batches.reduce((sum, { labels }) => sum + labels.length, 0),
    classes,
    label(index) {
      const [{ labels }, place] = locate(index);
      return labels[place];
    },
    imageName(index) {
      const [{ file }, place] = locate(index);
      return `${basename(file)}/${place}`;
    },
    async fingerprint() {
      const hashes = await Promise.all(batches.map(({ file }) => sha256File(file)));
      return sha256(Buffer.from(hashes.join('\n')));
    },
    async read(start, count, size) {
      const pixels = new Uint8Array(count * imageBytes);
      for (let done = 0; done < count; ) {
        const [batch, place] = locate(start + done);
        const some = Math.min(count - done, batch.labels.length - place);
        const { bytes, stride } = await batch.planes(place, some);
        for (let i = 0; i < some; i++)
          interleave(bytes.subarray(i * stride), pixels.subarray((done + i) * imageBytes));
        done += some;
      }
      return resizeEach(pixels, count, cifarSize, size);
    },
  };
}

/** The red, green and blue planes of an image to RGB pixels. */
function interleave(planes: Uint8Array, pixels: Uint8Array): void {
  for (let i = 0; i < plane; i++) {
    pixels[3 * i] = planes[i];
    pixels[3 * i + 1] = planes[plane + i];
    pixels[3 * i + 2] = planes[2 * plane + i];
  }
}
