import { expect } from 'chai';
import { GraphError } from '../../../src/common/errors.ts';
import { tapCandidates } from '../../../src/graph/classifier/candidates.ts';
import { chooseTaps, defaultTaps } from '../../../src/graph/classifier/choose-taps.ts';
import { describeClassifier, toBackbone } from '../../../src/graph/classifier/classifier.ts';
import type { ModelProto } from '../../../src/graph/onnx.ts';
import { convolutionalNet, transformer } from './networks.ts';

function candidatesOf(model: ModelProto) {
  const backbone = toBackbone(model, 'net.onnx');
  return tapCandidates(backbone, describeClassifier(backbone, 'net.onnx'));
}

describe('tapCandidates', () => {
  for (const layout of ['NCHW', 'NHWC'] as const)
    it(`finds convolutions, sums, block ends and features in ${layout}`, () => {
      const found = candidatesOf(convolutionalNet({ layout, ending: ['Softmax'] }));
      const named = found.filter(({ name }) => !name.startsWith('relu'));
      expect(named.map(({ name, kind }) => [name, kind])).to.deep.equal([
        ['stem', 'convolution'],
        ['conv0a', 'convolution'],
        ['conv0b', 'convolution'],
        ['sum0', 'residual sum'],
        ['block0', 'block end'],
        ['pool', 'features'],
        ['logits', 'logits'],
      ]);
      const cost = Object.fromEntries(named.map(({ name, cost }) => [name, cost]));
      // Multiplications: stem 64 × 4 × 27, each convolution of the block 64 × 4 × 36, the last layer 20.
      const all = 6912 + 2 * 9216 + 20;
      expect(cost.stem).to.be.closeTo(6912 / all, 1e-9);
      expect(cost.conv0a).to.be.closeTo((6912 + 9216) / all, 1e-9);
      expect(cost.logits).to.equal(1);
      const cuts = named.filter(({ isCut }) => isCut).map(({ name }) => name);
      expect(cuts).to.deep.equal(['stem', 'sum0', 'block0', 'pool']);
    });

  it("finds a transformer's blocks, what they add, and the class token", () => {
    const found = candidatesOf(transformer());
    expect(found.map(({ name, kind, pooling }) => [name, kind, pooling])).to.deep.equal([
      ['embed', 'convolution', 'spatial mean'],
      ['sequence', 'block end', 'token mean'],
      ['attended', 'attention', 'token mean'],
      ['sum0', 'residual sum', 'token mean'],
      ['sum0[class]', 'class token', 'class token'],
      ['contracted', 'MLP', 'token mean'],
      ['sum1', 'residual sum', 'token mean'],
      ['sum1[class]', 'class token', 'class token'],
      ['token', 'features', 'none'],
      ['logits', 'logits', 'none'],
    ]);
    expect(found.find(({ name }) => name === 'sum0')!.shape).to.deep.equal(['batch', 17, 6]);
  });
});

describe('defaultTaps', () => {
  it('takes every convolution and sum of a small network, and no logits', () => {
    const expected = ['stem', 'conv0a', 'conv0b', 'sum0', 'pool'];
    expect(defaultTaps(candidatesOf(convolutionalNet()))).to.deep.equal(expected);
    const ofTransformer = ['embed', 'sum0', 'sum1', 'token'];
    expect(defaultTaps(candidatesOf(transformer()))).to.deep.equal(ofTransformer);
  });

  it('takes the ends of the blocks where there are many layers', () => {
    const taps = defaultTaps(candidatesOf(convolutionalNet({ blocks: 20 })));
    const sums = Array.from({ length: 20 }, (_, block) => `sum${block}`);
    expect(taps).to.deep.equal(['stem', ...sums, 'pool']);
  });

  it('spreads 30 over the depth of a very deep one', () => {
    const taps = defaultTaps(candidatesOf(convolutionalNet({ blocks: 80 })));
    expect(new Set(taps).size).to.equal(30);
    expect([taps[0], taps[29]]).to.deep.equal(['stem', 'pool']);
    const blocks = taps.slice(1, -1).map((tap) => Number(tap.slice(3)));
    for (const [i, block] of blocks.slice(1).entries()) expect(block - blocks[i]).to.be.within(2, 4);
  });
});

describe('defaultTaps of a network whose layers take all that came before', () => {
  it('spreads over its convolutions, for none of them ends a block', () => {
    const [stem, inner, , , , pool] = candidatesOf(convolutionalNet()).filter(
      ({ name }) => !/relu/.test(name),
    );
    const layers = Array.from({ length: 60 }, (_, i) => ({ ...inner, name: `layer${i}` }));
    const taps = defaultTaps([stem, ...layers, pool]);
    expect(taps).to.have.length(30);
    expect([taps[0], taps[29]]).to.deep.equal(['stem', 'pool']);
  });
});

describe('chooseTaps', () => {
  const candidates = candidatesOf(convolutionalNet({ blocks: 2 }));
  const choose = (...wanted: string[]) => chooseTaps(candidates, wanted, 'net.onnx');

  it('takes names, patterns and all, in the order of execution', () => {
    expect(choose('sum1', 'stem')).to.deep.equal(['stem', 'sum1']);
    expect(choose('conv?b', 'sum*')).to.deep.equal(['conv0b', 'sum0', 'conv1b', 'sum1']);
    expect(choose('all')).to.deep.equal(candidates.slice(0, -1).map(({ name }) => name));
    expect(choose('sum0', 'relu_1')).to.include('relu_1');
  });

  it('refuses a pattern that fits nothing', () => {
    expect(() => choose('summ*')).to.throw(
      GraphError,
      'net.onnx: no tap is called summ*; did you mean sum0?',
    );
    expect(() => choose('c.nv*')).to.throw(GraphError, 'no tap is called c.nv*');
  });
});
