import { expect } from 'chai';
import { GraphBuilder } from '../../../src/graph/builder.ts';
import { checkModel } from '../../../src/graph/check.ts';
import { parametersOf, separateParameters } from '../../../src/graph/gradient/parameters.ts';
import { ElementType } from '../../../src/graph/onnx.ts';
import { images, numbers, runModel, smallNet } from '../models.ts';

/** Two convolutions with a batch normalisation each, and a product. */
function network() {
  const graph = new GraphBuilder('network');
  const floats = (name: string, shape: number[], data: Float32Array) =>
    graph.initializer(name, { dtype: 'float32', shape, data });
  graph.input('image', ElementType.float, ['n', 3, 8, 8]);
  floats('filters', [3, 3, 1, 1], numbers(9));
  floats('ones', [3], new Float32Array(3).fill(1));
  floats('zeros', [3], new Float32Array(3));
  floats('varied', [3], numbers(3));
  graph.node('Identity', ['ones'], { name: 'ones_again' });
  const normalised = (x: string, name: string, inputs: string[]) => {
    graph.node('Conv', [x, 'filters'], { name: `${name}_conv` });
    return graph.node('BatchNormalization', [`${name}_conv`, ...inputs], { name });
  };
  normalised('image', 'first', ['ones', 'zeros', 'zeros', 'ones']);
  normalised('first', 'second', ['varied', 'zeros', 'varied', 'ones_again']);
  const row = graph.node('Flatten', [graph.node('GlobalAveragePool', ['second'])]);
  graph.node('Gemm', [row, floats('matrix', [3, 3], numbers(9)), 'varied'], { name: 'y' });
  graph.output('y', ElementType.float, ['n', 3]);
  return graph.build();
}

describe('parametersOf', () => {
  it('finds weights and running statistics, in the order of their use', () => {
    expect(parametersOf(smallNet())).to.deep.equal({
      weights: ['conv1.weight', 'conv2.weight', 'fc.weight', 'fc.bias'],
      statistics: [],
    });
    expect(parametersOf(network())).to.deep.equal({
      weights: ['filters', 'ones', 'zeros', 'varied', 'matrix'],
      statistics: ['zeros', 'ones', 'varied'],
    });
  });

  it('takes neither what is computed, nor integers, nor what other operators take', () => {
    const graph = new GraphBuilder('others');
    graph.input('x', ElementType.float, ['n', 4]);
    const data = new Float32Array(16);
    for (const name of ['turned_later', 'added', 'elsewhere', 'left'])
      graph.initializer(name, { dtype: 'float32', shape: [4, 4], data });
    graph.initializer('doubles', { dtype: 'float64', shape: [4, 4], data: new Float64Array(16) });
    graph.node('Transpose', ['turned_later'], { name: 'turned' });
    graph.node('MatMul', ['x', 'turned'], { name: 'a' });
    graph.node('Add', ['a', 'added'], { name: 'b' });
    graph.node('MatMul', ['b', 'elsewhere'], { name: 'c', domain: 'com.example' });
    graph.node('MatMul', ['left', 'c'], { name: 'd' });
    graph.node('MatMul', ['d', 'doubles'], { name: 'y' });
    const model = graph.build({ domains: { 'com.example': 1 } });
    expect(parametersOf(model)).to.deep.equal({ weights: [], statistics: [] });
  });
});

describe('separateParameters', () => {
  it('gives statistics, and weights of one value, tensors of their own, and computes the same', async () => {
    const model = network();
    const separate = separateParameters(model, 'net.onnx');
    checkModel(separate, 'net.onnx');
    const { weights, statistics } = parametersOf(separate);
    // Two scales, two offsets, two means and two variances; filters are tied, and vary.
    expect(weights).to.deep.equal(['filters', 'ones_1', 'zeros_1', 'varied', 'zeros_3', 'matrix']);
    expect(statistics).to.deep.equal(['zeros_2', 'ones_2', 'varied_1', 'ones_3']);
    const image = images(2);
    const [found, expected] = [await runModel(separate, { image }), await runModel(model, { image })];
    expect(found.y.data).to.deep.equal(expected.y.data);
    expect(separate.graph.initializer.map(({ name }) => name)).not.to.include.members(['ones', 'zeros']);
  });

  it('leaves a network as it is that shares nothing', () => {
    const model = smallNet();
    expect(separateParameters(model, 'net.onnx')).to.equal(model);
  });

  it('takes a constant that is an output too, or that another node takes, for shared', () => {
    const model = smallNet();
    const bias = model.graph.initializer.at(-1)!;
    bias.rawData = new Uint8Array(20);
    model.graph.output.push({ name: 'fc.bias' });
    const separate = separateParameters(model, 'net.onnx');
    expect(parametersOf(separate).weights.at(-1)).to.equal('fc.bias_1');
    expect(separate.graph.output.at(-1)!.name).to.equal('fc.bias');
  });
});
