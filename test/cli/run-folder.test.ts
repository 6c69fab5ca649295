import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import {
  compareFiles,
  type DetectorsInspection,
  evaluateRun,
  extractFeatures,
  type FeaturesInspection,
  importCheckpoint,
  inspectFile,
  type MachineExamination,
  RunError,
  RunFolder,
  type RunInspection,
  UsageError,
} from '../../src/index.ts';
import { rejection } from '../data/rejection.ts';
import { checkpoint, imageFolder, temporaryFolder } from './files.ts';
import { json, laOod } from './run.ts';
import { copyBackbone } from './run-states.ts';

describe('la-ood features, fit and evaluate', () => {
  const at = temporaryFolder();
  const run = () => at('run');
  const layers = ['--layers', '0', 'conv3', 'logits'];

  before(async () => {
    await Promise.all([
      imageFolder(at('shapes', 'train'), 'demo:train', 240),
      imageFolder(at('shapes', 'test'), 'demo:test', 60),
      imageFolder(at('noise'), 'demo:noise', 40),
      imageFolder(at('blank'), 'demo:blank', 30),
      checkpoint(at('other.pth')),
    ]);
    await copyBackbone(run());
  });

  it('computes features, names the sets, and shows plain progress lines where there is no terminal', async () => {
    const { exitCode, stdout, stderr } = await laOod(
      ...['features', '--run', run(), '--ind', 'known', '--batch', '16'],
      ...['--train', at('shapes', 'train'), '--test', at('shapes', 'test')],
      ...['--ood', at('noise'), `plain=${at('blank')}`, '--corrupted', '20'],
    );
    expect(exitCode).to.equal(0);
    expect(stdout)
      .to.match(/^known_train +240 /m)
      .and.match(/^plain_test +30 /m);
    expect(stdout)
      .to.include(`Wrote in ${run()}: features/known_train.hdf5`)
      .and.include('Next: npx la-ood fit');
    for (const line of stderr.trimEnd().split('\n'))
      expect(line).to.match(
        /^features \w+_(train|corrupted|test): \d+ of \d+ images(, [\d.]+( s each|\/s))?(, ETA .*)?$/,
      );
    expect(stderr).to.include('features noise_test: 40 of 40 images');
    const path = at('run', 'features', 'known_test.hdf5');
    const found = (await inspectFile(path)) as FeaturesInspection;
    expect(found).to.include({ kind: 'features', images: 60 });
    // Behind the taps lie what goes into the last layer, and what tells of conditions.
    expect(found.layers.slice(6, 10)).to.deep.equal([
      { index: 6, tap: 'logits', width: 10, hasDetector: true },
      { index: 7, tap: 'head_input', width: 64, hasDetector: false },
      { index: 8, tap: 'relu1', width: 16, hasDetector: false },
      { index: 9, tap: 'relu1[deviation]', width: 16, hasDetector: false },
    ]);
  });

  it('fits the layers that are named, and says which gamma they took', async () => {
    const { exitCode, stdout } = await laOod(
      'fit',
      '--run',
      run(),
      ...layers,
      '--nu',
      '.01',
      '--workers',
      '1',
    );
    expect(exitCode).to.equal(0);
    expect(stdout).to.match(/^gamma +layers +support vectors/m);
    expect(stdout).to.include('3 detectors on 240 images').and.include('Next: npx la-ood evaluate');
    const path = at('run', 'detectors.onnx');
    const { detectors, backbone } = (await inspectFile(path)) as DetectorsInspection;
    expect(detectors.map(({ tap, nu }) => [tap, nu])).to.deep.equal([
      ['conv1', 0.01],
      ['conv3', 0.01],
      ['logits', 0.01],
    ]);
    expect(backbone).to.match(/^[0-9a-f]{64}$/);
  });

  it('does nothing twice', async () => {
    const again = await laOod('fit', '--run', run(), ...layers, '--nu', '.01');
    expect(again.stdout).to.include('3 detectors on 240 images, fitted before.');
    expect(again.stderr).not.to.include('fit: ');
    const ood = [{ name: 'noise', source: at('noise') }];
    const [noise] = await RunFolder.use(run(), (folder) => extractFeatures(folder, { ood }));
    expect(noise).to.include({ set: 'noise_test', done: 'before', images: 40 });
  });

  it('evaluates, and prints nothing but JSON under --json', async () => {
    const text = await laOod('evaluate', '--run', run(), '--ood', 'noise', '--quiet');
    expect(text.stderr).to.equal('');
    expect(text.stdout)
      .to.match(/noise +│ best method: /)
      .and.match(/│ LA-OOD +│/)
      .and.match(/40 : 40/)
      .and.not.include('Next');
    const result = await json<{ ind: string; sets: { ood: string }[]; files: string[] }>(
      ...['evaluate', '--run', run(), '--bootstrap', '20', '--max-ood', '35'],
    );
    expect(result.ind).to.equal('known');
    expect(result.sets.map(({ ood }) => ood)).to.deep.equal(['noise', 'plain', 'combined']);
    expect(result.files).to.include('results/known-vs-plain.csv').and.include('results/summary.json');
    for (const file of result.files) await stat(at('run', file));
  });

  it('notes where OOD images are InD images, and where sets differ in size', async () => {
    await imageFolder(at('inside'), 'demo:test', 25);
    await laOod('features', '--run', run(), '--ood', at('inside'));
    const { stdout } = await laOod('evaluate', '--run', run(), '--ood', 'noise', 'inside');
    expect(stdout).to.include('Note: 25 images of inside are images of the InD set known: they are not OOD.');
    expect(stdout).to.include('Note: noise has fewer images than known: only the first 40 of both');
    expect(stdout).not.to.include('images of noise are images');
    await rm(at('run', 'features', 'inside_test.hdf5'));
  });

  it('compares detectors by the scores that they give to the support vectors of both', async () => {
    const path = at('run', 'detectors.onnx');
    const { detectors } = (await inspectFile(path)) as DetectorsInspection;
    const { kind, rows, agrees } = await compareFiles(path, path);
    expect({ kind, agrees }).to.deep.equal({ kind: 'detectors', agrees: true });
    expect(rows.map(({ name, shape }) => [name, ...shape])).to.deep.equal(
      detectors.map(({ tap, supportVectors }) => [tap, 2 * supportVectors]),
    );
  });

  it('shows the steps of a run, and which files were changed since', async () => {
    const csv = await readFile(at('run', 'best_hyperparam.csv'));
    await writeFile(at('run', 'best_hyperparam.csv'), 'changed');
    const { steps } = await json<RunInspection>('inspect', run());
    await writeFile(at('run', 'best_hyperparam.csv'), csv);
    expect(steps.map(({ name }) => name)).to.include.members(['features/known_train', 'fit', 'evaluate']);
    const fit = steps.find(({ name }) => name === 'fit')!;
    expect(fit.files.map(({ file, state }) => [file, state])).to.deep.equal([
      ['detectors.onnx', 'intact'],
      ['best_hyperparam.csv', 'changed'],
      ['fitting_process.csv', 'intact'],
    ]);
  });

  it('suggests the nearest layer and the nearest set', async () => {
    const line = ['fit', '--run', run(), '--layers', 'conv9'];
    const { exitCode, stderr } = await laOod(...line);
    expect(exitCode).to.equal(2);
    expect(stderr).to.match(/^layer conv9: there is none of that name; did you mean conv\d\?/);
    const set = RunFolder.use(run(), (folder) => evaluateRun(folder, { ind: 'knowns' }));
    expect((await rejection(set, RunError)).message).to.include('features of knowns; did you mean known?');
  });

  it('keeps an OOD set from taking the place of an InD set', async () => {
    const taken = await laOod('features', '--run', run(), '--ood', `known=${at('noise')}`);
    expect(taken.exitCode).to.equal(1);
    expect(taken.stderr).to.match(/known_test\.hdf5: is an InD set of this run; give this set another name/);
    const ood = ['noise', 'blank'].map((set) => ({ name: 'a', source: at(set) }));
    const twice = RunFolder.use(run(), (folder) => extractFeatures(folder, { ood }));
    expect((await rejection(twice, UsageError)).message).to.include('set a: is named twice');
  });

  it('refuses a device that is not there (57)', async () => {
    const { devices } = await json<MachineExamination>('doctor');
    expect(devices.find(({ device }) => device === 'cpu')).to.include({ built: true, works: true });
    const missing = devices.filter(({ works }) => !works).map(({ device }) => device);
    const device = missing.includes('cuda') ? 'cuda' : missing[0];
    const { exitCode, stderr } = await laOod(
      ...['features', '--run', run(), '--ood', 'demo:faded', '--device', device],
    );
    expect(exitCode).to.equal(1);
    expect(stderr.trimEnd().split('\n').at(-1)).to.match(
      new RegExp(`^--device ${device}: .+; npx la-ood doctor `),
    );
  });

  it('refuses detectors that were fitted on another backbone (51)', async () => {
    await importCheckpoint(at('other.pth'), at('run', 'backbone.onnx'));
    const ood = [{ name: 'noise', source: at('noise') }];
    await RunFolder.use(run(), (folder) => extractFeatures(folder, { ood, batch: 16 }));
    const { exitCode, stderr } = await laOod('evaluate', '--run', run(), '--ood', 'noise');
    expect(exitCode).to.equal(1);
    expect(stderr.trimEnd().split('\n').at(-1)).to.match(
      /noise_test\.hdf5: was made by another backbone than the detectors were fitted on; run npx la-ood features/,
    );
  });

  it('refuses a manifest of a newer version (52)', async () => {
    const path = at('newer', 'manifest.json');
    await mkdir(at('newer'));
    await writeFile(path, JSON.stringify({ format: 2, program: 'la-ood 9.0.0', steps: {} }));
    const { exitCode, stderr } = await laOod('fit', '--run', at('newer'));
    expect(exitCode).to.equal(1);
    expect(stderr).to.equal(
      `${path}: format: was written by another version of la-ood; use that version, or another run folder\n`,
    );
  });
});
