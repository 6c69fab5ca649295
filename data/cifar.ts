import { open, readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { DataError } from '../src/common/errors.ts';
import { sha256, sha256File } from '../src/common/files.ts';
import type { ImageSet, ImageSize } from './image-set.ts';
import { resizeEach } from './resample.ts';

const cifarSize: ImageSize = { height: 32, width: 32 };
const plane = cifarSize.height * cifarSize.width;
const imageBytes = 3 * plane;

/** The binary version of CIFAR-10 or CIFAR-100 (https://www.cs.toronto.edu/~kriz/cifar.html). */
interface Layout {
  /** The files of each part, in order. */
  readonly train: readonly string[];
  readonly test: readonly string[];
  /** Bytes before the 3072 of a record's image; the last of them is the label. */
  readonly labelBytes: number;
  /** The file with one class name a line. */
  readonly classNames: string;
}

const layouts: readonly Layout[] = [
  {
    train: [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`),
    test: ['test_batch.bin'],
    labelBytes: 1,
    classNames: 'batches.meta.txt',
  },
  // CIFAR-100's first byte is the coarse label.
  { train: ['train.bin'], test: ['test.bin'], labelBytes: 2, classNames: 'fine_label_names.txt' },
];

/**
 * Opens a folder of CIFAR-10 or CIFAR-100 binary batches.
 *
 * @param part which half of the set
 * @returns undefined where the folder holds no such batches
 * @throws DataError where no part is named, or a batch is missing or cut short
 */
export async function openCifar(
  folder: string,
  part: 'train' | 'test' | undefined,
  name: string,
): Promise<ImageSet | undefined> {
  const present = new Set(await readdir(folder));
  const layout = layouts.find(({ train, test }) => [...train, ...test].some((file) => present.has(file)));
  if (!layout) return undefined;
  if (!part)
    throw new DataError(
      folder,
      'holds CIFAR batches to train and to test on',
      `say ${folder}:train or :test`,
    );
  const missing = layout[part].find((file) => !present.has(file));
  if (missing) throw new DataError(folder, `lacks the CIFAR batch ${missing}`, 'unpack the whole archive');
  const files = layout[part].map((file) => join(folder, file));
  const labels: Uint8Array[] = [];
  for (const file of files) labels.push(await readLabels(file, layout.labelBytes));
  return binarySet(name, files, labels, layout.labelBytes, await classNames(join(folder, layout.classNames)));
}

function binarySet(
  name: string,
  files: readonly string[],
  labels: readonly Uint8Array[],
  labelBytes: number,
  classes: readonly string[] | undefined,
): ImageSet {
  const record = labelBytes + imageBytes;
  /** The file that image `index` is in, and its place there. */
  const locate = (index: number): [number, number] => {
    let file = 0;
    while (index >= labels[file].length) index -= labels[file++].length;
    return [file, index];
  };
  return {
    name,
    length: labels.reduce((sum, { length }) => sum + length, 0),
    classes,
    label(index) {
      const [file, place] = locate(index);
      return labels[file][place];
    },
    imageName(index) {
      const [file, place] = locate(index);
      return `${basename(files[file])}/${place}`;
    },
    fingerprint: async () => sha256(Buffer.from((await Promise.all(files.map(sha256File))).join('\n'))),
    async read(start, count, size) {
      const pixels = new Uint8Array(count * imageBytes);
      for (let done = 0; done < count; ) {
        const [file, place] = locate(start + done);
        const some = Math.min(count - done, labels[file].length - place);
        const records = await readBytes(files[file], place * record, some * record);
        for (let i = 0; i < some; i++)
          interleave(records.subarray(i * record + labelBytes), pixels.subarray((done + i) * imageBytes));
        done += some;
      }
      return resizeEach(pixels, count, cifarSize, size);
    },
  };
}

/** The last label byte of every record. */
async function readLabels(file: string, labelBytes: number): Promise<Uint8Array> {
  const bytes = await readFile(file);
  const record = labelBytes + imageBytes;
  const count = Math.floor(bytes.length / record);
  if (count === 0 || count * record !== bytes.length)
    throw new DataError(
      file,
      `is cut short: ${bytes.length} bytes are not a whole number of ${record}-byte records`,
      'download it again',
    );
  return Uint8Array.from({ length: count }, (_, i) => bytes[i * record + labelBytes - 1]);
}

async function readBytes(file: string, position: number, length: number): Promise<Uint8Array> {
  const handle = await open(file);
  try {
    const bytes = new Uint8Array(length);
    const { bytesRead } = await handle.read(bytes, 0, length, position);
    if (bytesRead < length)
      throw new DataError(
        file,
        `ends at byte ${position + bytesRead}, it was longer before`,
        'download it again',
      );
    return bytes;
  } finally {
    await handle.close();
  }
}

/** The red, green and blue planes of a record to RGB pixels. */
function interleave(planes: Uint8Array, pixels: Uint8Array): void {
  for (let i = 0; i < plane; i++) {
    pixels[3 * i] = planes[i];
    pixels[3 * i + 1] = planes[plane + i];
    pixels[3 * i + 2] = planes[2 * plane + i];
  }
}

async function classNames(file: string): Promise<string[] | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text?.split('\n').filter(Boolean);
}
