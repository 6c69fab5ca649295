import { openLmdb } from '../files/lmdb.ts';
import { allFiles } from '../image-files.ts';
import type { Layout } from './layout.ts';

/** A folder that is an LMDB database, as the LSUN sets are: a value is an image file. */
export const lmdb: Layout = async (tree, others) => {
  const file = others.get('data.mdb');
  if (file === undefined) return undefined;
  const values = await openLmdb(await tree.open(file));
  return { tree: values, files: allFiles(values) };
};
