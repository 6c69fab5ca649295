import { expect } from 'chai';
import { GraphError } from '../../src/common/errors.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { dynamicBatch, fixedBatch } from '../../src/graph/dynamic-batch.ts';
import { ElementType, type ModelProto } from '../../src/graph/onnx.ts';
import { images, numbers, runModel, smallNet } from './models.ts';

describe('dynamicBatch', () => {
  it('lets a model of one batch size take another', async () => {
    const model = dynamicBatch(smallNet({ batch: 2 }));
    const free = smallNet();
    expect(model.graph.input).to.deep.equal(free.graph.input);
    const { logits } = await runModel(model, { image: images(5) });
    expect(logits.data).to.deep.equal((await runModel(free, { image: images(5) })).logits.data);
  });

  it('gives back a model whose batch size is free', () => {
    const model = smallNet();
    expect(dynamicBatch(model)).to.equal(model);
  });

  for (const [shape, allowzero] of [
    [[2, 192], 0],
    [[2, -1], 0],
    [[2, 192], 1],
  ] as const)
    it(`frees a Reshape to [${shape}]${allowzero ? ' that takes 0 for 0' : ''}`, async () => {
      const model = dynamicBatch(reshaping([...shape], allowzero));
      const { y } = await runModel(model, { x: images(3) });
      expect(y.dims).to.deep.equal([3, 192]);
    });

  it('frees a Reshape whose shape is a Constant node, and leaves one whose shape is computed', async () => {
    const graph = new GraphBuilder('reshaping');
    graph.input('x', ElementType.float, [2, 3, 8, 8]);
    const shape = { dtype: 'int64' as const, shape: [2], data: BigInt64Array.of(2n, 192n) };
    graph.node('Constant', [], { name: 'shape', attributes: { value: shape } });
    graph.node('Reshape', ['x', 'shape'], { name: 'flat' });
    graph.node('Shape', ['flat'], { name: 'computed' });
    graph.node('Reshape', ['flat', 'computed'], { name: 'y' });
    graph.output('y', ElementType.float, [2, 192]);
    const { y } = await runModel(dynamicBatch(graph.build()), { x: images(3) });
    expect(y.dims).to.deep.equal([3, 192]);
  });

  it('leaves sizes that are not the batch, though as large: of weights, of a slice, of what is left over', async () => {
    const graph = new GraphBuilder('twos');
    graph.input('x', ElementType.float, [2, 3, 8, 8]);
    graph.initializer('w', { dtype: 'float32', shape: [6, 2], data: numbers(12) });
    for (const [name, values] of Object.entries({
      wide: [2, 6],
      rest: [-1, 6],
      two: [2],
      six: [6],
      last: [3],
    }))
      graph.int64s(name, values);
    graph.node('Reshape', ['w', 'wide'], { name: 'weights' });
    graph.node('Slice', ['x', 'two', 'six', 'last'], { name: 'columns' });
    graph.node('GlobalAveragePool', ['x'], { name: 'means' });
    graph.node('Concat', ['means', 'means'], { name: 'twice', attributes: { axis: 1 } });
    graph.node('Reshape', ['twice', 'rest'], { name: 'rows' });
    graph.node('Add', ['weights', 'weights'], { name: 'constant' });
    for (const [name, dims] of Object.entries({ columns: [2, 3, 8, 4], rows: [2, 6] }))
      graph.output(name, ElementType.float, dims);
    const outputs = await runModel(dynamicBatch(graph.build()), { x: images(5) });
    expect(outputs.columns.dims).to.deep.equal([5, 3, 8, 4]);
    expect(outputs.rows.dims).to.deep.equal([5, 6]);
  });

  it('takes the batch from the first input that has one, and leaves outputs of other sizes', async () => {
    const graph = new GraphBuilder('scaled');
    graph.input('scale', ElementType.float, []);
    graph.input('x', ElementType.float, [2, 3, 8, 8]);
    graph.initializer('classes', { dtype: 'float32', shape: [5], data: numbers(5) });
    graph.node('Mul', ['x', 'scale'], { name: 'y' });
    graph.node('Relu', ['classes'], { name: 'prior' });
    graph.output('y', ElementType.float, [2, 3, 8, 8]);
    graph.output('prior', ElementType.float, [5]);
    const model = dynamicBatch(graph.build());
    expect(model.graph.output.map(({ type }) => type!.tensorType!.shape!.dim[0])).to.deep.equal([
      { dimParam: 'batch' },
      { dimValue: 5 },
    ]);
    const scale = { data: Float32Array.of(2), dims: [] };
    expect((await runModel(model, { x: images(3), scale })).y.dims).to.deep.equal([3, 3, 8, 8]);
  });

  it('keeps what is said of values within the graph where it does not name the batch size', () => {
    const model = smallNet({ batch: 2 });
    const [image] = model.graph.input;
    const described = (name: string, type = image.type) => ({ name, type });
    const scalar = { tensorType: { elemType: ElementType.float, shape: { dim: [] } } };
    const unknown = { tensorType: { elemType: ElementType.float } };
    model.graph.valueInfo = [
      described('conv1'),
      described('conv1.weight', {
        tensorType: { elemType: ElementType.float, shape: { dim: [{ dimValue: 6 }] } },
      }),
      described('scalar', scalar),
      described('shapeless', unknown),
      described('list', { sequenceType: {} }),
      { name: 'untyped' },
    ];
    const kept = dynamicBatch(model).graph.valueInfo.map(({ name }) => name);
    expect(kept).to.deep.equal(['conv1.weight', 'scalar', 'shapeless', 'list', 'untyped']);
  });

  it('takes an output of which nothing is known for one that follows', () => {
    const graph = new GraphBuilder('unknown');
    graph.input('x', ElementType.float, [2, 3]);
    graph.node('Mystery', ['x'], { name: 'y', domain: 'elsewhere' });
    graph.output('y', ElementType.float, [2, 3]);
    const [output] = dynamicBatch(graph.build({ domains: { elsewhere: 1 } })).graph.output;
    expect(output.type!.tensorType!.shape!.dim).to.deep.equal([{ dimParam: 'batch' }, { dimValue: 3 }]);
  });

  it('refuses a Reshape that takes 0 for 0 and has another size left over', () => {
    expect(() => dynamicBatch(reshaping([2, -1], 1))).to.throw(
      GraphError,
      'graph reshaping: the batch size 2 is built into what leads to its output y',
    );
  });

  it('refuses a batch size that is built in in another way', () => {
    const graph = new GraphBuilder('stuck');
    graph.input('x', ElementType.float, [2, 3]);
    graph.int64s('shape', [2, 3]);
    graph.node('Relu', ['x'], { name: 'relu' });
    graph.node('Transpose', ['relu'], { name: 'swapped' });
    graph.node('Reshape', ['swapped', 'shape'], { name: 'y' });
    graph.output('y', ElementType.float, [2, 3]);
    expect(() => dynamicBatch(graph.build())).to.throw(
      GraphError,
      'graph stuck: the batch size 2 is built into what leads to its output y',
    );
  });
});

