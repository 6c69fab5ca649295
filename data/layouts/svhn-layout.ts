import { DataError } from '../../src/common/errors.ts';
import { openSvhn } from '../formats/svhn.ts';
import type { Layout } from './layout.ts';

/** The folder of SVHN's cropped digits: `train_32x32.mat` and `test_32x32.mat`. */
export const svhn: Layout = async (tree, others, { name, part }) => {
  const parts = (['train', 'test'] as const).filter((which) => others.has(`${which}_32x32.mat`));
  if (parts.length === 0) return undefined;
  const file = others.get(`${part}_32x32.mat`);
  if (file === undefined)
    throw new DataError(
      tree.where,
      part ? `lacks ${part}_32x32.mat` : "holds SVHN's digits to train and to test on",
      `say ${tree.where}:${parts.join(' or :')}`,
    );
  return openSvhn(await tree.open(file), name);
};
