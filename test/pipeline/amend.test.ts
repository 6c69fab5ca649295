import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { setKind } from '../../src/pipeline/features/feature-files.ts';
import { RunFolder } from '../../src/pipeline/run-folder.ts';

describe('the kind of an OOD set', () => {
  it('is said anew without its features being computed anew', async () => {
    const path = await mkdtemp(join(tmpdir(), 'la-ood-run-'));
    try {
      let computed = 0;
      const step = (run: RunFolder) =>
        run.do({
          ...{ name: 'features/svhn_test', settings: {}, inputs: {} },
          async run() {
            computed++;
            await writeFile(run.file('svhn_test.hdf5'), 'features');
            return { outputs: ['svhn_test.hdf5'], results: { kind: 'near', images: 9 } };
          },
        });
      await RunFolder.use(path, async (run) => {
        await step(run);
        expect(setKind(run, 'svhn_test.hdf5')).to.equal('near');
        await run.amend('features/svhn_test', { kind: 'far' });
      });
      await RunFolder.use(path, async (run) => {
        const { record, done } = await step(run);
        expect([done, computed]).to.deep.equal(['before', 1]);
        expect(record.results).to.deep.equal({ kind: 'far', images: 9 });
        expect(setKind(run, 'svhn_test.hdf5')).to.equal('far');
        expect(setKind(run, 'tiny_test.hdf5')).to.equal(undefined);
      });
    } finally {
      await rm(path, { recursive: true });
    }
  });
});
