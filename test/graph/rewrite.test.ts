import { expect } from 'chai';
import { GraphError } from '../../src/common/errors.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { checkModel } from '../../src/graph/check.ts';
import { ElementType, type ModelProto } from '../../src/graph/onnx.ts';
import {
  exposeTaps,
  getMetadata,
  pruneUnused,
  setMetadata,
  withConstants,
  withUsedInputs,
} from '../../src/graph/rewrite.ts';
import { branching, images, largestDifference, numbers, runModel, smallNet } from './models.ts';

describe('exposeTaps', () => {
  /** Every tap as ONNX Runtime yields it when it is an output as it is, averaged here. */
  async function expected(model: ModelProto, value: string, feeds: Parameters<typeof runModel>[1]) {
    const output = [...model.graph.output, { name: value }];
    const yielded = (await runModel({ ...model, graph: { ...model.graph, output } }, feeds))[value];
    const data = yielded.data as Float32Array;
    const [n, c, ...rest] = yielded.dims;
    const size = rest.reduce((all, one) => all * one, 1);
    return Array.from({ length: n * c }, (_, i) => {
      const plane = data.subarray(i * size, (i + 1) * size);
      return plane.reduce((sum, x) => sum + x, 0) / size;
    });
  }

  for (const opset of [7, 9, 11, 13, 17, 18, 21, 23, 26])
    it(`yields pooled values and logits under their own names at opset ${opset}`, async () => {
      const model = smallNet({ opset });
      const taps = ['conv1', 'conv2', 'features', 'flat', 'logits'];
      const tapped = exposeTaps(model, taps, 'small.onnx');
      checkModel(tapped, 'small.onnx');
      expect(tapped.graph.output.map(({ name }) => name)).to.deep.equal([
        'logits',
        'conv1',
        'conv2',
        'features',
        'flat',
      ]);

      const feeds = { image: images(3) };
      const yielded = await runModel(tapped, feeds);
      const logits = await runModel(model, feeds);
      expect(yielded.logits.data).to.deep.equal(logits.logits.data);
      for (const [tap, value] of [
        ['conv1', 'conv1'],
        ['conv2', 'features'],
        ['features', 'features'],
        ['flat', 'flat'],
      ]) {
        const wanted = await expected(model, value, feeds);
        expect(yielded[tap].dims).to.deep.equal([3, wanted.length / 3]);
        expect(largestDifference(yielded[tap].data as Float32Array, wanted)).to.be.below(1e-6);
      }
    });

  it('leaves the model that it is given as it was, and shares its weights', () => {
    const model = smallNet();
    const before = structuredClone(model);
    const tapped = exposeTaps(model, ['conv1'], 'small.onnx');
    expect(model).to.deep.equal(before);
    expect(tapped.graph.initializer[0].rawData).to.equal(model.graph.initializer[0].rawData);
  });

  it('finds free names beside those that it would have taken', async () => {
    const model = smallNet();
    const crowded = { ...model.graph.node[1], name: 'conv1_unpooled', output: ['conv1_pooled'] };
    const { graph } = model;
    const tapped = exposeTaps(
      { ...model, graph: { ...graph, node: [...graph.node, crowded] } },
      ['conv1'],
      'small.onnx',
    );
    checkModel(tapped, 'small.onnx');
    expect((await runModel(tapped, { image: images(1) })).conv1.dims).to.deep.equal([1, 6]);
  });

  it('puts the pooled value in the place of an output of four dimensions', async () => {
    const model = smallNet();
    const output = [{ name: 'features' }, ...model.graph.output];
    const tapped = exposeTaps({ ...model, graph: { ...model.graph, output } }, ['features'], 'small.onnx');
    expect(tapped.graph.output.map(({ name }) => name)).to.deep.equal(['logits', 'features']);
    expect((await runModel(tapped, { image: images(2) })).features.dims).to.deep.equal([2, 4]);
  });

  it('renames a tapped value inside the branches that use it', async () => {
    const tapped = exposeTaps(branching(), ['a'], 'branching.onnx');
    checkModel(tapped, 'branching.onnx');
    const { y, a } = await runModel(tapped, { x: { data: numbers(8), dims: [1, 2, 2, 2] } });
    expect(y.dims).to.deep.equal([1, 2, 2, 2]);
    expect(a.dims).to.deep.equal([1, 2]);
  });

  it('suggests the nearest name for a tap that does not exist', () => {
    expect(() => exposeTaps(smallNet(), ['featurs'], 'small.onnx'))
      .to.throw(GraphError)
      .with.property(
        'message',
        'small.onnx: there is no value or node named featurs; did you mean features?',
      );
  });

  for (const opset of [13, 18])
    it(`averages over what lies between images and channels at opset ${opset}`, async () => {
      const graph = new GraphBuilder('g');
      graph.input('x', ElementType.float, ['n', 2, 3, 4]);
      graph.node('Transpose', ['x'], { name: 'last', attributes: { perm: [0, 2, 3, 1] } });
      graph.node('Reshape', ['last', graph.int64s('shape', [0, 12, 2])], { name: 'tokens' });
      graph.node('Reshape', ['x', graph.int64s('planes', [0, 2, 12])], { name: 'flat' });
      for (const name of ['last', 'tokens', 'flat']) graph.node('Neg', [name], { name: `${name}_out` });
      graph.output('last_out', ElementType.float, ['n', 3, 4, 2]);
      const pooled = ['last', 'tokens', 'flat'];
      const taps = [...pooled, 'tokens[class]', 'flat_out', ...pooled.map((tap) => `${tap}[deviation]`)];
      const tapped = exposeTaps(graph.build({ opset }), taps, 'g.onnx');
      checkModel(tapped, 'g.onnx');
      const data = numbers(2 * 24);
      const yielded = await runModel(tapped, { x: { data, dims: [2, 2, 3, 4] } });
      const plane = (i: number) => data.subarray(12 * i, 12 * (i + 1));
      const means = [0, 1, 2, 3].map((i) => plane(i).reduce((sum, x) => sum + x, 0) / 12);
      for (const tap of pooled) {
        expect(yielded[tap].dims).to.deep.equal([2, 2]);
        expect(largestDifference(yielded[tap].data as Float32Array, means), tap).to.be.below(1e-6);
      }
      const deviations = means.map((mean, i) =>
        Math.sqrt(plane(i).reduce((sum, x) => sum + (x - mean) ** 2, 0) / 12),
      );
      for (const tap of pooled) {
        const { dims, data } = yielded[`${tap}[deviation]`];
        expect(dims).to.deep.equal([2, 2]);
        expect(largestDifference(data as Float32Array, deviations), tap).to.be.below(1e-6);
      }
      expect(Array.from(yielded['tokens[class]'].data as Float32Array)).to.deep.equal(
        [0, 1, 2, 3].map((i) => plane(i)[0]),
      );
    });

  it('takes deviations in two passes: of values that hardly vary, too', async () => {
    const graph = new GraphBuilder('g');
    graph.input('x', ElementType.float, ['n', 1, 64, 64]);
    graph.node('Identity', ['x'], { name: 'y' });
    graph.output('y', ElementType.float, ['n', 1, 64, 64]);
    const tapped = exposeTaps(graph.build(), ['y[deviation]'], 'g.onnx');
    // 100 ± 2^-10, which float32 holds exactly; of squares nothing of that would be left. Every fourth column is looked at.
    const data = Float32Array.from({ length: 64 * 64 }, (_, i) => 100 + (i & 4 ? 1 : -1) / 1024);
    const yielded = await runModel(tapped, { x: { data, dims: [1, 1, 64, 64] } });
    expect((yielded['y[deviation]'].data as Float32Array)[0]).to.be.closeTo(1 / 1024, 1e-2 / 1024);
  });

  it('takes deviations over every s-th row and column of a large map', async () => {
    const graph = new GraphBuilder('g');
    graph.input('x', ElementType.float, ['n', 2, 45, 60]);
    graph.node('Identity', ['x'], { name: 'y' });
    graph.output('y', ElementType.float, ['n', 2, 45, 60]);
    const tapped = exposeTaps(graph.build(), ['y[deviation]'], 'g.onnx');
    const data = numbers(2 * 45 * 60);
    const { 'y[deviation]': yielded } = await runModel(tapped, { x: { data, dims: [1, 2, 45, 60] } });
    // 45 rows leave 14 at every third, and at least 14 columns then.
    const expected = [0, 1].map((channel) => {
      const some = Array.from(data.subarray(channel * 2700, (channel + 1) * 2700)).filter(
        (_, i) => Math.floor(i / 60) % 3 === 0 && (i % 60) % 3 === 0,
      );
      const mean = some.reduce((sum, x) => sum + x, 0) / some.length;
      return Math.sqrt(some.reduce((sum, x) => sum + (x - mean) ** 2, 0) / some.length);
    });
    expect(yielded.dims).to.deep.equal([1, 2]);
    expect(largestDifference(yielded.data as Float32Array, expected)).to.be.below(1e-6);
  });

  it('refuses the deviation of what has no positions', () => {
    expect(() => exposeTaps(smallNet(), ['flat[deviation]'], 'small.onnx'))
      .to.throw(GraphError)
      .with.property('message')
      .that.matches(/has no positions/);
  });

  it('pools half floats as float32', async () => {
    const graph = new GraphBuilder('g');
    graph.input('x', ElementType.float, ['n', 2, 3, 1]);
    graph.node('Cast', ['x'], { name: 'half', attributes: { to: ElementType.float16 } });
    graph.node('Flatten', ['half'], { name: 'flat' });
    graph.output('flat', ElementType.float16, ['n', 6]);
    const tapped = exposeTaps(graph.build(), ['half', 'flat'], 'g.onnx');
    checkModel(tapped, 'g.onnx');
    const { half, flat } = await runModel(tapped, {
      x: { data: Float32Array.of(1, 2, 4, 8, 16, 31), dims: [1, 2, 3, 1] },
    });
    expect([half.type, flat.type]).to.deep.equal(['float32', 'float32']);
    expect(largestDifference(half.data as Float32Array, [7 / 3, 55 / 3])).to.be.below(1e-5);
    expect(Array.from(flat.data as Float32Array)).to.deep.equal([1, 2, 4, 8, 16, 31]);
  });

  it('refuses the class token of what has no tokens', () => {
    expect(() => exposeTaps(smallNet(), ['conv1[class]'], 'small.onnx')).to.throw(
      GraphError,
      'small.onnx: conv1[class] has 4 dimensions; class tokens are in N×T×D',
    );
  });

  it('refuses a value that cannot be pooled to N×C', () => {
    const graph = new GraphBuilder('g');
    graph.input('x', ElementType.float, ['n', 3, 4, 5, 6]);
    graph.node('Relu', ['x'], { name: 'y' });
    graph.output('y', ElementType.float, ['n', 3, 4, 5, 6]);
    expect(() => exposeTaps(graph.build(), ['y'], 'g.onnx')).to.throw(
      GraphError,
      'g.onnx: y has 5 dimensions; a tap has 2 (N×C), 3 (N×T×D) or 4 (N×C×H×W)',
    );
  });

  it('refuses an opset in which the operators that it adds are not there', () => {
    expect(() => exposeTaps(smallNet({ opset: 6 }), ['conv1'], 'small.onnx')).to.throw(
      GraphError,
      'its opset 6',
    );
  });
});

