import { DataError } from '../../src/common/errors.ts';
import type { ByteSource } from '../files/byte-source.ts';
import type { ImageSet } from '../image-set.ts';
import type { Layout } from '../layouts/layout.ts';
import { type RawImages, rawImageSet } from '../raw-images.ts';
import { openBinaryBatch, readBinaryNames } from './cifar-binary.ts';
import { openPythonBatch, readPythonNames } from './cifar-python.ts';

/** A published form of CIFAR-10 or CIFAR-100 (https://www.cs.toronto.edu/~kriz/cifar.html). */
interface Form {
  /** The files of each part, in order. */
  readonly train: readonly string[];
  readonly test: readonly string[];
  /** The file of class names. */
  readonly names: string;
  open(file: ByteSource, name: string): Promise<RawImages>;
  /** Class names by label. */
  readNames(file: ByteSource): Promise<readonly string[] | undefined>;
}

const fiveBatches = (ending: string) => [1, 2, 3, 4, 5].map((i) => `data_batch_${i}${ending}`);

const forms: readonly Form[] = [
  {
    train: fiveBatches('.bin'),
    test: ['test_batch.bin'],
    names: 'batches.meta.txt',
    open: (file, name) => openBinaryBatch(file, name, 1),
    readNames: readBinaryNames,
  },
  {
    train: ['train.bin'],
    test: ['test.bin'],
    names: 'fine_label_names.txt',
    // The coarse label comes first.
    open: (file, name) => openBinaryBatch(file, name, 2),
    readNames: readBinaryNames,
  },
  {
    train: fiveBatches(''),
    test: ['test_batch'],
    names: 'batches.meta',
    open: (file, name) => openPythonBatch(file, name, 'labels'),
    readNames: (file) => readPythonNames(file, 'label_names'),
  },
  {
    train: ['train'],
    test: ['test'],
    names: 'meta',
    open: (file, name) => openPythonBatch(file, name, 'fine_labels'),
    readNames: (file) => readPythonNames(file, 'fine_label_names'),
  },
];

/** Whether a file of this name is one batch of CIFAR. */
export function isCifarBatch(file: string): boolean {
  return formOf(file) !== undefined;
}

/** One batch by itself, without class names, since these are beside it. */
export async function openCifarBatch(file: ByteSource, batch: string, name: string): Promise<ImageSet> {
  return rawImageSet(name, [await formOf(batch)!.open(file, batch)]);
}

function formOf(file: string): Form | undefined {
  return forms.find(({ train, test }) => train.includes(file) || test.includes(file));
}

/** CIFAR-10 or CIFAR-100 batches, in their binary or their Python form. */
export const cifar: Layout = async (tree, others, { name, part }) => {
  const form = forms.find(({ train, test }) => [...train, ...test].some((file) => others.has(file)));
  if (!form) return undefined;
  const { where } = tree;
  if (part !== 'train' && part !== 'test')
    throw new DataError(where, 'holds CIFAR batches to train and to test on', `say ${where}:train or :test`);
  const missing = form[part].find((file) => !others.has(file));
  if (missing) throw new DataError(where, `lacks the CIFAR batch ${missing}`, 'unpack the whole archive');
  const batches: RawImages[] = [];
  for (const file of form[part]) batches.push(await form.open(await tree.open(others.get(file)!), file));
  const names = others.get(form.names);
  return rawImageSet(
    name,
    batches,
    names === undefined ? names : await form.readNames(await tree.open(names)),
  );
};
