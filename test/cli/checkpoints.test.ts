import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { writeCheckpoint } from '../../converters/pytorch/write-checkpoint.ts';
import type { Tensor } from '../../src/common/tensor.ts';
import {
  adviceText,
  type CheckpointInspection,
  compareFiles,
  type Imported,
  importCheckpoint,
  inspectFile,
  type ModelInspection,
} from '../../src/index.ts';
import { checkpoint, temporaryFolder, weights } from './files.ts';
import { json, laOod } from './run.ts';

describe('la-ood import, export, inspect and compare', () => {
  const at = temporaryFolder();

  before(async () => {
    await checkpoint(at('weights.pth'));
    await checkpoint(at('other.pth'), 2);
    await importCheckpoint(at('weights.pth'), at('model.onnx'));
  });

  it('says what it found, and that the normalisation is a guess', async () => {
    const { exitCode, stdout, stderr } = await laOod('import', at('weights.pth'), at('a.onnx'));
    expect(exitCode).to.equal(0);
    expect(stderr).to.match(/^(import weights\.pth: \d of 4 steps.*\n)+$/);
    expect(stdout).to.match(/architecture +resnet20/);
    expect(stdout).to.match(/parameters +269,722/);
    expect(stdout).to.match(/taps +20, from conv1 to logits/);
    expect(stdout).to.match(/mean 0\.485 0\.456 0\.406.*the default of resnet20; a checkpoint does not tell/);
    expect(stdout)
      .to.include(`Wrote ${at('a.onnx')}`)
      .and.include('Next: ');
  });

  it('takes the normalisation after the positionals, and puts it into the model', async () => {
    const line = `--mean .4914 .4822 .4465 --std .2023 .1994 .2010`.split(' ');
    const { normalization } = await json<Imported>('import', at('weights.pth'), at('b.onnx'), ...line);
    expect(normalization).to.deep.equal({ mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.201] });
    const { metadata } = (await inspectFile(at('b.onnx'))) as ModelInspection;
    expect(metadata['la_ood.std']).to.equal('[0.2023,0.1994,0.201]');
  });

  it('says that other element types were converted', async () => {
    const doubles = new Map(
      Array.from(weights(1), ([key, { dtype, shape, data }]): [string, Tensor] =>
        dtype === 'float32'
          ? [key, { dtype: 'float64', shape, data: Float64Array.from(data as Float32Array) }]
          : [key, { dtype, shape, data }],
      ),
    );
    await writeCheckpoint(at('doubles.pth'), doubles);
    const { notes } = await importCheckpoint(at('doubles.pth'), at('doubles.onnx'));
    expect(notes).to.deep.equal(['97 tensors converted from float64 to float32']);
  });

  it('exports what was imported, bit by bit', async () => {
    const { exitCode } = await laOod('export', at('model.onnx'), at('back.pth'), '--quiet');
    expect(exitCode).to.equal(0);
    const { agrees, worst, rows } = await compareFiles(at('weights.pth'), at('back.pth'), { tolerance: 0 });
    expect(agrees).to.equal(true);
    expect(worst.difference).to.equal(0);
    expect(rows.map(({ name }) => name)).to.deep.equal([...weights(1).keys()]);
  });

  it('fails where files differ, and names the worst tensor', async () => {
    const { exitCode, stdout, stderr } = await laOod('compare', at('other.pth'), at('model.onnx'), '--quiet');
    expect(exitCode).to.equal(1);
    expect(stdout).to.match(/^conv1\.weight +16×3×3×3 .* \*$/m);
    expect(stderr).to.match(/^[^\n]*: .*: the values differ by [^\n]*; the tolerance is 0\.0001\n$/);
  });

  it('refuses to compare what is not of a kind', async () => {
    await writeFile(at('table.csv'), 'Layer,AUROC\n1,99.5\n');
    const { exitCode, stderr } = await laOod('compare', at('model.onnx'), at('table.csv'));
    expect(exitCode).to.equal(2);
    expect(stderr).to.include('hold weights and tables; compare two of a kind');
  });

  it('compares tables by their columns', async () => {
    await writeFile(at('one.csv'), 'Layer,AUROC,counts\n1,99.50,3/4\nBest layer:\n"LA-OOD",98,\n');
    await writeFile(at('two.csv'), 'Layer,AUROC,counts\n1,99.00,3/4\nBest layer:\n"LA-OOD",98,\n');
    const { rows, worst, agrees } = await compareFiles(at('one.csv'), at('two.csv'), { tolerance: 0.01 });
    expect(agrees).to.equal(true);
    expect(rows.map(({ name, difference }) => [name, difference])).to.deep.equal([
      ['Layer', 0],
      ['AUROC', 0.5],
      ['counts', 0],
    ]);
    expect(worst.relative).to.be.closeTo(0.5 / 99.5, 1e-12);
  });

  it('inspects by content, whatever the name', async () => {
    await writeFile(at('model.pth'), await readFile(at('model.onnx')));
    await writeFile(at('weights.onnx'), await readFile(at('weights.pth')));
    const model = await json<ModelInspection>('inspect', at('model.pth'));
    expect(model.kind).to.equal('model');
    expect(model.inputs).to.deep.equal([{ name: 'input', dtype: 'float32', shape: ['batch', 3, 32, 32] }]);
    const { cost, ...first } = model.taps[0];
    expect(first).to.deep.equal({
      name: 'conv1',
      kind: 'convolution',
      pooling: 'spatial mean',
      dtype: 'float32',
      shape: ['batch', 16, 32, 32],
      hasDetector: true,
    });
    // 16 × 27 multiplications a pixel, of 40.6 million in all.
    expect(cost).to.be.closeTo((1024 * 16 * 27) / 40_551_040, 1e-6);
    expect(model.classifier).to.include({ layout: 'NCHW', logits: 'logits', classes: 10 });
    expect(model.problems).to.deep.equal([]);
    const found = (await inspectFile(at('weights.onnx'))) as CheckpointInspection;
    expect(found).to.deep.include({ kind: 'checkpoint', format: 'zip', parameters: 269_722, problems: [] });
    expect(found.architecture).to.deep.equal({ name: 'resnet20', classes: 10 });
    expect(found.tensors[0]).to.deep.equal({ key: 'conv1.weight', dtype: 'float32', shape: [16, 3, 3, 3] });
    expect(found.sha256).to.match(/^[0-9a-f]{64}$/);
  });

  it('inspects weights that cannot be imported, and says why', async () => {
    const broken = weights(1);
    (broken.get('bn1.weight')!.data as Float32Array)[3] = Number.NaN;
    broken.delete('linear.bias');
    await writeCheckpoint(at('broken.pth'), broken);
    const inspection = (await inspectFile(at('broken.pth'))) as CheckpointInspection;
    const problems = inspection.problems.map((problem) => adviceText(problem));
    expect(problems).to.have.length(2);
    expect(problems[0]).to.include('lacks linear.bias (10)');
    expect(problems[1]).to.include('bn1.weight element 3 is NaN or infinite');
  });

  it('suggests the file that was probably meant', async () => {
    const { exitCode, stderr } = await laOod('inspect', at('wieghts.pth'));
    expect(exitCode).to.equal(1);
    expect(stderr).to.equal(
      `${at('wieghts.pth')}: there is no such file; did you mean ${at('weights.pth')}?\n`,
    );
  });

  it('writes over neither its input nor what stood there before it was sure (56)', async () => {
    const before = await readFile(at('weights.pth'));
    const same = await laOod('import', at('weights.pth'), at('sub', '..', 'weights.pth'));
    expect(same.exitCode).to.equal(1);
    expect(same.stderr).to.match(/^\S+: would be written over by its own import; name another output\n$/);
    const exported = await laOod('export', at('model.onnx'), at('model.onnx'));
    expect(exported.exitCode).to.equal(1);
    expect(exported.stderr).to.include('would be written over by its own export');
    await writeFile(at('kept.onnx'), 'kept');
    const failed = await laOod('import', at('table.csv'), at('kept.onnx'));
    expect(failed.exitCode).to.equal(1);
    expect(await readFile(at('kept.onnx'), 'utf8')).to.equal('kept');
    expect(await readFile(at('weights.pth'))).to.deep.equal(before);
  });

  it('says in one line that it cannot write (56)', async () => {
    await writeFile(at('file'), '');
    await mkdir(at('read-only'), { mode: 0o555 });
    // Root may write to any folder of a disk, but not to the kernel's.
    const readOnly = process.getuid?.() === 0 ? '/sys/a.onnx' : at('read-only', 'a.onnx');
    for (const output of [at('file', 'a.onnx'), readOnly]) {
      const { exitCode, stderr } = await laOod('import', at('weights.pth'), output);
      expect(exitCode).to.equal(1);
      expect(stderr)
        .to.match(/^[^\n]+: [^\n]+; [^\n]+\n$/)
        .and.not.include('defect');
    }
    await stat(at('file'));
  });
});