describe('pruneUnused', () => {
  it('drops what no output needs, and nothing else', async () => {
    const tapped = exposeTaps(smallNet(), ['conv1'], 'small.onnx');
    const output = tapped.graph.output.filter(({ name }) => name === 'conv1');
    const pruned = pruneUnused({ ...tapped, graph: { ...tapped.graph, output } });
    expect(pruned.graph.node.map(({ opType }) => opType)).to.deep.equal([
      'Conv',
      'GlobalAveragePool',
      'Flatten',
    ]);
    expect(pruned.graph.initializer.map(({ name }) => name)).to.deep.equal(['conv1.weight']);
    checkModel(pruned, 'small.onnx');
    const feeds = { image: images(2) };
    expect((await runModel(pruned, feeds)).conv1.data).to.deep.equal(
      (await runModel(tapped, feeds)).conv1.data,
    );
  });

  it('keeps what only a branch needs', () => {
    const model = branching();
    expect(pruneUnused(model).graph.node).to.deep.equal(model.graph.node);
  });

  it('drops the inputs that only named a constant that is gone', () => {
    const model = smallNet();
    const { graph } = model;
    const input = [...graph.input, ...graph.initializer.map(({ name }) => ({ name }))];
    const output = [{ name: 'relu1' }];
    const pruned = pruneUnused({ ...model, graph: { ...graph, input, output } });
    expect(pruned.graph.input.map(({ name }) => name)).to.deep.equal(['image', 'conv1.weight']);
  });

  it('drops sparse constants and descriptions of what is gone, and keeps those of all that a node yields', () => {
    const graph = new GraphBuilder('sparse');
    graph.input('x', ElementType.float, ['n', 4]);
    for (const name of ['left', 'right'])
      graph.initializer(name, { dtype: 'float32', shape: [4], data: new Float32Array(4) });
    graph.node('Split', ['x'], {
      name: 'halves',
      outputs: ['a', 'b'],
      attributes: { axis: 1, num_outputs: 2 },
    });
    graph.node('Concat', ['a', 'a'], { name: 'whole', attributes: { axis: 1 } });
    graph.node('Mul', ['whole', 'left'], { name: 'y' });
    graph.node('Mul', ['whole', 'right'], { name: 'z' });
    graph.output('y', ElementType.float, ['n', 4]);
    const model = graph.build();
    const sparse = model.graph.initializer.splice(0).map((values) => ({ values, dims: [4] }));
    model.graph.sparseInitializer = [...sparse, { dims: [4] }];
    model.graph.valueInfo = ['left', 'a', 'b', 'whole', 'z', 'right'].map((name) => ({ name }));
    const pruned = pruneUnused(model).graph;
    expect(pruned.sparseInitializer!.map(({ values }) => values?.name)).to.deep.equal(['left']);
    expect(pruned.valueInfo.map(({ name }) => name)).to.deep.equal(['left', 'a', 'b', 'whole']);
    expect(pruned.node.map(({ name }) => name)).to.deep.equal(['halves', 'whole', 'y']);
  });
});

