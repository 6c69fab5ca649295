import { expect } from 'chai';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { cutEvenly } from '../../src/graph/cuts.ts';
import { ElementType, type ModelProto } from '../../src/graph/onnx.ts';
import { dealIntoStages } from '../../src/graph/stages.ts';

/** The names of each stage's nodes and constants. */
function dealt(model: ModelProto, stages: number) {
  const cuts = cutEvenly(model, 'x', 'y', stages);
  return dealIntoStages(model, 'x', 'y', cuts).map(({ node, initializer }) => [
    node.map(({ name }) => name),
    initializer.map(({ name }) => name),
  ]);
}

/** Four products, around the second and third of which there is a shortcut. */
function network(add: (g: GraphBuilder) => void = () => {}): ModelProto {
  const g = new GraphBuilder('shortcut');
  const eye = { dtype: 'float32' as const, shape: [4, 4], data: new Float32Array(16).fill(1) };
  for (const w of ['w0', 'w1', 'w2', 'w3', 'shared', 'unused']) g.initializer(w, eye);
  g.input('x', ElementType.float, ['batch', 4]);
  g.node('MatMul', ['x', 'w0'], { name: 'a' });
  g.node('MatMul', ['a', 'w1'], { name: 'b' });
  g.node('MatMul', ['b', 'w2'], { name: 'c' });
  g.node('Add', ['a', 'c'], { name: 'd' });
  g.node('MatMul', ['d', 'w3'], { name: 'y' });
  g.output('y', ElementType.float, ['batch', 4]);
  add(g);
  return g.build();
}

describe('dealIntoStages', () => {
  it('deals nodes and constants out, and leaves out constants that nothing needs', () => {
    expect(dealt(network(), 4)).to.deep.equal([
      [['a'], ['w0']],
      [
        ['b', 'c', 'd'],
        ['w1', 'w2'],
      ],
      [['y'], ['w3']],
    ]);
  });

  it('puts all in one stage where there is no cut', () => {
    const nodes = ['a', 'b', 'c', 'd', 'y'];
    expect(dealt(network(), 1)).to.deep.equal([[nodes, ['w0', 'w1', 'w2', 'w3']]]);
  });

  it('puts what hangs on the network where the last of what it needs is', () => {
    const tapped = network((g) => {
      g.node('Relu', ['a'], { name: 'early' });
      g.node('Relu', ['c'], { name: 'middle' });
      g.node('Add', ['early', 'd'], { name: 'of_two' });
      g.node('Add', ['y', 'early'], { name: 'late' });
    });
    expect(dealt(tapped, 4).map(([nodes]) => nodes)).to.deep.equal([
      ['a', 'early'],
      ['b', 'c', 'd', 'middle', 'of_two'],
      ['y', 'late'],
    ]);
  });

  it('puts constants, and what is computed of them, where they are needed first', () => {
    const tapped = network((g) => {
      g.node('Transpose', ['shared'], { name: 'turned' });
      g.node('Neg', ['turned'], { name: 'negative' });
      g.node('Neg', ['unused'], { name: 'for_nothing' });
      g.node('MatMul', ['y', 'negative'], { name: 'late' });
      g.node('MatMul', ['d', 'turned'], { name: 'middle' });
      g.node('MatMul', ['y', 'w1'], { name: 'later' });
    });
    expect(dealt(tapped, 4)).to.deep.equal([
      [['a'], ['w0']],
      [
        ['b', 'c', 'd', 'turned', 'middle'],
        ['w1', 'w2', 'shared'],
      ],
      [['y', 'negative', 'late', 'later'], ['w3']],
    ]);
  });
});
