import { readFile, rm, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import type { Metrics } from '../../src/evaluation/metrics.ts';
import { type Evaluation, evaluateRun, extractFeatures, guardRun, RunFolder } from '../../src/index.ts';
import { tableOf, textOf } from '../html.ts';
import { imageFolder, temporaryFolder } from './files.ts';
import { json, laOod } from './run.ts';
import { copyOfRun } from './run-states.ts';

describe('report.html', () => {
  const at = temporaryFolder();
  const run = () => at('run');
  const report = () => readFile(at('run', 'report.html'), 'utf8');
  const percent = (share: number) => (100 * share).toFixed(2);

  before(async () => {
    await copyOfRun('features', run());
    await imageFolder(at('shapes'), 'demo:shapes', 30);
    await imageFolder(at('faded'), 'demo:faded', 40);
    await RunFolder.use(run(), (folder) =>
      extractFeatures(folder, {
        ood: [
          { name: 'shapes', source: at('shapes') },
          { name: 'faded', source: at('faded') },
          { name: 'drawn', source: 'demo:patterned:60' },
        ],
        seed: 3,
      }),
    );
    await json('fit', '--run', run(), '--layers', 'conv1', 'conv3', 'conv5');
  });

  it('is written by evaluate, with the numbers of summary.json', async () => {
    const { stdout } = await laOod('evaluate', '--run', run());
    expect(stdout).to.include('report.html').and.include(`Next: open ${run()}/report.html`);
    const html = await report();
    const { sets }: Evaluation = JSON.parse(await readFile(at('run', 'results', 'summary.json'), 'utf8'));
    expect(sets.map(({ ood }) => ood)).to.deep.equal(['drawn', 'faded', 'noise', 'shapes', 'combined']);
    const [, ...rows] = tableOf(html, 'Results by OOD set, in %');
    for (const [s, { ood, laOod, best, baselines, bestMethod }] of sets.entries()) {
      const published =
        bestMethod && `${percent(bestMethod.metrics.auroc)} ${bestMethod.name.split(': ')[1]}`;
      expect(rows[s].slice(0, -1)).to.deep.equal([
        ood,
        percent(laOod.metrics.auroc),
        percent(laOod.metrics.fprAt95Tpr),
        percent(laOod.metrics.fprAt95TprIndPositive),
        published ?? '–',
        percent(best.metrics.auroc),
        ...baselines.map(({ metrics }) => percent(metrics.auroc)),
      ]);
      expect(bestMethod === undefined).to.equal(ood === 'combined');
    }
    const manifest = JSON.parse(await readFile(at('run', 'manifest.json'), 'utf8'));
    expect(Object.keys(manifest.steps.evaluate.outputs)).to.include('report.html');
    const files = tableOf(html, 'Files, the steps that wrote them, and their SHA-256');
    const hash: string = manifest.steps.fit.outputs['detectors.onnx'];
    expect(files.find(([file]) => file === 'detectors.onnx')!.at(-1)).to.equal(`${hash.slice(0, 16)}…`);
  });

  it('shows 16 images of each set, generated ones drawn again by their seed', async () => {
    const html = await report();
    expect(html.match(/<img src="data:image\/webp;base64,/g)).to.have.length(5 * 16);
    expect(textOf(html)).to.not.include('are not shown');
    expect(html).to.include('alt="faded, 00');
  });

  it('is the same, byte by byte, when nothing has changed', async () => {
    const before = await report();
    await RunFolder.use(run(), (folder) => evaluateRun(folder));
    expect(await report()).to.equal(before);
  });

  for (const [name, options] of Object.entries({
    default: {},
    Gaussian: { detector: 'layer-gaussians' },
    'nearest-neighbour': { detector: 'layer-knn', aggregation: 'max' },
    energy: { detector: 'energy' },
  } as const))
    it(`has the ${name} guard’s figures, from guarded.onnx itself`, async () => {
      const { sets, calibration } = await RunFolder.use(run(), async (folder) => {
        const guard = await guardRun(folder, { ...options, rate: 0.1 });
        await evaluateRun(folder);
        return guard;
      });
      const html = await report();
      const [head, ...rows] = tableOf(html, 'Results by OOD set, in %');
      expect(head[1]).to.equal('guard AUROC');
      for (const [s, { name, auroc, found, byQuestion }] of sets.entries()) {
        expect(rows[s][0]).to.equal(name);
        expect(Number(rows[s][1])).to.be.closeTo(100 * auroc, 0.011);
        for (const [question, answer] of Object.entries(byQuestion)) {
          const column = head.indexOf(`guard: ${question} AUROC`);
          expect(Number(rows[s][column])).to.be.closeTo(100 * answer.auroc, 0.011);
        }
        expect(textOf(html)).to.include(`The guard flags ${(100 * found).toFixed(1)} % of ${name}.`);
      }
      expect(textOf(html)).to.include(`at most ${(100 * calibration.upperBound).toFixed(1)} %`);
    });

  it('has published methods beside the guard, near and far sets apart, in every table', async () => {
    const { stdout } = await laOod(
      ...['evaluate', '--run', run(), '--methods', 'knn', 'msp'],
      ...['--ood', 'near:shapes', 'far:faded', 'far:drawn'],
    );
    const text = await readFile(at('run', 'results', 'summary.json'), 'utf8');
    const { sets, methods }: Evaluation = JSON.parse(text);
    expect(methods.sets).to.deep.equal([
      { name: 'shapes', images: 30, kind: 'near' },
      { name: 'faded', images: 40, kind: 'far' },
      { name: 'drawn', images: 60, kind: 'far' },
    ]);
    expect(methods.methods.map(({ name }) => name)).to.deep.equal(['guard', 'MSP', 'KNN']);
    const [guard, msp] = methods.methods;
    expect(guard.indImages).to.equal(500);
    expect(sets[0].guard!.metrics).to.deep.equal(guard.sets[0]);
    expect(msp.means.far!.auroc).to.be.closeTo((msp.sets[1].auroc + msp.sets[2].auroc) / 2, 1e-12);
    // The same scores: of 30 against the first 30 there, and against all 500 here.
    const baseline = sets[0].baselines.find(({ name }) => name === 'MSP')!;
    expect(msp.sets[0].auroc).to.be.closeTo(baseline.metrics.auroc, 0.1);
    const shown = ({ auroc, fprAt95TprIndPositive }: Metrics) =>
      `${(100 * auroc).toFixed(1)} / ${(100 - 100 * fprAt95TprIndPositive).toFixed(0)}`;
    expect(stdout).to.match(new RegExp(`Near-OOD sets\\n[\\s\\S]*MSP +│ +(\\* )?${shown(msp.sets[0])} `));
    expect(stdout).to.match(/│ shapes +│ guard +│/);
    const html = await report();
    const [, first] = tableOf(html, 'Far-OOD sets, method by method');
    expect(first).to.deep.equal(['guard', ...[guard.sets[1], guard.sets[2], guard.means.far!].map(shown)]);
    const csv = await readFile(at('run', 'results', 'methods.csv'), 'utf8');
    expect(csv).to.match(/\ndemo,KNN,far,mean,500,,/);
  });

  it('leaves out a guard that is not the run’s any more', async () => {
    await writeFile(at('run', 'guarded.onnx'), 'another');
    await RunFolder.use(run(), (folder) => evaluateRun(folder));
    expect(await report()).to.not.include('The guard flags');
  });

  it('says which sets have vanished or changed, and shows the others', async () => {
    await rm(at('faded'), { recursive: true });
    await imageFolder(at('shapes'), 'demo:blank', 1);
    const { exitCode } = await laOod('evaluate', '--run', run());
    expect(exitCode).to.equal(0);
    const html = await report();
    expect(textOf(html)).to.include(
      `The pictures of faded are not shown: ${at('faded')}: no such file or folder`,
    );
    expect(textOf(html)).to.include('The pictures of shapes are not shown');
    expect(textOf(html)).to.include('is not what it was when its features were computed');
    expect(html.match(/<img src=/g)).to.have.length(3 * 16);
    expect(html.match(/class="no-picture"/g)).to.have.length(2 * 16);
  });
});
