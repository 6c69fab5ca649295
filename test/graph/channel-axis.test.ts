import { expect } from 'chai';
import { type Attribute, GraphBuilder } from '../../src/graph/builder.ts';
import { channelAxes } from '../../src/graph/channel-axis.ts';
import { ElementType } from '../../src/graph/onnx.ts';
import { inferShapes } from '../../src/graph/shapes.ts';
import { numbers } from './models.ts';

type Dims = readonly (number | string)[];

/** The channels' axis of the last value, where nodes take each what the one before yields, and constants beside it. */
function axisAfter(dims: Dims, ...nodes: [string, constants?: number[][], Record<string, Attribute>?][]) {
  const graph = new GraphBuilder('chain');
  let last = graph.input('x', ElementType.float, dims);
  for (const [opType, constants = [], attributes] of nodes) {
    const inputs = constants.map((values) =>
      opType === 'Reshape'
        ? graph.int64s(graph.freshName('shape'), values)
        : graph.initializer(graph.freshName('constant'), {
            ...{ dtype: 'float32', shape: values },
            data: numbers(values.reduce((product, size) => product * size, 1)),
          }),
    );
    last = graph.node(opType, [last, ...inputs], { attributes });
  }
  const model = graph.build();
  return channelAxes(model, inferShapes(model)).get(last);
}

describe('channelAxes', () => {
  it('says of images by their three channels, and of other inputs as ONNX and transformers lay them out', () => {
    expect(axisAfter(['n', 3, 8, 8])).to.equal(1);
    expect(axisAfter(['n', 8, 8, 3])).to.equal(3);
    expect(axisAfter(['n', 3, 8, 3])).to.equal(1);
    expect(axisAfter(['n', 8, 8, 8])).to.equal(1);
    expect(axisAfter(['n', 16, 6])).to.equal(2);
    expect(axisAfter(['n', 6])).to.equal(1);
    expect(axisAfter(['n'])).to.equal(undefined);
    expect(axisAfter([])).to.equal(undefined);
  });

  it('follows operators that keep the order', () => {
    expect(axisAfter(['n', 8, 8, 3], ['Relu'], ['Add', [[3]]], ['Sigmoid'])).to.equal(3);
    expect(axisAfter(['n', 3, 8, 8], ['Relu'], ['Mul', [[3, 1, 1]]])).to.equal(1);
  });

  it('is told by operators that have their channels at one place', () => {
    expect(axisAfter(['n', 8, 8, 3], ['MaxPool', [], { kernel_shape: [2, 2] }])).to.equal(1);
    expect(axisAfter(['n', 3, 8, 8], ['MatMul', [[8, 4]]])).to.equal(3);
    expect(axisAfter(['n', 3, 8, 8], ['LayerNormalization', [[8]]])).to.equal(3);
    expect(axisAfter(['n', 6], ['MatMul', [[6, 4]]])).to.equal(1);
  });

  it('follows transpositions', () => {
    expect(axisAfter(['n', 3, 8, 8], ['Transpose', [], { perm: [0, 2, 3, 1] }])).to.equal(3);
    expect(axisAfter(['n', 8, 8, 3], ['Transpose', [], { perm: [0, 3, 1, 2] }])).to.equal(1);
    // Without an order, axes are turned round.
    expect(axisAfter(['n', 3, 8, 8], ['Transpose'])).to.equal(2);
    expect(axisAfter(['n', 8, 8, 3], ['Transpose'])).to.equal(0);
  });

  it('follows maps that become columns, and tokens that become maps', () => {
    expect(axisAfter(['n', 6, 8, 8], ['Reshape', [[0, 6, 64]]])).to.equal(1);
    expect(axisAfter(['n', 8, 8, 3], ['Reshape', [[0, 64, 3]]])).to.equal(2);
    expect(axisAfter(['n', 64, 6], ['Reshape', [[0, 8, 8, 6]]])).to.equal(3);
    expect(axisAfter(['n', 8, 8, 3], ['Flatten', [], { axis: 3 }])).to.equal(1);
  });

  it('is where it usually is, where a reshape leaves no axis as it was', () => {
    // Channels by positions are one axis.
    expect(axisAfter(['n', 6, 8, 8], ['Flatten'])).to.equal(1);
    // Heads of attention.
    expect(axisAfter(['n', 6, 8, 8], ['Reshape', [[0, 2, 3, 64]]])).to.equal(1);
    expect(axisAfter(['n', 8, 8, 6], ['MatMul', [[6, 6]]], ['Reshape', [[0, 64, 2, 3]]])).to.equal(1);
    expect(axisAfter(['n', 6, 8, 8], ['Reshape', [[0, 12, 32]]])).to.equal(2);
    // The last axis is as long as before, and the channels were another.
    expect(axisAfter(['n', 6, 8, 8], ['Reshape', [[0, 2, 24, 8]]])).to.equal(1);
    expect(axisAfter(['n', 6, 8, 8], ['Reshape', [[0, 48, 8]]])).to.equal(2);
    expect(axisAfter(['n', 8, 8, 3], ['Reshape', [[0, 8, 24]]])).to.equal(2);
  });

  it('is where it usually is, where the number of axes changes', () => {
    expect(axisAfter(['n', 6, 8, 8], ['ReduceMax', [], { keepdims: 0 }])).to.equal(undefined);
    expect(axisAfter(['n', 6, 8, 8], ['ArgMax', [], { axis: 3, keepdims: 0 }])).to.equal(2);
    expect(axisAfter(['n', 8, 8, 3], ['ArgMax', [], { axis: 2, keepdims: 0 }])).to.equal(2);
  });

  it('says nothing of values whose number of axes is not known', () => {
    const graph = new GraphBuilder('strange');
    graph.input('x', ElementType.float, ['n', 3, 8, 8]);
    graph.node('Mystery', ['x'], { name: 'unknown', domain: 'com.example' });
    graph.node('Relu', ['unknown'], { name: 'y' });
    graph.node('Constant', [], {
      name: 'constant',
      attributes: { value: { dtype: 'float32', shape: [2, 2], data: new Float32Array(4) } },
    });
    const model = graph.build({ domains: { 'com.example': 1 } });
    const axes = channelAxes(model, inferShapes(model));
    expect([...axes]).to.deep.equal([
      ['x', 1],
      ['constant', 1],
    ]);
  });
});
