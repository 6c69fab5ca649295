import { expect } from 'chai';
import { GraphBuilder } from '../../../src/graph/builder.ts';
import { tapCandidates } from '../../../src/graph/classifier/candidates.ts';
import { describeClassifier } from '../../../src/graph/classifier/classifier.ts';
import { ElementType } from '../../../src/graph/onnx.ts';
import { candidatesOf, convolutionalNet, random, transformer } from './networks.ts';

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

/** The kinds of a classifier's values by their names; `add` builds it from `image`, and its last layer yields `y`, N×5. */
function kindsOf(sizes: readonly (number | string)[], add: (net: Layers) => void) {
  const graph = new GraphBuilder('network');
  graph.input('image', ElementType.float, ['n', ...sizes]);
  const weight = (name: string, shape: number[]) =>
    graph.initializer(`${name}.weight`, random(shape, shape[0]));
  add({
    graph,
    conv: (x, name, inputs, outputs) =>
      graph.node('Conv', [x, weight(name, [outputs, inputs, 1, 1])], { name }),
    product: (x, name, inputs, outputs) =>
      graph.node('MatMul', [x, weight(name, [inputs, outputs])], { name }),
    node: (opType, inputs, name, attributes = {}) => graph.node(opType, inputs, { name, attributes }),
  });
  graph.output('y', ElementType.float, ['n', 5]);
  const model = graph.build();
  const found = tapCandidates(model, describeClassifier(model, 'net.onnx'));
  return Object.fromEntries(found.map(({ name, kind }) => [name, kind]));
}

interface Layers {
  readonly graph: GraphBuilder;
  /** 1×1. */
  conv(x: string, name: string, inputs: number, outputs: number): string;
  product(x: string, name: string, inputs: number, outputs: number): string;
  node(
    opType: string,
    inputs: string[],
    name: string,
    attributes?: Record<string, number | number[]>,
  ): string;
}

