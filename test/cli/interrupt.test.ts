import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { writeModel } from '../../src/index.ts';
import { smallBackbone } from '../training/networks.ts';
import { checkpoint, temporaryFolder } from './files.ts';
import { laOod, start, until } from './run.ts';

describe('la-ood: interruptions', () => {
  const at = temporaryFolder();

  before(async () => {
    await checkpoint(at('weights.pth'));
    for (const run of ['cut', 'whole']) {
      await mkdir(at(run));
      await writeModel(at(run, 'backbone.onnx'), smallBackbone());
    }
  });

  it('gives the folder back on Ctrl-C, and goes on where it was (54, 55)', async () => {
    const line = (run: string) => [
      'features',
      '--run',
      at(run),
      '--ood',
      'drawn=demo:blank:2600',
      '--batch',
      '4',
    ];
    const { process, finished } = start(line('cut'));
    await until(() => existsSync(at('cut', '.lock')));
    // A second run in the same folder has to wait.
    const second = await laOod('fit', '--run', at('cut'));
    expect(second.exitCode).to.equal(1);
    expect(second.stderr).to.match(
      /^\S+\.lock: process \d+ is using this run folder; wait for it, or use another --run\n$/,
    );
    await until(() => holdsBlock(at('cut', 'features')));
    process.kill('SIGINT');
    const { exitCode, stdout, stderr } = await finished;
    expect(exitCode).to.equal(130);
    expect(stdout).to.equal('');
    expect(stderr).to.include('interrupted; the same command goes on where it was\n');
    expect(await readdir(at('cut'))).to.have.members(['backbone.onnx', 'features']);
    expect((await readdir(at('cut', 'features'))).filter((file) => file.endsWith('.part'))).to.deep.equal([]);

    const [again, whole] = await Promise.all([laOod(...line('cut')), laOod(...line('whole'))]);
    expect([again.exitCode, whole.exitCode]).to.deep.equal([0, 0]);
    expect(Number(/^features drawn_test: (\d+) of 2600/.exec(again.stderr)?.[1])).to.be.at.least(4);
    const features = (run: string) => readFile(at(run, 'features', 'drawn_test.hdf5'));
    expect((await features('cut')).equals(await features('whole'))).to.equal(true);
  });

  it('ends quietly when nobody reads on (59)', async () => {
    const { process, finished } = start(['inspect', at('weights.pth')]);
    process.stdout!.destroy();
    const { exitCode, stderr } = await finished;
    expect(stderr).to.equal('');
    expect(exitCode).to.equal(0);
  });
});

/** Whether a block of a set is finished whose features are being computed. */
function holdsBlock(folder: string): boolean {
  if (!existsSync(folder)) return false;
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).some((file) => file.endsWith('.f32'));
}
