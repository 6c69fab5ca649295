import { expect } from 'chai';
import { multiplyAdds, totalMultiplyAdds } from '../../src/graph/cost.ts';
import { makeNode } from '../../src/graph/make.ts';
import type { Shape } from '../../src/graph/shapes.ts';

/** Of a node that takes `a` and `b` and yields `y`, whose shapes are these. */
function cost(opType: string, shapes: Record<string, Shape | undefined>, attributes = {}, domain = '') {
  const node = { ...makeNode(opType, ['a', 'b'], 'y', attributes), domain };
  const types = new Map(Object.entries(shapes).map(([name, shape]) => [name, { shape }]));
  return multiplyAdds(node, types);
}

describe('multiplyAdds', () => {
  it('counts each multiplication of convolutions and products, for one image', () => {
    const maps = { a: ['n', 6, 8, 8], b: [4, 6, 3, 3], y: ['n', 4, 6, 6] };
    expect(cost('Conv', maps)).to.equal(4 * 36 * 6 * 9);
    // Two groups of three channels.
    expect(cost('Conv', { ...maps, b: [4, 3, 3, 3] })).to.equal(4 * 36 * 3 * 9);
    expect(cost('ConvTranspose', { a: ['n', 6, 8, 8], b: [6, 4, 2, 2], y: ['n', 4, 16, 16] })).to.equal(
      6 * 64 * 4 * 4,
    );
    expect(cost('Gemm', { a: ['n', 6], b: [6, 4], y: ['n', 4] })).to.equal(24);
    expect(cost('Gemm', { a: [6, 'n'], b: [6, 4], y: ['n', 4] }, { transA: 1 })).to.equal(24);
    expect(cost('MatMul', { a: ['n', 16, 6], b: [6, 4], y: ['n', 16, 4] })).to.equal(16 * 4 * 6);
  });

  it('takes sizes that are multiples of the batch for what they are an image', () => {
    expect(cost('MatMul', { a: ['65*batch', 6], b: [6, 4], y: ['65*batch', 4] })).to.equal(65 * 4 * 6);
    expect(cost('MatMul', { a: [undefined, 6], b: [6, 4], y: [undefined, 4] })).to.equal(24);
  });

  it('counts nothing of other operators, and of shapes that nobody knows', () => {
    const shapes = { a: ['n', 6], b: [6, 4], y: ['n', 4] };
    expect(cost('Add', shapes)).to.equal(0);
    expect(cost('MatMul', shapes, {}, 'com.example')).to.equal(0);
    expect(cost('MatMul', { ...shapes, y: undefined })).to.equal(0);
    expect(cost('Gemm', { ...shapes, a: undefined })).to.equal(4);
    for (const opType of ['Conv', 'ConvTranspose']) {
      expect(cost(opType, { ...shapes, b: undefined })).to.equal(0);
      expect(cost(opType, { a: undefined, b: undefined, y: ['n', 4] })).to.equal(0);
    }
    expect(cost('ConvTranspose', { ...shapes, a: undefined })).to.equal(0);
  });

  it('adds up over nodes', () => {
    const types = new Map([
      ['a', { shape: ['n', 6] }],
      ['y', { shape: ['n', 4] }],
    ]);
    const node = makeNode('MatMul', ['a', 'b'], 'y');
    expect(totalMultiplyAdds([node, makeNode('Relu', ['y'], 'z'), node], types)).to.equal(48);
  });
});
