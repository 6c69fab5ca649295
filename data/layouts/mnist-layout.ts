import { DataError } from '../../src/common/errors.ts';
import { labelsFileName, openIdx } from '../formats/idx.ts';
import { parts } from '../image-set.ts';
import type { Layout } from './layout.ts';

/** MNIST and what is published like it: two IDX files for each of train and test, gzipped or not. */
export const mnist: Layout = async (tree, others, { name, part }) => {
  const images = new Map<string, string>();
  for (const file of others.keys()) {
    const [, which] = /(train|test|t10k)-images[-.]idx\d-ubyte(?:\.gz)?$/.exec(file) ?? [];
    if (which) images.set(which === 'train' ? 'train' : 'test', file);
  }
  if (images.size === 0) return undefined;
  const file = images.get(part ?? '');
  if (file === undefined)
    throw new DataError(
      tree.where,
      part ? `has no images of the part ${part}` : 'holds IDX files to train and to test on',
      `say ${tree.where}:${parts.filter((which) => images.has(which)).join(' or :')}`,
    );
  const labels = others.get(labelsFileName(file) ?? '');
  return openIdx(
    await tree.open(others.get(file)!),
    name,
    labels === undefined ? labels : await tree.open(labels),
  );
};
