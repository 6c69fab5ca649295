import { copyFile, mkdir, readFile, rm } from 'node:fs/promises';
import { expect } from 'chai';
import { writeFeatures } from '../../converters/hdf5/write-features.ts';
import { RunError } from '../../src/common/errors.ts';
import { packageRoot } from '../../src/common/package-root.ts';
import { evaluateRun, extractFeatures, fitDetectors, RunFolder } from '../../src/index.ts';
import { temporaryFolder, writeImage } from '../data/images.ts';
import { rejection } from '../data/rejection.ts';
import { pooledFeatures } from '../detectors/pooled-features.ts';

describe('Files of a run that do not belong together', () => {
  const folder = temporaryFolder();

  it('are layers of other channels, which are named with those of the detector', async () => {
    const run = folder.at('widths');
    await mkdir(folder.at('widths', 'features'), { recursive: true });
    for (const [set, width] of [
      ['ind_train', 4],
      ['ind_test', 5],
      ['ood_test', 4],
    ] as const)
      await writeFeatures(
        folder.at('widths', 'features', `${set}.hdf5`),
        { widths: [width], count: 200 },
        (append) => append([pooledFeatures(200, width)]),
      );
    await RunFolder.use(run, (opened) => fitDetectors(opened, { ind: 'ind', nu: 0.02, workers: 1 }));
    const error = await rejection(
      RunFolder.use(run, (opened) => evaluateRun(opened, { ind: 'ind' })),
      RunError,
    );
    expect(error.message).to.match(
      /features\/ind_test\.hdf5: layer 0 has 5 channels, its detector 4; make it again$/,
    );
    // Whoever fits them, whenever: the same bytes.
    const first = await readFile(folder.at('widths', 'detectors.onnx'));
    await rm(folder.at('widths', 'detectors.onnx'));
    await RunFolder.use(run, (opened) => fitDetectors(opened, { ind: 'ind', nu: 0.02, workers: 2 }));
    expect((await readFile(folder.at('widths', 'detectors.onnx'))).equals(first)).to.equal(true);
  });

  it('are sets whose classes are numbered otherwise: both are named', async () => {
    const run = folder.at('classes');
    await mkdir(run);
    await copyFile(new URL('data/demo/backbone.onnx', packageRoot), folder.at('classes', 'backbone.onnx'));
    const names = Array.from({ length: 10 }, (_, i) => `class${i}`);
    for (const [set, first] of [
      ['one', 'a-first'],
      ['two', 'b-first'],
    ])
      for (const name of [first, ...names.slice(1)])
        await writeImage(folder.at(set, name, '0.png'), [1, 2, 3]);
    const extract = (part: 'train' | 'test', source: string) =>
      RunFolder.use(run, (opened) => extractFeatures(opened, { [part]: { name: 'ind', source }, batch: 5 }));
    await extract('test', folder.at('one'));
    const error = await rejection(extract('train', folder.at('two')), RunError);
    expect(error.message).to.match(
      /two: its class 0 is b-first, and that of \S*one is a-first; give both sets the same classes, in the same order$/,
    );
  });
});
