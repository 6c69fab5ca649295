import { copyFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import type {
  Comparison,
  DetectorsInspection,
  FeaturesInspection,
  MachineExamination,
  RunInspection,
} from '../../src/index.ts';
import { checkpoint, imageFolder, temporaryFolder } from './files.ts';
import { json, laOod } from './run.ts';

describe('la-ood features, fit and evaluate', () => {
  const at = temporaryFolder();
  const run = () => at('run');
  const layers = ['--layers', '0', 'layer2.0.conv1', 'logits'];

  before(async () => {
    await Promise.all([
      imageFolder(at('shapes', 'train'), 'demo:train', 240),
      imageFolder(at('shapes', 'test'), 'demo:test', 60),
      imageFolder(at('noise'), 'demo:noise', 40),
      imageFolder(at('blank'), 'demo:blank', 30),
      checkpoint(at('weights.pth')),
      checkpoint(at('other.pth'), 2),
    ]);
    await json('import', at('weights.pth'), at('run', 'backbone.onnx'));
  });

  it('computes features, names the sets, and shows plain progress lines where there is no terminal', async () => {
    const { exitCode, stdout, stderr } = await laOod(
      ...['features', '--run', run(), '--ind', 'known', '--batch', '16'],
      ...['--train', at('shapes', 'train'), '--test', at('shapes', 'test')],
      ...['--ood', at('noise'), `plain=${at('blank')}`],
    );
    expect(exitCode).to.equal(0);
    expect(stdout)
      .to.match(/^known_train +240 /m)
      .and.match(/^plain_test +30 /m);
    expect(stdout).to.include(`Wrote in ${run()}: features/known_train.hdf5`).and.include('Next: la-ood fit');
    for (const line of stderr.trimEnd().split('\n'))
      expect(line).to.match(
        /^features \w+_(train|test): \d+ of \d+ images(, [\d.]+( s each|\/s))?(, ETA .*)?$/,
      );
    expect(stderr).to.include('features noise_test: 40 of 40 images');
    const found = await json<FeaturesInspection>('inspect', at('run', 'features', 'known_test.hdf5'));
    expect(found).to.include({ kind: 'features', images: 60 });
    expect(found.layers.at(-1)).to.deep.equal({ index: 19, tap: 'logits', width: 10, hasDetector: true });
  });

  it('fits the layers that are named, and says which gamma they took', async () => {
    const { exitCode, stdout } = await laOod('fit', '--run', run(), ...layers, '--nu', '.01');
    expect(exitCode).to.equal(0);
    expect(stdout).to.match(/^gamma +layers +support vectors/m);
    expect(stdout).to.include('3 detectors on 240 images').and.include('Next: la-ood evaluate');
    const { detectors, backbone } = await json<DetectorsInspection>('inspect', at('run', 'detectors.onnx'));
    expect(detectors.map(({ tap, nu }) => [tap, nu])).to.deep.equal([
      ['conv1', 0.01],
      ['layer2.0.conv1', 0.01],
      ['logits', 0.01],
    ]);
    expect(backbone).to.match(/^[0-9a-f]{64}$/);
  });

  it('does nothing twice', async () => {
    const again = await json<{ done: string }>('fit', '--run', run(), ...layers, '--nu', '.01');
    expect(again.done).to.equal('before');
    const { exitCode, stderr } = await laOod('features', '--run', run(), '--ood', at('noise'));
    expect(exitCode).to.equal(0);
    expect(stderr).to.equal('');
  });

  it('evaluates, and prints nothing but JSON under --json', async () => {
    const text = await laOod('evaluate', '--run', run(), '--ood', 'noise', '--quiet');
    expect(text.stderr).to.equal('');
    expect(text.stdout)
      .to.match(/noise +│ LA-OOD/)
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

  it('compares detectors by what they decide', async () => {
    await mkdir(at('second'), { recursive: true });
    await copyFile(at('run', 'detectors.onnx'), at('second', 'detectors.onnx'));
    const line = ['compare', at('run', 'detectors.onnx'), at('second', 'detectors.onnx')];
    const { kind, rows, agrees } = await json<Comparison>(...line);
    expect({ kind, agrees }).to.deep.equal({ kind: 'detectors', agrees: true });
    expect(rows).to.have.length(3);
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
    const layer = await laOod('fit', '--run', run(), '--layers', 'layer2.0.conv3');
    expect(layer.exitCode).to.equal(2);
    expect(layer.stderr).to.include('did you mean layer2.0.conv1?');
    const set = await laOod('evaluate', '--run', run(), '--ind', 'knowns');
    expect(set.exitCode).to.equal(1);
    expect(set.stderr).to.match(/^[^\n]*holds no features of knowns; did you mean known\?\n$/);
  });

  it('keeps an OOD set from taking the place of an InD set', async () => {
    const taken = await laOod('features', '--run', run(), '--ood', `known=${at('noise')}`);
    expect(taken.exitCode).to.equal(1);
    expect(taken.stderr).to.match(/known_test\.hdf5: is an InD set of this run; give this set another name/);
    const twice = await laOod('features', '--run', run(), '--ood', `a=${at('noise')}`, `a=${at('blank')}`);
    expect(twice.exitCode).to.equal(2);
    expect(twice.stderr).to.include('set a: is named twice');
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
      new RegExp(`^--device ${device}: .+; la-ood doctor `),
    );
  });

  it('refuses detectors that were fitted on another backbone (51)', async () => {
    await json('import', at('other.pth'), at('run', 'backbone.onnx'));
    await json('features', '--run', run(), '--ood', at('noise'));
    const { exitCode, stderr } = await laOod('evaluate', '--run', run(), '--ood', 'noise');
    expect(exitCode).to.equal(1);
    expect(stderr.trimEnd().split('\n').at(-1)).to.match(
      /noise_test\.hdf5: was made by another backbone than the detectors were fitted on; run la-ood features/,
    );
  });

  it('refuses a manifest of a newer version (52)', async () => {
    const path = at('newer', 'manifest.json');
    await mkdir(at('newer'));
    await writeFile(path, JSON.stringify({ format: 2, program: 'la-ood 9.0.0', steps: {} }));
    for (const command of ['fit --run', 'inspect']) {
      const { exitCode, stderr } = await laOod(...command.split(' '), at('newer'));
      expect(exitCode).to.equal(1);
      expect(stderr).to.equal(
        `${path}: format: was written by another version of la-ood; use that version, or another run folder\n`,
      );
    }
  });
});