describe('kinds of taps', () => {
  it('have no gates of one pixel, but rows and columns of more', () => {
    const kinds = kindsOf([3, 8, 8], ({ conv, node }) => {
      conv('image', 'a', 3, 4);
      node('GlobalAveragePool', ['a'], 'squeezed');
      conv('squeezed', 'gate', 4, 4);
      node('Mul', ['a', 'gate'], 'gated');
      node('MaxPool', ['gated'], 'row', { kernel_shape: [8, 1] });
      conv('row', 'of_row', 4, 4);
      node('MaxPool', ['of_row'], 'pixel', { kernel_shape: [1, 8] });
      conv('pixel', 'maps', 4, 5);
      node('Flatten', ['maps'], 'y');
    });
    expect(kinds).to.deep.equal({
      a: 'convolution',
      gated: 'block end',
      of_row: 'convolution',
      pixel: 'features',
      y: 'logits',
    });
  });

  it('are concatenations where several branches are joined, and block ends where something else ends one', () => {
    const kinds = kindsOf([3, 8, 8], ({ graph, conv, node }) => {
      conv('image', 'a', 3, 4);
      conv('a', 'b', 4, 4);
      node('Concat', ['a', 'b'], 'joined', { axis: 1 });
      node('MaxPool', ['joined'], 'smaller', { kernel_shape: [2, 2], strides: [2, 2] });
      graph.initializer('constant', random([1, 1, 4, 4], 1));
      node('Mul', ['smaller', 'constant'], 'scaled');
      node('Relu', ['scaled'], 'one');
      node('Tanh', ['scaled'], 'two');
      node('Mul', ['one', 'two'], 'product');
      node('GlobalAveragePool', ['product'], 'pooled');
      node('Flatten', ['pooled'], 'flat');
      graph.node('Gemm', ['flat', graph.initializer('w', random([8, 5], 2))], { name: 'y' });
    });
    expect(kinds).to.deep.equal({
      a: 'convolution',
      b: 'convolution',
      joined: 'concatenation',
      scaled: 'block end',
      product: 'block end',
      flat: 'features',
      y: 'logits',
    });
  });

  it('are linear layers between features and pooling, and features what the last one takes', () => {
    const kinds = kindsOf([3, 8, 8], ({ graph, conv, product, node }) => {
      conv('image', 'a', 3, 4);
      node('ReduceMax', ['a', graph.int64s('axes', [2, 3])], 'flat', { keepdims: 0 });
      product('flat', 'hidden', 4, 6);
      node('Relu', ['hidden'], 'active');
      graph.node('Gemm', ['active', graph.initializer('w', random([6, 6], 2))], { name: 'second' });
      node('Sigmoid', ['second'], 'again');
      product('again', 'last', 6, 5);
      node('Add', ['last', graph.initializer('bias', random([5], 3))], 'y');
    });
    expect(kinds).to.deep.equal({
      a: 'convolution',
      hidden: 'linear',
      second: 'linear',
      again: 'features',
      y: 'logits',
    });
  });

  it('have no features where the last layer is of maps, or logits are of two branches', () => {
    const ofMaps = kindsOf([3, 8, 8], ({ conv, node }) => {
      conv('image', 'a', 3, 4);
      conv('a', 'scores', 4, 5);
      node('GlobalAveragePool', ['scores'], 'pooled');
      node('Flatten', ['pooled'], 'y');
    });
    expect(ofMaps).to.deep.equal({ a: 'convolution', scores: 'convolution', y: 'logits' });
    const ofTwo = kindsOf([3, 8, 8], ({ conv, product, node }) => {
      conv('image', 'a', 3, 4);
      node('GlobalAveragePool', ['a'], 'pooled');
      node('Flatten', ['pooled'], 'flat');
      product('flat', 'left', 4, 5);
      product('flat', 'right', 4, 5);
      node('Add', ['left', 'right'], 'y');
    });
    expect(ofTwo).to.deep.equal({ a: 'convolution', left: 'linear', right: 'linear', y: 'logits' });
  });

  it('have no values of unknown size, or in which images do not lie first', () => {
    const kinds = kindsOf(['h', 'w', 3], ({ graph, product, node }) => {
      product('image', 'any_size', 3, 4);
      node('ReduceMean', ['any_size', graph.int64s('axes', [1, 2])], 'row', { keepdims: 0 });
      node('Transpose', ['row'], 'turned', { perm: [1, 0] });
      node('Gemm', ['turned', graph.initializer('w', random([4, 5], 2))], 'y', { transA: 1 });
    });
    expect(kinds).to.deep.equal({ y: 'logits' });
  });

  it('are branches where channels lie last, in whatever order the sum names them', () => {
    const kinds = kindsOf([8, 8, 3], ({ graph, product, node }) => {
      product('image', 'first', 3, 3);
      node('Add', ['first', 'image'], 'sum0');
      node('Softmax', ['sum0'], 'weights', { axis: -1 });
      node('Mul', ['weights', 'sum0'], 'weighted');
      product('weighted', 'second', 3, 3);
      node('Add', ['second', 'sum0'], 'sum1');
      node('ReduceMean', ['sum1', graph.int64s('axes', [1, 2])], 'row', { keepdims: 0 });
      product('row', 'y', 3, 5);
    });
    expect(kinds).to.deep.equal({
      first: 'MLP',
      sum0: 'residual sum',
      second: 'attention',
      sum1: 'residual sum',
      row: 'features',
      y: 'logits',
    });
  });

  it('are no branches where channels lie second', () => {
    const kinds = kindsOf([3, 8, 8], ({ conv, product, node }) => {
      conv('image', 'a', 3, 4);
      node('Softmax', ['a'], 'weights', { axis: 1 });
      conv('weights', 'b', 4, 4);
      node('Relu', ['b'], 'branch');
      node('Add', ['a', 'branch'], 'sum');
      node('GlobalAveragePool', ['sum'], 'pooled');
      node('Flatten', ['pooled'], 'flat');
      product('flat', 'y', 4, 5);
    });
    expect(kinds).not.to.have.property('branch');
    expect(kinds).to.include({ a: 'convolution', b: 'convolution', sum: 'residual sum' });
  });

  describe('of tokens', () => {
    /** Sixteen tokens, a block, and what `choose` makes of it, N×6. */
    const tokens = (choose: (net: Layers) => void) =>
      kindsOf([3, 8, 8], (net) => {
        const { graph, conv, product, node } = net;
        conv('image', 'maps', 3, 6);
        node('Reshape', ['maps', graph.int64s('columns', [0, 6, 64])], 'columns_of');
        node('Transpose', ['columns_of'], 'tokens', { perm: [0, 2, 1] });
        node('Add', ['tokens', product('tokens', 'mixed', 6, 6)], 'sum');
        graph.initializer('first', { dtype: 'int64', shape: [], data: BigInt64Array.of(0n) });
        for (const [name, value] of Object.entries({ zero: 0, one: 1, two: 2 })) graph.int64s(name, [value]);
        choose(net);
        product('token', 'y', 6, 5);
      });
    const withToken = { sum: 'residual sum', 'sum[class]': 'class token' };

    it('are class tokens where the first of them is taken, by Gather or by Slice', () => {
      const gathered = tokens(({ node }) => node('Gather', ['sum', 'first'], 'token', { axis: 1 }));
      expect(gathered).to.include(withToken);
      const sliced = tokens(({ node }) => {
        node('Slice', ['sum', 'zero', 'one', 'one'], 'slice');
        node('Squeeze', ['slice', 'one'], 'token');
      });
      expect(sliced).to.include(withToken);
    });

    it('are none where all of them are averaged, several are taken, or one channel is', () => {
      const averaged = tokens(({ node }) => node('ReduceMean', ['sum', 'one'], 'token', { keepdims: 0 }));
      expect(averaged).to.include({ sum: 'residual sum', mixed: 'MLP' });
      expect(averaged).not.to.have.property('sum[class]');
      const several = tokens(({ node }) => {
        node('Slice', ['sum', 'zero', 'two', 'one'], 'slice');
        node('ReduceMean', ['slice', 'one'], 'token', { keepdims: 0 });
      });
      expect(several).not.to.have.property('sum[class]');
      const listed = tokens(({ node }) => {
        node('Gather', ['sum', 'one'], 'list', { axis: 1 });
        node('ReduceMean', ['list', 'one'], 'token', { keepdims: 0 });
      });
      expect(listed).not.to.have.property('sum[class]');
      const channel = tokens(({ node, product }) => {
        node('Gather', ['sum', 'first'], 'channel', { axis: 2 });
        product('channel', 'token', 64, 6);
      });
      expect(channel).not.to.have.property('sum[class]');
    });
  });

  it('have no node where it has no name', () => {
    const model = convolutionalNet();
    for (const node of model.graph.node) node.name = '';
    const found = candidatesOf(model);
    expect(found.map(({ node }) => node)).to.deep.equal(found.map(() => undefined));
    expect(candidatesOf(convolutionalNet())[0].node).to.equal('stem');
  });
});
