import { expect } from 'chai';
import { toFloat16, toFloat32 } from '../../src/common/tensor.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { checkModel } from '../../src/graph/check.ts';
import { withHalfWeights } from '../../src/graph/half-weights.ts';
import { ElementType } from '../../src/graph/onnx.ts';
import { tensorFromProto } from '../../src/graph/tensor-proto.ts';
import { numbers, runModel } from './models.ts';

const weights = {
  /** Rounded: a matrix of 256 numbers. */
  square: [16, 16],
  row: [1, 256],
  /** Too small, of one axis, of a name that is not to be rounded, of doubles, beyond half floats. */
  small: [15, 17],
  vector: [256],
  kept: [16, 16],
  doubles: [16, 16],
  huge: [16, 16],
};

function model() {
  const graph = new GraphBuilder('weights');
  graph.input('x', ElementType.float, ['n', 16]);
  for (const [name, shape] of Object.entries(weights)) {
    const data = numbers(shape.reduce((product, size) => product * size, 1));
    if (name === 'huge') data[7] = 65520;
    graph.initializer(
      name,
      name === 'doubles'
        ? { dtype: 'float64', shape, data: Float64Array.from(data) }
        : { dtype: 'float32', shape, data },
    );
  }
  graph.node('MatMul', ['x', 'square'], { name: 'y' });
  graph.output('y', ElementType.float, ['n', 16]);
  return graph.build();
}

describe('withHalfWeights', () => {
  const names = new Set(Object.keys(weights).filter((name) => name !== 'kept'));

  it('stores large weights of the names given as half floats, and nothing else', () => {
    const { graph } = withHalfWeights(model(), names, 'm.onnx');
    expect(graph.initializer.map(({ name, dataType }) => [name, dataType])).to.deep.equal([
      ['square_half', ElementType.float16],
      ['row_half', ElementType.float16],
      ...['small', 'vector', 'kept'].map((name) => [name, ElementType.float]),
      ['doubles', ElementType.double],
      ['huge', ElementType.float],
    ]);
    const { shape, data } = tensorFromProto(graph.initializer[0], 'm.onnx');
    expect(shape).to.deep.equal([16, 16]);
    expect(data).to.deep.equal(toFloat16(numbers(256)));
  });

  it('computes as before, of the rounded weights', async () => {
    const half = withHalfWeights(model(), names, 'm.onnx');
    checkModel(half, 'm.onnx');
    const rounded = model();
    const data = toFloat32({ dtype: 'float16', shape: [256], data: toFloat16(numbers(256)) });
    rounded.graph.initializer[0].rawData = new Uint8Array(data.buffer);
    const x = { data: numbers(32, 3), dims: [2, 16] };
    const [found, expected] = [await runModel(half, { x }), await runModel(rounded, { x })];
    expect(found.y.data).to.deep.equal(expected.y.data);
  });
});
