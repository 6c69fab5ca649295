import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { fitDetectors } from '../../src/pipeline/detectors/fit-detectors.ts';
import { evaluateRun } from '../../src/pipeline/evaluation/evaluate-run.ts';
import { RunFolder } from '../../src/pipeline/run-folder.ts';
import { python } from './python.ts';

interface OriginalRun {
  readonly layers: readonly { gamma: number; error: number; undecided: number }[];
  readonly auroc: Readonly<Record<string, number>>;
}

describe("feature files of the original's layout, written by h5py", () => {
  const folder = mkdtempSync(join(tmpdir(), 'la-ood-original-'));
  after(() => rm(folder, { recursive: true }));

  it('are fitted and evaluated here, with the figures of scikit-learn', async () => {
    const original = await python<OriginalRun>('original-run.py', folder);
    const { detectors, evaluation } = await RunFolder.use(folder, async (run) => {
      const { detectors } = await fitDetectors(run, { ind: 'ind', compat: 'original' });
      return { detectors, ...(await evaluateRun(run, { ind: 'ind' })) };
    });
    expect(detectors.map(({ gamma }) => gamma)).deep.equals(original.layers.map(({ gamma }) => gamma));
    detectors.forEach(({ fit, tap }, l) => {
      // Samples within 3e-3 of the boundary may fall on its other side.
      expect(fit.error, tap).closeTo(original.layers[l].error, original.layers[l].undecided + 1e-12);
    });
    for (const ood of ['far', 'near']) {
      const set = evaluation.sets.find((candidate) => candidate.ood === ood)!;
      expect(set.laOod.metrics.auroc, ood).closeTo(original.auroc[ood], 5e-4);
      expect(set.baselines, 'no file says which layer the logits are').deep.equals([]);
    }
  });
});
