import { basename } from 'node:path';
import { DataError } from '../../src/common/errors.ts';
import { openParquet } from '../formats/parquet.ts';
import { type Part, parts } from '../image-set.ts';
import type { Layout } from './layout.ts';

/**
 * The folder of a set of Hugging Face: Parquet files whose names, or whose folders' names, begin with their part,
 * `data/train-00000-of-00002.parquet`; several of one part follow each other in the order of their names.
 */
export const parquet: Layout = async (tree, others, { part }) => {
  const files = [...others.keys()].filter((name) => name.endsWith('.parquet')).sort();
  if (files.length === 0) return undefined;
  const found = parts.filter((which) => files.some((name) => partOf(name) === which));
  if (!part && found.length > 1)
    throw new DataError(tree.where, 'holds several parts', `say ${tree.where}:${found.join(' or :')}`);
  const chosen = part ? files.filter((name) => partOf(name) === part) : files;
  if (chosen.length === 0)
    throw new DataError(tree.where, `has no Parquet file of the part ${part}`, 'is it called otherwise?');
  const sources = await Promise.all(chosen.map((name) => tree.open(others.get(name)!)));
  return openParquet(tree.where, sources);
};

function partOf(path: string): Part | undefined {
  const words = [basename(path), ...path.split('/').slice(0, -1).reverse()];
  for (const word of words) {
    const [, which] = /^(train|test|val)(?:id|idation)?(?:[-_.]|$)/.exec(word) ?? [];
    if (which) return which as Part;
  }
  return undefined;
}
