import { expect } from 'chai';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { cutEvenly } from '../../src/graph/cuts.ts';
import { ElementType, type ModelProto } from '../../src/graph/onnx.ts';

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

/** A graph from `x`, [batch, 4], to `y`, of the nodes that `add` gives it; `product` multiplies by a 4 × 4 matrix. */
function network(
  add: (g: GraphBuilder, product: (value: string, name: string) => void) => void,
  domains: Record<string, number> = {},
) {
  const g = new GraphBuilder('network');
  g.initializer('w', { dtype: 'float32', shape: [4, 4], data: new Float32Array(16).fill(1) });
  g.input('x', ElementType.float, ['batch', 4]);
  add(g, (value, name) => g.node('MatMul', [value, 'w'], { name }));
  g.output('y', ElementType.float, ['batch', 4]);
  return g.build({ domains });
}

const namesOfCuts = (model: ModelProto, stages: number) =>
  cutEvenly(model, 'x', 'y', stages).map(({ value }) => value);

describe('cutEvenly', () => {
  it('cuts where a single value goes on, not inside a block', () => {
    const cuts = cutEvenly(shortcut(), 'x', 'y', 4);
    expect(cuts.map(({ value, share }) => [value, share])).to.deep.equal([
      ['a', 0.25],
      ['d', 0.75],
    ]);
  });

  it('makes no more stages than wanted, and takes the first of places that are as near', () => {
    expect(namesOfCuts(shortcut(), 2)).to.deep.equal(['a']);
    expect(namesOfCuts(shortcut(), 1)).to.deep.equal([]);
  });

  it('finds no cut where one side would have nothing to compute', () => {
    const model = network((g, product) => {
      g.node('Relu', ['x'], { name: 'before' });
      product('before', 'only');
      g.node('Relu', ['only'], { name: 'after' });
      g.node('Softmax', ['after'], { name: 'y' });
    });
    expect(namesOfCuts(model, 4)).to.deep.equal([]);
  });

  it('does not cut where the batch is not the first axis', () => {
    const model = network((g, product) => {
      product('x', 'a');
      g.node('Transpose', ['a'], { name: 'transposed' });
      g.node('MatMul', ['w', 'transposed'], { name: 'b' });
      g.node('Transpose', ['b'], { name: 'back' });
      product('back', 'y');
    });
    expect(namesOfCuts(model, 3)).to.deep.equal(['a', 'back']);
  });

  it('does not cut before the last use of the input', () => {
    const model = network((g, product) => {
      product('x', 'a');
      product('a', 'b');
      g.node('Add', ['b', 'x'], { name: 'c' });
      product('c', 'y');
    });
    expect(namesOfCuts(model, 4)).to.deep.equal(['c']);
  });

  it('looks past values that nothing needs, constants that are computed, and operators that it does not know', () => {
    const model = network(
      (g, product) => {
        g.node('Transpose', ['w'], { name: 'turned' });
        product('x', 'a');
        g.node('Dropout', ['a'], { name: 'dropout', outputs: ['dropped', 'mask'] });
        g.node('MatMul', ['dropped', 'turned'], { name: 'b' });
        product('b', 'c');
        g.node('Mystery', ['c'], { name: 'unknown', domain: 'elsewhere' });
        product('unknown', 'y');
      },
      { elsewhere: 1 },
    );
    expect(namesOfCuts(model, 20)).to.deep.equal(['a', 'b', 'c']);
  });
});
