import { expect } from 'chai';
import { writeHdf5Images } from '../../data/formats/write-hdf5.ts';
import { openImageSet } from '../../data/open.ts';
import { temporaryFolder } from '../data/images.ts';
import { python } from './python.ts';

describe('Dataset files beside Pillow and h5py', () => {
  const folder = temporaryFolder();
  before(() => python('datasets.py', 'make', folder.at('images')));

  for (const precision of ['uint8', 'float64'] as const)
    it(`in ${precision} hold what Pillow reads and resizes`, async () => {
      const file = folder.at(`${precision}.hdf5`);
      const images = await openImageSet(folder.at('images'));
      await writeHdf5Images(file, images, { size: { height: 32, width: 32 }, precision });
      expect(await python('datasets.py', 'read', file, folder.at('images'))).to.deep.equal({
        dtype: precision,
        shape: [300, 32, 32, 3],
        different: 0,
        labels: true,
        classes: true,
      });
    });
});
