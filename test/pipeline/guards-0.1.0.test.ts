import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { monitorImages, recalibrateGuard, type ScoredImage, scoreImages } from '../../src/index.ts';
import { collectGuardFacts } from '../../src/pipeline/page/collect-guard-facts.ts';
import { temporaryFolder } from '../data/images.ts';

type Row = Pick<ScoredImage, 'label' | 'score' | 'pValue' | 'isOod' | 'layer'>;

/** Guards that `guards-0.1.0/make.ts` wrote with version 0.1.0. */
describe('guards of version 0.1.0', () => {
  const folder = temporaryFolder();
  const guards = join(import.meta.dirname, 'guards-0.1.0');
  let expected: Record<string, Row[]>;

  before(async () => {
    expected = JSON.parse(await readFile(join(guards, 'scores.json'), 'utf8'));
  });

  for (const [name, stages] of [
    ['evidence.onnx', false],
    ['max.onnx', false],
    ['early-exit.onnx', true],
  ] as const)
    describe(name, () => {
      const file = join(guards, name);

      it('scores as that version did', async () => {
        const rows: ScoredImage[] = [];
        for await (const row of scoreImages(file, ['demo:noise:10'])) rows.push(row);
        expect(rows).to.have.length(10);
        for (const [i, { label, score, pValue, isOod, layer }] of expected[name].entries()) {
          expect(rows[i]).to.include({ label, isOod, layer });
          expect(rows[i].score).to.be.closeTo(score, 1e-4 * Math.max(1, Math.abs(score)));
          expect(rows[i].pValue).to.be.closeTo(pValue, 0.021);
          expect(rows[i]).not.to.have.any.keys('reason', 'contentPValue');
        }
      });

      it('watches streams, and is shown by the page', async () => {
        let images = 0;
        for await (const { score } of monitorImages(file, ['demo:noise:10'])) {
          expect(score).to.be.closeTo(expected[name][images].score, 1e-3);
          images++;
        }
        expect(images).to.equal(10);
        const facts = await collectGuardFacts(file, name);
        expect(facts.version).to.equal('0.1.0');
        expect(facts.calibration).to.include({ rate: 0.1, count: 50 });
        expect(facts.stages !== undefined).to.equal(stages);
        expect(facts.parts).to.include(expected[name][0].layer);
      });

      it('is calibrated anew', async () => {
        const output = folder.at(name);
        const { calibration } = await recalibrateGuard(file, 'demo:textures:60', output);
        expect(calibration).to.include({ rate: 0.1, count: 60 });
        let found = 0;
        for await (const { isOod } of scoreImages(output, ['demo:textures:60'])) if (isOod) found++;
        expect(found).to.be.at.most(6);
      });
    });
});
