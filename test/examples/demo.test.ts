import { expect } from 'chai';
import type { GuardReport, ScoredImage } from '../../src/index.ts';
import { temporaryFolder } from '../cli/files.ts';
import { json } from '../cli/run.ts';

interface Demo {
  readonly accuracy: number;
  readonly guard: GuardReport;
}

/** What a new user sees first: its backbone knows its classes, and its guard finds what it should. */
describe('The demo', () => {
  const at = temporaryFolder();
  let demo: Demo;
  before(async () => {
    demo = await json<Demo>('demo', '--run', at('demo'));
  });

  it('is right on the images that it was taught, and finds others', () => {
    expect(demo.accuracy).to.be.above(0.97);
    const found = Object.fromEntries(demo.guard.sets.map(({ name, found }) => [name, found]));
    expect(found).to.have.all.keys('blank', 'faded', 'noise', 'patterned', 'shapes', 'textures');
    for (const set of ['blank', 'noise', 'textures']) expect(found[set], set).to.be.above(0.8);
    expect(found.shapes).to.be.above(0.5);
  });

  it('calls blurred images OOD, more than four times as often as others, at a rate of 10 %', async () => {
    await json('guard', '--run', at('demo'), '--false-alarms', '.1');
    const blurred = 'gaussian_blur-5:demo:test:100';
    const { ood } = await json<{ ood: number }>('score', at('demo', 'guarded.onnx'), blurred);
    expect(ood).to.be.above(40);
  });

  for (const [change, named] of Object.entries({
    'gaussian_blur-5': 'blurrier',
    'contrast-4': 'of less contrast',
    'gaussian_noise-3': 'noisier',
  }))
    it(`says of images under ${change} that they are ${named}`, async () => {
      const { rows } = await json<{ rows: ScoredImage[] }>(
        ...['score', at('demo', 'guarded.onnx'), `${change}:demo:test:100`],
      );
      expect(rows.filter(({ isOod }) => isOod).length).to.be.above(20);
      const conditions = rows
        .map(({ condition }) => condition)
        .filter((condition) => condition !== undefined);
      const right = conditions.filter((condition) => condition === named);
      expect(right.length / conditions.length).to.be.above(0.75);
    });
});
