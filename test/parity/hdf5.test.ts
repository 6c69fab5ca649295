import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openFeatures } from '../../converters/hdf5/open-features.ts';
import { writeFeatures } from '../../converters/hdf5/write-features.ts';
import { python } from './python.ts';

interface LayerRead {
  readonly dtype: string;
  readonly shape: number[];
  readonly equal: boolean;
  readonly finite: boolean;
}

describe('feature files beside h5py', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-parity-'));
  });
  after(() => rm(folder, { recursive: true }));

  /** The feature that hdf5.py writes too, rounded as NumPy does. */
  const rowsOf = (layer: number, width: number, count: number) =>
    Float32Array.from(
      { length: count * width },
      (_, i) => layer + Math.floor(i / width) / 1000 + (i % width) / 7,
    );

  for (const precision of ['float32', 'float64'] as const) {
    it(`written here in ${precision} are read by h5py and go through scikit-learn`, async () => {
      const path = join(folder, 'ours.hdf5');
      const widths = [3, 48, 12, 1, 7, 5, 6, 2, 9, 4, 11, 8];
      const layout = {
        widths,
        count: 300,
        precision,
        taps: widths.map((_, l) => `tåp${l}`),
        attributes: { dataset: 'x' },
      };
      await writeFeatures(path, layout, (append) =>
        append(widths.map((width, layer) => rowsOf(layer, width, 300))),
      );
      const read = await python<{ layers: LayerRead[]; attributes: Record<string, string> }>(
        'hdf5.py',
        'read',
        path,
      );
      expect(read.attributes).to.deep.equal({ dataset: 'x', taps: JSON.stringify(layout.taps) });
      expect(read.layers).to.deep.equal(
        widths.map((width) => ({ dtype: precision, shape: [300, width], equal: true, finite: true })),
      );
    });
  }

  it('written by h5py in the original’s layout are read here with equal numbers', async () => {
    const made = await python<{ names: string[]; widths: number[]; rows: number }>(
      'hdf5.py',
      'write',
      folder,
    );
    for (const name of made.names) {
      const features = await openFeatures(join(folder, `${name}.hdf5`));
      expect(features.widths, name).to.deep.equal(made.widths);
      expect(features.count, name).to.equal(made.rows);
      made.widths.forEach((width, layer) => {
        const expected = rowsOf(layer, width, made.rows);
        expect(features.readLayer(layer, { finite: true }), name).to.deep.equal(expected);
        expect(features.readLayerRows(layer, 123, 400), name).to.deep.equal(
          expected.slice(123 * width, 523 * width),
        );
      });
      if (name === 'latest') {
        expect(features.taps).to.deep.equal(made.widths.map((_, layer) => `tap${layer}`));
        expect(features.attributes.epochs).to.equal(3);
      }
      features.close();
    }
  });
});
