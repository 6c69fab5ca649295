import { expect } from 'chai';
import { initialWeights } from '../../models/initial.ts';
import { architectureNamed } from '../../models/registry.ts';
import { UsageError } from '../../src/common/errors.ts';
import { RandomState } from '../../src/common/random.ts';
import type { StateDict } from '../../src/common/tensor.ts';

describe('taps', () => {
  const taps = (name: string) => architectureNamed(name).taps;

  it('vgg16: every convolution, then the logits, which get no detector', () => {
    const indices = [0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40];
    expect(taps('vgg16')).to.deep.equal([...indices.map((i) => `features.${i}`), 'logits']);
    expect(architectureNamed('vgg16').detectorTaps).to.deep.equal(taps('vgg16').slice(0, 13));
  });

  it('resnet34: conv1 and both convolutions of every block, without the shortcuts', () => {
    const blocks = [3, 4, 6, 3].flatMap((count, i) =>
      Array.from({ length: count }, (_, j) => `layer${i + 1}.${j}`),
    );
    const expected = ['conv1', ...blocks.flatMap((block) => [`${block}.conv1`, `${block}.conv2`]), 'logits'];
    expect(taps('resnet34')).to.deep.equal(expected);
    expect(taps('resnet34')).to.have.length(34);
    expect(architectureNamed('resnet34').detectorTaps).to.deep.equal(expected);
  });

  it('densenet100: both convolutions of every bottleneck, and the transitions', () => {
    const block = (i: number) =>
      Array.from({ length: 16 }, (_, j) => [1, 2].map((k) => `block${i}.layer.${j}.conv${k}`)).flat();
    expect(taps('densenet100')).to.deep.equal([
      'conv1',
      ...block(1),
      'trans1.conv1',
      ...block(2),
      'trans2.conv1',
      ...block(3),
      'logits',
    ]);
    expect(architectureNamed('densenet100').detectorTaps).to.have.length(100);
  });

  it('count as many as the name says for the others', () => {
    const counts = { vgg11: 9, vgg13: 11, vgg19: 17, resnet18: 18, resnet20: 20, resnet110: 110 };
    for (const [name, count] of Object.entries({ ...counts, resnet50: 50, 'densenet40-plain': 40 }))
      expect(taps(name), name).to.have.length(count);
  });
});

describe('architectureNamed', () => {
  it('knows DenseNets of any size', () => {
    const densenet = architectureNamed('densenet190-k40');
    expect(densenet.parameters(10).get('fc.weight')).to.deep.equal([10, 2190]);
    expect(architectureNamed('densenet100-k12-r.5').name).to.equal('densenet100');
  });

  it('suggests the nearest name', () => {
    expect(() => architectureNamed('resnet43')).to.throw(
      UsageError,
      'architecture resnet43: unknown; did you mean',
    );
    expect(() => architectureNamed('densenet101')).to.throw(UsageError, 'did you mean densenet100?');
    expect(() => architectureNamed('densenet40000000000')).to.throw(UsageError, 'unknown');
    expect(() => architectureNamed('__proto__')).to.throw(UsageError, 'known are vgg11, ');
  });
});

describe('initialWeights', () => {
  const drawn = new Map<string, StateDict>();
  before(() => {
    for (const name of ['vgg11', 'resnet18', 'resnet20', 'densenet100'])
      drawn.set(name, initialWeights(architectureNamed(name), 10, new RandomState(3)));
  });
  const moments = (name: string, key: string) => {
    const data = drawn.get(name)!.get(key)!.data as Float32Array;
    const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
    const variance = data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length;
    return { mean, std: Math.sqrt(variance), largest: data.reduce((a, b) => Math.max(a, Math.abs(b)), 0) };
  };

  it('draws as the original does', () => {
    expect(moments('vgg11', 'features.4.weight').std).to.be.closeTo(Math.sqrt(2 / (9 * 128)), 5e-4);
    expect(moments('vgg11', 'classifier.0.weight').std).to.be.closeTo(0.01, 1e-4);
    expect(moments('vgg11', 'classifier.0.bias').largest).to.equal(0);
    expect(moments('densenet100', 'block3.layer.15.conv2.weight').std).to.be.closeTo(
      Math.sqrt(2 / 108),
      5e-3,
    );
    expect(moments('densenet100', 'fc.bias').largest).to.equal(0);
    expect(moments('resnet20', 'layer3.0.conv1.weight').std).to.be.closeTo(Math.sqrt(2 / (9 * 32)), 2e-3);
  });

  it('draws resnets within PyTorch’s default bounds', () => {
    const bound = 1 / Math.sqrt(9 * 64);
    const { mean, std, largest } = moments('resnet18', 'layer2.0.conv1.weight');
    expect(mean).to.be.closeTo(0, 5e-4);
    expect(std).to.be.closeTo(bound / Math.sqrt(3), 5e-4);
    expect(largest).to.be.within(0.99 * bound, bound);
    expect(moments('resnet18', 'linear.bias').largest).to.be.within(1e-4, 1 / Math.sqrt(512));
  });

  it('starts batch normalisation as the identity', () => {
    expect(moments('vgg11', 'features.1.weight')).to.deep.equal({ mean: 1, std: 0, largest: 1 });
    expect(moments('vgg11', 'features.1.running_var')).to.deep.equal({ mean: 1, std: 0, largest: 1 });
    expect(moments('vgg11', 'features.1.running_mean').largest).to.equal(0);
  });
});
