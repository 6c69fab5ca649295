import { expect } from 'chai';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { cutEvenly } from '../../src/graph/cuts.ts';
import { ElementType } from '../../src/graph/onnx.ts';
import { dealIntoStages } from '../../src/graph/stages.ts';

/** Four products, around the second and third of which there is a shortcut; and a tap of the first. */
function shortcut() {
  const g = new GraphBuilder('shortcut');
  const eye = { dtype: 'float32' as const, shape: [4, 4], data: new Float32Array(16).fill(1) };
  for (const w of ['w0', 'w1', 'w2', 'w3']) g.initializer(w, eye);
  g.input('x', ElementType.float, ['batch', 4]);
  g.node('MatMul', ['x', 'w0'], { name: 'a' });
  g.node('Relu', ['a'], { name: 'tap' });
  g.node('MatMul', ['a', 'w1'], { name: 'b' });
  g.node('MatMul', ['b', 'w2'], { name: 'c' });
  g.node('Add', ['a', 'c'], { name: 'd' });
  g.node('MatMul', ['d', 'w3'], { name: 'y' });
  for (const name of ['tap', 'y']) g.output(name, ElementType.float, ['batch', 4]);
  return g.build();
}

describe('cutEvenly', () => {
  it('cuts where a single value goes on, not inside a block', () => {
    const cuts = cutEvenly(shortcut(), 'x', 'y', 4);
    expect(cuts.map(({ value, share }) => [value, share])).to.deep.equal([
      ['a', 0.25],
      ['d', 0.75],
    ]);
  });

  it('deals nodes and constants out, with what hangs on the network', () => {
    const model = shortcut();
    const stages = dealIntoStages(model, 'x', 'y', cutEvenly(model, 'x', 'y', 4));
    expect(stages.map(({ node }) => node.map(({ name }) => name))).to.deep.equal([
      ['a', 'tap'],
      ['b', 'c', 'd'],
      ['y'],
    ]);
    expect(stages.map(({ initializer }) => initializer.map(({ name }) => name))).to.deep.equal([
      ['w0'],
      ['w1', 'w2'],
      ['w3'],
    ]);
  });
});
