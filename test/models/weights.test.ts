import { expect } from 'chai';
import { initialWeights } from '../../models/initial.ts';
import { architectureNamed, recognizeArchitecture } from '../../models/registry.ts';
import { checkWeights } from '../../models/weights.ts';
import { CheckpointError } from '../../src/common/errors.ts';
import { RandomState } from '../../src/common/random.ts';
import type { StateDict, Tensor } from '../../src/common/tensor.ts';

const architecture = architectureNamed('resnet20');
const weights = initialWeights(architecture, 10, new RandomState(2));
const vector = (length: number): Tensor => ({
  dtype: 'float32',
  shape: [length],
  data: new Float32Array(length),
});

/** The weights with one thing changed. */
function changed(change: (weights: StateDict) => void): StateDict {
  const copy = new Map(weights);
  change(copy);
  return copy;
}

describe('checkWeights', () => {
  const refuses = (bad: StateDict, message: string, classes?: number) =>
    expect(() => checkWeights(architecture, bad, { where: 'a.pth', classes })).to.throw(
      CheckpointError,
      message,
    );

  it('gives the number of classes', () => {
    expect(checkWeights(architecture, weights)).to.equal(10);
    expect(checkWeights(architecture, weights, { classes: 10 })).to.equal(10);
  });

  it('names a missing key with its shape', () => {
    refuses(
      changed((weights) => weights.delete('layer1.0.conv1.weight')),
      'a.pth: not a resnet20: lacks layer1.0.conv1.weight (16×16×3×3)',
    );
  });

  it('names the first of many missing keys, and how many there are', () => {
    refuses(new Map(), 'lacks conv1.weight (16×3×3×3), bn1.weight (16), bn1.bias (16) and 94 more');
  });

  it('names keys that are left over, control characters escaped', () => {
    refuses(
      changed((weights) => weights.set('ema\n.decay', vector(1)).set('__proto__', vector(2))),
      'has ema\\u{a}.decay (1), __proto__ (2), which it should not',
    );
  });

  it('names both shapes of a wrong one', () => {
    refuses(
      changed((weights) => weights.set('bn1.weight', vector(17))),
      'instead of bn1.weight (16) has bn1.weight (17)',
    );
  });

  it('names both class counts', () => {
    refuses(
      weights,
      'has 10 classes where 100 were asked for: linear.weight is 10×64, not 100×64; ask for 10 classes',
      100,
    );
  });

  it('names a classifier whose parts disagree', () => {
    refuses(
      changed((weights) => weights.set('linear.bias', vector(11))),
      'instead of linear.bias (10) has linear.bias (11)',
    );
  });

  it('does without counters', () => {
    const old = changed((weights) => {
      for (const key of weights.keys()) if (key.endsWith('num_batches_tracked')) weights.delete(key);
    });
    expect(old).to.have.property('size', 97);
    expect(checkWeights(architecture, old)).to.equal(10);
    expect(recognizeArchitecture(old).architecture.name).to.equal('resnet20');
  });
});

describe('recognizeArchitecture', () => {
  const refuses = (bad: StateDict, ...parts: string[]) => {
    let error: unknown;
    try {
      recognizeArchitecture(bad, 'b.pth');
    } catch (thrown) {
      error = thrown;
    }
    expect(error).to.be.instanceOf(CheckpointError);
    for (const part of parts) expect((error as Error).message).to.include(part);
  };

  it('says what keeps the nearest one from fitting', () => {
    refuses(
      changed((weights) => weights.delete('layer2.1.bn2.bias')),
      'b.pth: its 115 keys fit no known architecture; the nearest are resnet20 (lacks layer2.1.bn2.bias (32))',
      'name another with `arch`',
    );
  });

  it('compares torchvision’s names with the original’s', () => {
    const shapes = architectureNamed('resnet34').parameters(1000);
    const torchvision: StateDict = new Map(
      Array.from(shapes, ([key, shape]) => [
        key.replace('shortcut', 'downsample').replace('linear', 'fc'),
        { dtype: 'float32', shape, data: new Float32Array() },
      ]),
    );
    refuses(
      torchvision,
      'the nearest are resnet34 (lacks layer2.0.shortcut.0.weight (128×64×1×1), ',
      'has layer2.0.downsample.0.weight (128×64×1×1), ',
    );
  });

  it('knows nothing of an empty or a foreign state dict', () => {
    refuses(new Map(), 'its 0 keys fit no known architecture');
    refuses(new Map([['weight', vector(3)]]), 'has weight (3), which it should not');
  });
});
