import { expect } from 'chai';
import * as ort from 'onnxruntime-node';
import { float, GraphBuilder } from '../../src/graph/builder.ts';
import { ElementType } from '../../src/graph/onnx.ts';
import { decodeModel } from '../../src/graph/read.ts';
import { encodeModel } from '../../src/graph/write.ts';

const ones = { dtype: 'float32' as const, shape: [2, 3], data: new Float32Array(6).fill(1) };

/** x·wᵀ times 2, flattened. */
function example(): GraphBuilder {
  const graph = new GraphBuilder('example');
  const x = graph.input('x', ElementType.float, ['batch', 3]);
  const product = graph.node('Gemm', [x, 'w'], { attributes: { transB: 1, alpha: float(2) } });
  const shape = graph.int64s('shape', [-1]);
  graph.initializer('w', ones);
  graph.node('Reshape', [product, shape], { name: 'reshape', outputs: ['y'] });
  graph.output('y', ElementType.float, ['count']);
  return graph;
}

describe('GraphBuilder', () => {
  it('writes a model that runs', async () => {
    const session = await ort.InferenceSession.create(encodeModel(example().build()));
    const { y } = await session.run({ x: new ort.Tensor('float32', [1, 2, 3], [1, 3]) });
    expect([...(y.data as Float32Array)]).to.deep.equal([12, 12]);
  });

  it('names nodes after their operators, their outputs alike', () => {
    const graph = example();
    expect(graph.node('Relu', ['y'])).to.equal('relu');
    expect(graph.node('Relu', ['relu'])).to.equal('relu_1');
    expect(graph.freshName('gemm')).to.equal('gemm_1');
  });

  it('keeps the kinds of attributes apart', () => {
    const graph = example();
    const attributes = {
      i: 1,
      f: float(1),
      ints: [1, 2],
      floats: float([1, 2]),
      s: 'a',
      strings: ['a'],
      t: ones,
    };
    graph.node('Anything', ['y'], { domain: 'test', attributes });
    const model = decodeModel(
      encodeModel(graph.build({ domains: { test: 4 }, metadata: { k: 'v' } })),
      'test',
    );
    const types = model.graph.node.at(-1)!.attribute.map(({ name, type }) => [name, type]);
    expect(Object.fromEntries(types)).to.deep.equal({
      i: 2,
      f: 1,
      ints: 7,
      floats: 6,
      s: 3,
      strings: 8,
      t: 4,
    });
    expect(model.opsetImport.at(-1)).to.deep.include({ domain: 'test', version: 4 });
    expect(model.metadataProps[0]).to.deep.include({ key: 'k', value: 'v' });
  });

  it('refuses integers that are none, names given twice, and values that nothing yields', () => {
    const graph = example();
    expect(() => graph.node('Elu', ['y'], { attributes: { alpha: 0.5 } })).to.throw('use float()');
    expect(() => graph.initializer('w', ones)).to.throw('two values are named w');
    expect(() => graph.node('Relu', ['y'], { name: 'reshape', outputs: ['z'] })).to.throw(
      'two nodes are named',
    );
    graph.node('Relu', ['nowhere']);
    expect(() => graph.build()).to.throw('uses nowhere');
  });

  it('refuses an operator set without a version', () => {
    const graph = example();
    graph.node('Scaler', ['y'], { domain: 'ai.onnx.ml' });
    expect(() => graph.build()).to.throw('no version for domain ai.onnx.ml');
  });
});
