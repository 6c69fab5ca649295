import { expect } from 'chai';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { freshNames, renameValues } from '../../src/graph/names.ts';
import { ElementType, type Message } from '../../src/graph/onnx.ts';
import { branching } from './models.ts';

/** With a value and a node of other names than each other, a constant, an annotation, and a branch within. */
function model() {
  const graph = new GraphBuilder('names');
  graph.input('x', ElementType.float, ['n', 2]);
  graph.initializer('w', { dtype: 'float32', shape: [1], data: new Float32Array(1) });
  graph.node('Add', ['x', 'w'], { name: 'node', outputs: ['sum'] });
  graph.output('sum', ElementType.float, ['n', 2]);
  const built = graph.build();
  built.graph.valueInfo.push({ name: 'declared' });
  const annotation = { tensorName: 'sum', quantParameterTensorNames: [] };
  built.graph.quantizationAnnotation = [annotation as Message];
  return built;
}

describe('freshNames', () => {
  it('gives names that no node, value or constant has, and none twice', () => {
    const fresh = freshNames(model());
    const taken = ['x', 'w', 'node', 'sum', 'declared'];
    expect(taken.map(fresh)).to.deep.equal(taken.map((name) => `${name}_1`));
    expect([fresh('free'), fresh('free'), fresh('x')]).to.deep.equal(['free', 'free_1', 'x_2']);
  });

  it('knows the names within branches', () => {
    const fresh = freshNames(branching());
    expect(['Relu', 'a', 'yes'].map(fresh)).to.deep.equal(['Relu_1', 'a_1', 'yes_1']);
  });
});

describe('renameValues', () => {
  it('renames a value wherever it is named, and leaves nodes their names', () => {
    const names = new Map(Object.entries({ x: 'x2', w: 'w2', sum: 'sum2', node: 'other' }));
    const { graph } = renameValues(model(), names);
    expect(graph.input[0].name).to.equal('x2');
    expect(graph.initializer[0].name).to.equal('w2');
    expect(graph.output[0].name).to.equal('sum2');
    expect(graph.valueInfo.at(-1)!.name).to.equal('declared');
    expect(graph.quantizationAnnotation![0]).to.include({ tensorName: 'sum2' });
    const [{ name, input, output }] = graph.node;
    expect({ name, input, output }).to.deep.equal({ name: 'node', input: ['x2', 'w2'], output: ['sum2'] });
    expect(graph.name).to.equal('names');
  });

  it('renames within branches', () => {
    const { graph } = renameValues(branching(), new Map([['a', 'b']]));
    const inner = graph.node[1].attribute.map(({ g }) => g!.node[0].input);
    expect(inner).to.deep.equal([['b'], ['b']]);
  });
});
