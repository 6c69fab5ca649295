import { expect } from 'chai';
import { GraphError } from '../../../src/common/errors.ts';
import { chooseTaps, defaultTaps } from '../../../src/graph/classifier/choose-taps.ts';
import { candidatesOf, convolutionalNet, transformer } from './networks.ts';

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

  it('takes all of 30, and of 31 those that end a block, where there are ten of these', () => {
    const [stem, inner, , sum] = candidatesOf(convolutionalNet()).filter(({ name }) => !/relu/.test(name));
    expect([inner.isCut, sum.isCut]).to.deep.equal([false, true]);
    const net = (inners: number, ends: number) => [
      stem,
      ...Array.from({ length: inners }, (_, i) => ({ ...inner, name: `inner${i}` })),
      ...Array.from({ length: ends - 1 }, (_, i) => ({ ...sum, name: `end${i}`, isCut: false })),
    ];
    expect(defaultTaps(net(20, 10))).to.have.length(30);
    expect(defaultTaps(net(21, 10))).to.have.length(10);
    expect(defaultTaps(net(22, 9))).to.have.length(30);
    // A sum ends a block whether or not it is a cut, and a convolution where it is one.
    const cuts = net(25, 2).map((candidate) => ({ ...candidate, isCut: !/^inner2/.test(candidate.name) }));
    expect(defaultTaps([...cuts, ...net(0, 8)])).to.have.length(29);
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
    expect(choose('sum0', 'relu_1')).to.deep.equal(['sum0', 'relu_1']);
  });

  it('compares patterns with the names of nodes as well as of values', () => {
    const named = candidates.map((candidate) => ({ ...candidate, node: `node_of_${candidate.name}` }));
    expect(chooseTaps(named, ['sum0', 'node_of_conv0a'], 'net.onnx')).to.deep.equal(['conv0a', 'sum0']);
    expect(chooseTaps(named, ['node_of_conv*'], 'net.onnx')).to.deep.equal([
      'conv0a',
      'conv0b',
      'conv1a',
      'conv1b',
    ]);
  });

  it('refuses a pattern that fits nothing', () => {
    expect(() => choose('summ*')).to.throw(
      GraphError,
      'net.onnx: no tap is called summ*; did you mean sum0?',
    );
    expect(() => choose('c.nv*')).to.throw(GraphError, 'no tap is called c.nv*');
    expect(() => choose('xyz*')).to.throw(GraphError, 'no tap is called xyz*; la-ood inspect lists the taps');
  });
});