describe('fixedBatch', () => {
  it('makes a model one for a single batch size, and leaves other free sizes', async () => {
    const graph = new GraphBuilder('tokens');
    graph.input('x', ElementType.float, ['n', 'length']);
    graph.node('Relu', ['x'], { name: 'y' });
    graph.output('y', ElementType.float, ['n', 'length']);
    const model = fixedBatch(graph.build(), 2);
    for (const { type } of [model.graph.input[0], model.graph.output[0]])
      expect(type!.tensorType!.shape!.dim).to.deep.equal([{ dimValue: 2 }, { dimParam: 'length' }]);
    const feeds = (n: number) => ({ x: { data: new Float32Array(n * 4).fill(1), dims: [n, 4] } });
    expect((await runModel(model, feeds(2))).y.dims).to.deep.equal([2, 4]);
    expect(await runModel(model, feeds(3)).catch(({ message }) => message)).to.match(/invalid dimensions/);
  });

  it('leaves a model whose batch size has no name, in whatever way', () => {
    const named = smallNet();
    const [image] = named.graph.input;
    const types = [
      smallNet({ batch: 2 }).graph.input[0].type,
      { tensorType: { elemType: ElementType.float, shape: { dim: [] } } },
      { tensorType: { elemType: ElementType.float, shape: { dim: [{}, {}] } } },
      { tensorType: { elemType: ElementType.float } },
      { sequenceType: {} },
      undefined,
    ];
    for (const type of types) {
      const model = { ...named, graph: { ...named.graph, input: [{ name: image.name, type }] } };
      expect(fixedBatch(model, 1)).to.deep.equal(model);
    }
  });
});

function reshaping(shape: number[], allowzero: number): ModelProto {
  const graph = new GraphBuilder('reshaping');
  graph.input('x', ElementType.float, [2, 3, 8, 8]);
  graph.int64s('shape', shape);
  graph.node('Reshape', ['x', 'shape'], { name: 'y', attributes: { allowzero } });
  graph.output('y', ElementType.float, [2, 192]);
  return graph.build();
}