describe('withConstants', () => {
  it('puts constants in the place of those of their name, and leaves others', () => {
    const model = smallNet();
    const [first, ...others] = model.graph.initializer;
    const other = { ...first, rawData: new Uint8Array(648) };
    const changed = withConstants(model, [other], 'small.onnx');
    expect(changed.graph.initializer).to.deep.equal([other, ...others]);
    expect(changed.graph.initializer[0]).to.equal(other);
    expect(model.graph.initializer[0]).to.equal(first);
  });

  it('refuses one that is not there, or is of another type', () => {
    const [first] = smallNet().graph.initializer;
    for (const other of [
      { ...first, name: 'unlike' },
      { ...first, dataType: ElementType.double },
    ])
      expect(() => withConstants(smallNet(), [first, other], 'small.onnx')).to.throw(
        GraphError,
        `small.onnx: has no constant ${other.name}; make it again with la-ood guard`,
      );
  });
});

describe('withUsedInputs', () => {
  it('keeps the inputs that a node takes, within branches too', () => {
    const model = branching();
    const [x] = model.graph.input;
    model.graph.input.push({ name: 'unused' }, { name: 'a_too' });
    model.graph.node[1].attribute[0].g!.node[0].input = ['a_too'];
    expect(withUsedInputs(model).graph.input).to.deep.equal([x, { name: 'a_too' }]);
  });
});

describe('metadata', () => {
  it('adds and replaces notes and keeps the others', () => {
    const model = setMetadata(setMetadata(smallNet(), { mean: '0.5', arch: 'vgg16' }), { mean: '0.4' });
    expect(getMetadata(model)).to.deep.equal({ arch: 'vgg16', mean: '0.4' });
  });
});
